"""What all pages share: one look, and every text in them escaped."""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from planish.prove.plot import NOT_XML


def page_template(name: str, *functions: Callable[..., Any]) -> Template:
    """A template of this folder, which can call these functions by their names."""
    pages = Environment(
        loader=PackageLoader("planish", "prove"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(name, globals={function.__name__: function for function in functions})


def _printable(value: Any) -> Any:
    """The same with a sign in place of what no page can hold: control characters, and halves of characters."""
    return NOT_XML.sub("\ufffd", value) if isinstance(value, str) and not isinstance(value, Markup) else value
