from typing import Any

import pytest
from pydantic import ValidationError

from planish.records.rule import BanRule


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        ("ngram", {"case_sensitive": True}),
        ("regex", {"inflections": True}),
        ("regex", {"whole_words": False}),
        ("ngram", {"whole_words": False}),
        ("phrase", {"strength": 0}),
        ("phrase", {"strength": 1.5}),
    ],
)
def test_an_option_that_means_nothing_is_refused_by_its_name(kind: str, option: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(option))):
        BanRule(text="lily", kind=kind, **option)  # type: ignore[arg-type]


def test_a_row_without_options_reads_as_ever() -> None:
    rule = BanRule.model_validate_json('{"text": "lily", "kind": "ngram", "reason": "r"}')
    assert (rule.strength, rule.options, rule.pattern) == (1, {}, ("lily", "ngram", False, False, True))


def test_options_are_those_that_differ() -> None:
    rule = BanRule(text="lily", strength=0.5, whole_words=False)
    assert rule.options == {"strength": 0.5, "whole_words": False}
    assert rule.pattern == ("lily", "phrase", False, False, False)
