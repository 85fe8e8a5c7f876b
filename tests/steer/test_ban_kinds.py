"""Bans of every kind: what reports no hit let pass holds none."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.find.slop import Slop
from planish.models.language_model import LanguageModel
from planish.records.prompt import opening
from planish.steer.ban import Ban
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.text.matcher import Matcher
from planish.text.rules import RuleMatcher

PROMPT = opening("Once upon a")
OFTEN_ON_TINY = [
    *((letter, "ngram") for letter in "rmzbgcuqu01234"),
    *((letter, "phrase") for letter in "rm"),
    *((pattern, "regex") for pattern in (r"[a-f]", r"\d", r"\br", r"[qz]\b", "[^ -~]", r"^\W", r"\w.?\W", "(a*)*b")),
]
OFTEN_ON_STORIES = [
    *(("little girl", "ngram"), ("girl named", "ngram"), ("loved play", "ngram"), ("lily", "ngram"), ("day", "ngram")),
    *((r"\bthe \w+", "regex"), (r"\w+ was\b", "regex"), (r"^she .*\bto\b", "regex"), (r"ed\b", "regex")),
    *(("once upon", "phrase"), ("was", "phrase"), (r"\bA\b.{1,20}\.", "regex"), (r"mom$", "regex")),
]


class Rules(Slop):
    """A behaviour of rules of every kind."""

    def __init__(self, rules: Sequence[tuple[str, str]]) -> None:
        super().__init__([])
        self.all_kinds = RuleMatcher(rules)

    def matcher(self) -> Matcher:
        return self.all_kinds


def assert_no_hit_is_left_uncounted(
    model: LanguageModel, rules: Sequence[tuple[str, str]], sampling: Sampling, seed: int
) -> None:
    behaviour = Rules(rules)
    for text in Engine(model, [Ban(behaviour)], sampling).generate([PROMPT], samples=3, seed=seed):
        assert text.status == "ok"
        counted = {event.rule for event in text.events if event.let_pass and event.path == 0}
        assert {span.rule for span in behaviour.all_kinds.locate(text.text)} <= counted


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(OFTEN_ON_TINY), min_size=1, max_size=8, unique=True),
    st.sampled_from([Sampling(max_tokens=15), Sampling(max_tokens=15, top_k=4), Sampling(max_tokens=9, temperature=0)]),
    st.integers(0, 9),
)
def test_no_hit_of_any_kind_is_left_uncounted(
    tiny: LanguageModel, rules: list[tuple[str, str]], sampling: Sampling, seed: int
) -> None:
    assert_no_hit_is_left_uncounted(tiny, rules, sampling, seed)


@settings(max_examples=8)
@given(
    st.lists(st.sampled_from(OFTEN_ON_STORIES), min_size=1, max_size=6, unique=True),
    st.sampled_from([Sampling(max_tokens=40), Sampling(max_tokens=40, stop=("girl", "."))]),
    st.integers(0, 9),
)
def test_no_hit_of_any_kind_is_left_uncounted_on_a_real_model(
    stories: LanguageModel, rules: list[tuple[str, str]], sampling: Sampling, seed: int
) -> None:
    assert_no_hit_is_left_uncounted(stories, rules, sampling, seed)


@pytest.mark.parametrize("rule", [("little girl", "ngram"), (r"\bl[a-z]+ girl\b", "regex"), ("little girl", "phrase")])
def test_a_ban_of_each_kind_is_met_and_then_nothing_of_it_is_written(
    stories: LanguageModel, rule: tuple[str, str]
) -> None:
    behaviour, sampling = Rules([rule]), Sampling(max_tokens=40)
    plain = Engine(stories, sampling=sampling).generate([PROMPT], samples=20)
    banned = Engine(stories, [Ban(behaviour)], sampling).generate([PROMPT], samples=20)
    assert any(behaviour.all_kinds.locate(text.text) for text in plain)
    assert {event.rule for text in banned for event in text.events} == {rule[0]}
    assert not any(event.let_pass for text in banned for event in text.events)
    assert not any(behaviour.all_kinds.locate(text.text) for text in banned)
