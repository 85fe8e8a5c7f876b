import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError
from planish.find.instructions import KINDS, compatible, compose, parse_constraint, relaxed

CONTENT = "Tell me a story about an old lighthouse, please."
TOGETHER = [
    ("no_commas", "all_lowercase"),
    ('at_least_words{"count": 100}', 'at_most_words{"count": 200}'),
    ('exactly_paragraphs{"count": 3}', "no_full_stops", "dialogue"),
    ('bullets_exactly{"count": 3}', 'headings_at_least{"count": 1}', 'at_least_words{"count": 50}'),
    ('first_word{"keyword": "once"}', 'last_word{"keyword": "home"}', "question"),
]
APART = [
    ("all_lowercase", "all_uppercase"),
    ("all_lowercase", "title_case"),
    ('exactly_words{"count": 20}', 'at_least_words{"count": 60}'),
    ('exactly_words{"count": 20}', 'at_least_sentences{"count": 12}'),
    ('at_most_sentences{"count": 2}', 'at_least_words{"count": 300}'),
    ('at_most_characters{"count": 140}', 'at_least_words{"count": 60}'),
    ("no_commas", 'repeats_request{"request": "First, say why."}'),
    ('no_letter{"letter": "e"}', 'contains_words{"keywords": ["tree"]}'),
    ('contains_words{"keywords": ["tree"]}', 'avoids_words{"keywords": ["tree", "sea"]}'),
    ('first_word{"keyword": "once"}', 'begins_with{"phrase": "Let me tell you"}'),
    ('ends_with_mark{"mark": "?"}', 'last_word{"keyword": "home"}'),
    ("json_only", 'bullets_exactly{"count": 3}'),
    ("numbers_spelled_out", 'numbered_exactly{"count": 3}'),
    ("question", "question"),
    ('at_least_words{"count": 60}', 'at_least_words{"count": 80}'),
    ('longest_sentence_at_most{"count": 8}', 'shortest_sentence_at_least{"count": 10}'),
    ("no_full_stops", 'ends_with{"phrase": "More tomorrow."}'),
]


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.mark.parametrize("spelled", TOGETHER)
def test_what_one_text_can_follow_is_compatible(spelled: tuple[str, ...]) -> None:
    assert compatible(map(parse_constraint, spelled))


@pytest.mark.parametrize("spelled", APART)
def test_what_no_text_can_follow_is_not_compatible_in_either_order(spelled: tuple[str, ...]) -> None:
    assert not compatible(map(parse_constraint, spelled))
    assert not compatible(map(parse_constraint, reversed(spelled)))


@given(seed=st.integers(0, 10**6), count=st.integers(1, 5))
def test_what_is_composed_is_compatible_whichever_is_left_out(seed: int, count: int) -> None:
    constraints = compose(seeded(seed), CONTENT, count)
    assert len({constraint.name for constraint in constraints}) == count
    assert compatible(constraints)
    assert constraints == compose(seeded(seed), CONTENT, count)
    for index in range(count):
        left = relaxed(constraints, index)
        assert compatible(left)
        assert (*left[:index], constraints[index], *left[index:]) == constraints


def test_every_kind_is_composed_sooner_or_later() -> None:
    seen = {constraint.name for seed in range(400) for constraint in compose(seeded(seed), CONTENT, 3)}
    assert seen == KINDS.keys()


def test_only_the_kinds_that_are_given_are_composed() -> None:
    kinds = [KINDS["all_lowercase"], KINDS["all_uppercase"], KINDS["question"]]
    assert {constraint.name for constraint in compose(seeded(0), "", 2, kinds)} < {kind.name for kind in kinds}
    with pytest.raises(DataError, match="no 3 of these"):
        compose(seeded(0), "", 3, kinds)
