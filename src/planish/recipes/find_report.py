"""The page and the command of what was found in texts."""

import shlex
from typing import TYPE_CHECKING, Any

from planish.find.slop.examples import examples
from planish.prove.find_page import entries_shown, find_html
from planish.recipes.find_settings import FindSettings
from planish.runs.toml import written

if TYPE_CHECKING:
    from planish.recipes.find import Found


def report(found: "Found", settings: FindSettings) -> str:
    """The page as HTML; the texts are read once more, as far as it takes to show each entry in context."""
    shown = entries_shown(len(found.profiles))
    sources = zip(found.profiles, found.shards, strict=True)
    return find_html(
        found.profiles,
        [examples(profile.overused[:shown], shards) for profile, shards in sources],
        family=found.family,
        settings={**_flat(settings), "index_version": found.profiles[0].index_version},
        reproduce=reproduce(settings),
        notes=found.notes,
    )


def reproduce(settings: FindSettings) -> str:
    """The command that does the same again."""
    # How many read at once changes no figure.
    changed = _flat(settings, exclude_defaults=True, exclude={"sources", "processes"})
    given = [f"--set {shlex.quote(f'{key}={written(value)}')}" for key, value in changed.items()]
    return " ".join(["planish find", *map(shlex.quote, settings.sources), *given])


def _flat(settings: FindSettings, **which: Any) -> dict[str, object]:
    values = settings.model_dump(mode="json", exclude_none=True, **which)
    sampling = values.pop("sampling", {})
    return values | {f"sampling.{key}": value for key, value in sampling.items()}
