import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import UsageError
from planish.runs.toml import write_toml

SCALAR = st.text() | st.integers() | st.floats() | st.booleans()
VALUE = SCALAR | st.lists(SCALAR | st.lists(SCALAR, max_size=2), max_size=3)
KEY = st.text(max_size=6)


def without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


TABLES = st.recursive(
    st.dictionaries(KEY, VALUE | st.none(), max_size=3),
    lambda table: st.dictionaries(KEY, VALUE | st.none() | table, max_size=3),
    max_leaves=6,
)


@given(TABLES)
def test_what_is_written_is_read_back_with_its_types(values: dict[str, Any]) -> None:
    assert sorted_repr(tomllib.loads(write_toml(values))) == sorted_repr(without_none(values))


def sorted_repr(value: object) -> str:
    """Tells 1 from 1.0 and from True, 0.0 from -0.0, and takes one nan for another. Tables may move to the end."""
    if isinstance(value, dict):
        return repr(sorted((key, sorted_repr(inner)) for key, inner in value.items()))
    return repr(value)


@pytest.mark.parametrize("value", [object(), [{"a": 1}], [None], b"bytes"])
def test_what_has_no_place_in_the_file_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        write_toml({"table": {"key": value}})


def test_text_that_cannot_be_encoded_is_refused_clearly() -> None:
    with pytest.raises(UsageError, match="ud800") as caught:
        write_toml({"name": "\ud800"})
    assert caught.value.hint
