import re
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.find.slop import Slop
from planish.models.language_model import LanguageModel
from planish.records.generation import Generation
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.steer.ban import Ban, turning_point
from planish.steer.engine import Engine
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.steer.steer import Step
from planish.text.span import Span

# What the random model writes often; it has no words.
OFTEN_ON_TINY = [*"rmzbgcuQU01234[]\\.", "r m", "[q", "rm", "\x01"]
OFTEN_ON_STORIES = [
    *("was", "the", "lily", "she", "to play", "a little girl", "little", "little girl named", "big", "happy", "time"),
    *("there was", "was a", "loved to", "one day", "mom", "her mom", ",", ".", '"', "day, "),
]
PROMPT = opening("Once upon a")


def ban_of(phrases: Sequence[str]) -> Ban:
    return Ban(Slop([BanRule(text=phrase) for phrase in phrases]))


def stands_in(phrase: str, text: str) -> bool:
    """Whole words only, upper and lower case alike: the slow reference."""
    phrase = phrase.strip()
    before = r"(?<!\w)" if re.match(r"\w", phrase) else r""
    after = r"(?!\w)" if re.search(r"\w$", phrase) else r""
    return re.search(before + re.escape(phrase) + after, text, re.IGNORECASE) is not None


def assert_nothing_banned_is_left_uncounted(text: Generation, phrases: Sequence[str]) -> None:
    # Phrases that differ by case alone are one rule.
    counted = {event.rule.lower() for event in text.events if event.let_pass and event.path == 0}
    assert {phrase.strip().lower() for phrase in phrases if stands_in(phrase, text.text)} <= counted


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(OFTEN_ON_TINY), min_size=1, max_size=12, unique=True),
    st.sampled_from([Sampling(max_tokens=15), Sampling(max_tokens=15, top_k=4), Sampling(max_tokens=9, temperature=0)]),
    st.integers(0, 9),
)
def test_no_banned_phrase_is_left_uncounted(
    tiny: LanguageModel, phrases: list[str], sampling: Sampling, seed: int
) -> None:
    for text in Engine(tiny, [ban_of(phrases)], sampling).generate([PROMPT], samples=3, seed=seed):
        assert_nothing_banned_is_left_uncounted(text, phrases)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from(OFTEN_ON_STORIES), min_size=1, max_size=12, unique=True),
    st.sampled_from([Sampling(max_tokens=40), Sampling(max_tokens=40, top_p=0.8), Sampling(max_tokens=9)]),
    st.integers(0, 9),
)
def test_no_banned_phrase_is_left_uncounted_on_a_real_model(
    stories: LanguageModel, phrases: list[str], sampling: Sampling, seed: int
) -> None:
    for text in Engine(stories, [ban_of(phrases)], sampling).generate([PROMPT], samples=3, seed=seed):
        assert_nothing_banned_is_left_uncounted(text, phrases)


def test_bans_on_a_real_model_are_met_and_hardly_any_is_let_pass(stories: LanguageModel) -> None:
    phrases = ["was", "lily", "little girl", "she"]
    plain = Engine(stories, sampling=Sampling(max_tokens=60)).generate([PROMPT], samples=10)
    assert sum(any(stands_in(phrase, text.text) for phrase in phrases) for text in plain) > 5
    banned = Engine(stories, [ban_of(phrases)], Sampling(max_tokens=60)).generate([PROMPT], samples=10)
    assert sum(bool(text.events) for text in banned) > 5
    for text in banned:
        assert not any(stands_in(phrase, text.text) for phrase in phrases)
        assert not any(event.let_pass for event in text.events)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_ban_on_everything_that_can_be_seen_comes_to_an_end(tiny: LanguageModel, temperature: float) -> None:
    everything = [*map(chr, range(33, 127)), "\ufffd"]
    sampling = Sampling(max_tokens=6, temperature=temperature)
    for text in Engine(tiny, [ban_of(everything)], sampling).generate([PROMPT], samples=4):
        assert text.finish in ("stop", "length")
        assert_nothing_banned_is_left_uncounted(text, everything)


def test_a_ban_that_is_never_met_changes_nothing(tiny: LanguageModel) -> None:
    engine = Engine(tiny, sampling=Sampling(max_tokens=30))
    banning = Engine(tiny, [ban_of(["a phrase that no random model writes"])], Sampling(max_tokens=30))
    assert banning.generate([PROMPT], samples=4) == engine.generate([PROMPT], samples=4)


# --- where to go back to


@pytest.mark.parametrize(
    ("text", "phrase", "turn"),
    [
        ("so the air was thick with smoke", "the air was thick with", "air"),
        ("The air was thick", "the air was", "air"),
        ("so thick with smoke", "thick with", "thick"),
        ("all of the and", "of the", "of"),
        ("it was, like, \u2014 so", "\u2014", "\u2014"),
        ("the didn't-know man", "the didn't-know man", "didn't-know"),
        ("and AIR of", "and air of", "AIR"),
    ],
)
def test_a_span_turns_at_its_first_content_word_or_at_its_start(text: str, phrase: str, turn: str) -> None:
    start = text.lower().index(phrase)
    span = Span(start, start + len(phrase), phrase)
    assert turning_point(None, span, text, range(1, len(text) + 1)) == text.index(turn, start)


