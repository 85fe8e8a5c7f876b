import hashlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planish.find.slop import Slop
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.records.score import Sample, Score
from planish.text.span import Span, longest_without_overlap

TEXTS = st.text("abAé -'’_.", max_size=30)
PHRASES = st.lists(st.text("abé '-", min_size=1, max_size=5), max_size=5)
NO_PROMPT = opening("")


def slop_of(phrases: list[str]) -> Slop:
    return Slop([BanRule(text=phrase) for phrase in phrases])


def scores_of(slop: Slop, texts: list[str]) -> list[Score]:
    answers = slop.score([Sample(NO_PROMPT, text) for text in texts])
    return [answer for answer in answers if isinstance(answer, Score)]


@given(PHRASES, st.lists(TEXTS, max_size=3))
def test_score_locate_and_matcher_agree(phrases: list[str], texts: list[str]) -> None:
    slop = slop_of(phrases)
    matcher = slop.matcher()
    scores = scores_of(slop, texts)
    assert len(scores) == len(texts)
    for text, spans, score in zip(texts, slop.locate(texts), scores, strict=True):
        match = matcher.feed(matcher.start, text)
        assert spans == longest_without_overlap(match.spans + matcher.finish(match.state))
        assert (score.hits, list(score.spans)) == (len(spans), spans)


@given(PHRASES, TEXTS)
@example(["a", "b"], "a-b")
def test_a_value_is_a_share(phrases: list[str], text: str) -> None:
    (score,) = scores_of(slop_of(phrases), [text])
    assert 0 <= score.value <= 1


def test_the_value_is_the_share_of_words_inside_a_hit() -> None:
    (score,) = scores_of(slop_of(["once upon a time", "upon", "lily"]), ["Once upon a time, Lily didn't cry at all."])
    assert [span.rule for span in score.spans] == ["once upon a time", "lily"]
    assert (score.hits, score.words, score.value) == (2, 9, 5 / 9)


def test_a_word_that_is_hit_twice_is_one_word() -> None:
    (score,) = scores_of(slop_of(["well", "known"]), ["a well-known cat"])
    assert (score.hits, score.words, score.value) == (2, 3, 1 / 3)


def test_a_version_tells_lists_apart_and_not_their_order() -> None:
    assert slop_of(["a", "b"]).version == slop_of(["b", "a"]).version != slop_of(["a"]).version


def test_a_hit_is_the_longest_of_those_that_begin_first() -> None:
    assert slop_of(["a b", "a b c", "b c d"]).locate(["a b c d"]) == [[Span(0, 5, "a b c")]]


def test_a_version_tells_kinds_apart() -> None:
    assert Slop([BanRule(text="cat")]).version != Slop([BanRule(text="cat", kind="regex")]).version


def test_rules_of_every_kind_are_found() -> None:
    slop = Slop(
        [
            BanRule(text="lily"),
            BanRule(text="heart pounding chest", kind="ngram"),
            BanRule(text="not just [a-z]+", kind="regex"),
        ]
    )
    (spans,) = slop.locate(["Lily. Not just fear. Her heart was pounding in her chest."])
    assert [span.rule for span in spans] == [rule.text for rule in (slop.rules[0], slop.rules[2], slop.rules[1])]


@pytest.mark.parametrize(
    "options", [{"strength": 0.5}, {"case_sensitive": True}, {"inflections": True}, {"whole_words": False}]
)
def test_a_version_tells_options_apart_and_is_as_it_was_without(options: dict[str, Any]) -> None:
    plain = Slop([BanRule(text="cat")])
    assert Slop([BanRule(text="cat", **options)]).version != plain.version
    assert plain.version == hashlib.blake2b(b"phrase cat", digest_size=4).hexdigest()


def test_options_reach_the_matcher() -> None:
    slop = Slop([BanRule(text="delve", inflections=True), BanRule(text="art", whole_words=False)])
    assert [span.rule for span in slop.locate(["Delving for a party"])[0]] == ["delve", "art"]


def test_of_rules_that_say_the_same_the_strictest_counts() -> None:
    slop = Slop([BanRule(text="Lily ", strength=0.2), BanRule(text="lily"), BanRule(text="Lily", strength=0.5)])
    (span,) = slop.locate(["lily"])[0]
    assert slop.strengths[span.rule] == 1
    assert slop.strengths["Lily"] == 0.5
