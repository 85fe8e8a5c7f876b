import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.find.verifiers.lenient_json import read_lenient

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)


def printed(texts: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    return st.recursive(
        st.none() | st.booleans() | st.integers(-(10**15), 10**15) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    )


@given(printed(TEXTS))
def test_right_json_needs_no_repair(value: object) -> None:
    assert read_lenient(json.dumps(value)) == (value, {})


@given(printed(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=12)))
def test_what_python_prints_is_read_as_it_was_meant(value: object) -> None:
    assert read_lenient(repr(value)).value == value


@given(printed(TEXTS))
def test_a_last_comma_changes_nothing(value: object) -> None:
    assert read_lenient(f"[{json.dumps(value)},]") == ([value], {"trailing_comma": 1})


@pytest.mark.parametrize(
    ("text", "value", "repairs"),
    [
        ('{"a": True, "b": False, "c": None}', {"a": True, "b": False, "c": None}, {"python_word": 3}),
        ("{'a': 'it\\'s'}", {"a": "it's"}, {"single_quotes": 2}),
        ('["say \\d"]', ["say \\d"], {"illegal_escape": 1}),
        ('["it\\\'s"]', ["it\\'s"], {"illegal_escape": 1}),
        ("[1, 2,]", [1, 2], {"trailing_comma": 1}),
        ('["a\nb"]', ["a\nb"], {"raw_control": 1}),
        ('[true, "\\u00e9\\n", -1.5e3, True]', [True, "é\n", -1500.0, True], {"python_word": 1}),
    ],
)
def test_each_kind_of_repair_is_counted(text: str, value: object, repairs: dict[str, int]) -> None:
    lenient = read_lenient(text)
    assert lenient.value == value
    assert lenient.repairs == repairs


@pytest.mark.parametrize("text", ["", "{", '{"a"}', "[1 2]", '["a', "maybe", "[1] and more", "{1: 2}", "[" * 100_000])
def test_what_cannot_be_told_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ValueError, match=r"line \d+, character \d+: .* should stand here"):
        read_lenient(text)


@given(st.text(alphabet="{}[]\"'\\,: tTrueNnu01\n", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_lenient(text)
    except ValueError:
        assert text != "{}"