@given(st.lists(st.text("ab \u00e9", max_size=4), max_size=8), st.lists(st.text("xy \u00e9", max_size=4), max_size=8))
def test_the_turning_token_is_the_one_that_wrote_the_turning_character(before: list[str], after: list[str]) -> None:
    pieces = [*before, " the ai", "r was ", *after]
    text = "".join(pieces)
    ends = [sum(map(len, pieces[: number + 1])) for number in range(len(pieces))]
    start = len("".join(before)) + 1
    assert turning_point(None, Span(start, start + len("the air"), "the air"), text, ends) == len(before)


def test_only_the_content_word_is_given_up(stories: LanguageModel) -> None:
    banned = "a little girl named"
    engine = Engine(stories, [ban_of([banned])], Sampling(max_tokens=40))
    for text in engine.generate([opening("Once upon a time, there was a")], samples=5):
        assert not stands_in(banned, text.text)
    met = Engine(stories, [ban_of([banned])], Sampling(max_tokens=40)).generate([opening("Once upon a time")], 10)
    turned = [(text, event) for text in met for event in text.events if event.path == 0]
    assert turned
    for text, event in turned:
        kept = stories.decode([*text.prompt_token_ids, *text.token_ids[: event.position]])
        assert kept.endswith(" a")


# --- soft rules, thinking, retries


def rows_that_say(text: str, count: int, seed: int = 0) -> list[Row]:
    return [
        Row(prompt=PROMPT, sample=sample, seed=seed, prompt_ids={}, limit=9, tokens=[0], pieces=[text])
        for sample in range(count)
    ]


def gone_back(ban: Ban, rows: list[Row], span: Span) -> set[int]:
    step = Step(rows, {}, torch.zeros(len(rows), 1), [[span] for _ in rows])
    return {rewind.row for rewind in ban.review(step)}


def soft(strength: float) -> Ban:
    return Ban(Slop([BanRule(text="lily", strength=strength)]))


@pytest.mark.parametrize("strength", [0.1, 0.5, 0.9])
def test_the_share_of_hits_that_survive_is_one_minus_the_strength(strength: float) -> None:
    count = 4000
    survived = count - len(gone_back(soft(strength), rows_that_say("lily", count), Span(0, 4, "lily")))
    deviation = (count * strength * (1 - strength)) ** 0.5
    assert abs(survived - (1 - strength) * count) < 5 * deviation


def test_a_rule_of_full_strength_bans_every_hit() -> None:
    assert len(gone_back(soft(1), rows_that_say("lily", 500), Span(0, 4, "lily"))) == 500


def test_a_hit_has_one_coin_and_a_stronger_rule_bans_what_a_weaker_one_does() -> None:
    rows, span = rows_that_say("a lily", 300), Span(2, 6, "lily")
    weak, strong = gone_back(soft(0.3), rows, span), gone_back(soft(0.6), rows, span)
    assert weak == gone_back(soft(0.3), rows, span)
    assert weak < strong
    assert weak != gone_back(soft(0.3), rows, span._replace(start=1))
    assert weak != gone_back(soft(0.3), rows_that_say("a lily", 300, seed=1), span)


@settings(max_examples=10)
@given(st.integers(0, 9))
def test_a_soft_ban_leaves_some_hits_and_says_so_of_none(stories: LanguageModel, seed: int) -> None:
    ban = Ban(Slop([BanRule(text="was", strength=0.5)]))
    texts = Engine(stories, [ban], Sampling(max_tokens=40)).generate([PROMPT], samples=10, seed=seed)
    assert any(stands_in("was", text.text) for text in texts)
    assert any(text.events for text in texts)
    assert not any(event.let_pass for text in texts for event in text.events)


@pytest.mark.parametrize(
    ("prompt", "thinking", "found"),
    [
        ("Hello", True, 2),
        ("Hello", False, 2),
        ("Hello<think>\n", True, 2),
        ("Hello<think>\n", False, 1),
        ("<think>x</think>", False, 2),
    ],
)
def test_thinking_is_left_alone_where_asked_even_if_the_prompt_began_it(
    prompt: str, thinking: bool, found: int
) -> None:
    ban = Ban(Slop([BanRule(text="lily")]), thinking=thinking)
    matcher = ban.needs.matcher
    assert matcher is not None
    match = matcher.feed(ban.begin(prompt), "A lily.</think> A lily.")
    assert len(match.spans) == found
    assert match.spans[-1] == Span(18, 22, "lily")


def test_tags_can_be_others() -> None:
    ban = Ban(Slop([BanRule(text="lily")]), thinking=False, thinking_tags=("[THINK]", "[/THINK]"))
    assert ban.needs.matcher is not None
    assert ban.needs.matcher.feed(ban.begin(""), "[THINK] lily [/THINK]").spans == []


def test_retries_are_asked_for_with_every_rewind() -> None:
    step = Step(rows_that_say("lily", 2), {}, torch.zeros(2, 1), [[Span(0, 4, "lily")]] * 2)
    assert [rewind.retries for rewind in Ban(Slop([BanRule(text="lily")]), retries=3).review(step)] == [3, 3]
