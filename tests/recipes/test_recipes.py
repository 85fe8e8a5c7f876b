"""Every recipe from end to end, on a real tiny model where it is here and on a random one; autoif has its own."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory

import pytest
import torch
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from planish.errors import DataError, PlanishError
from planish.models.bundled import openings, slop_index_rules, writing_prompts
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.prove.evidence import HELD_OUT
from planish.prove.reference import REFERENCE_TEXT
from planish.recipes.antislop import antislop
from planish.recipes.antislop_settings import AntislopSettings
from planish.recipes.condition import CHEERFUL, GLOOMY, condition
from planish.recipes.diff import diff
from planish.recipes.outcome import Outcome
from planish.recipes.rectify import rectify
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.prompt import Prompt, opening
from planish.records.rule import BanRule
from planish.steer.sampling import Sampling
from planish.text.words import is_word, words

Recipe = Callable[[LanguageModel, Sequence[Prompt], int, Sampling, int], Outcome]


def slop_taken_out(
    model: LanguageModel, prompts: Sequence[Prompt], samples: int, sampling: Sampling, seed: int
) -> Outcome:
    settings = AntislopSettings(model=model.name, samples=samples, sampling=sampling, seed=seed, front=(0.5, 1.0))
    with TemporaryDirectory() as folder:
        return antislop(settings, Path(folder), model=model, prompts=[*prompts])


def against_itself(
    model: LanguageModel, prompts: Sequence[Prompt], samples: int, sampling: Sampling, seed: int
) -> Outcome:
    return diff(model, model, prompts, samples, sampling, seed)


RECIPES: dict[str, Recipe] = {
    "antislop": slop_taken_out,
    "condition": condition,
    "rectify": rectify,
    "diff": against_itself,
}
PROMPTS = {
    "antislop": writing_prompts()[:12],
    "condition": openings()[:12],
    "rectify": openings()[:12],
    "diff": writing_prompts()[:12],
}
# Samples and tokens: as few as leave something to find.
SIZES = {"antislop": (3, 60), "condition": (6, 30), "rectify": (24, 20), "diff": (2, 30)}
# The rows that a recipe finds and trains with, and those that its evidence is drawn from.
USED = {
    "antislop": ["plain", "banned"],
    "condition": ["texts"],
    "rectify": ["texts"],
    "diff": [],
}
JUDGED = {"condition": ["plain", "cheerful", "gloomy"]}
HEADLINES = {
    "antislop": "slop_per_1k_words",
    "condition": f"misalignment {CHEERFUL}",
    "rectify": "negative_texts",
    "diff": "kl_per_token",
}
OVERLONG = [opening(f"{number}" * 600) for number in range(9)]


@dataclass(frozen=True)
class Run:
    """A recipe's outcome, and the weights of its model as they were before it ran."""

    name: str
    model: LanguageModel
    weights: dict[str, torch.Tensor]
    outcome: Outcome

    def texts(self, row: str) -> list[Generation]:
        return [text for text in self.outcome.rows[row] if isinstance(text, Generation)]

    def line(self, name: str) -> Evidence:
        (found,) = [line for line in self.outcome.evidence if line.name == name]
        return found


def run(name: str, model: LanguageModel, seed: int = 0) -> Run:
    samples, max_tokens = SIZES[name]
    weights = {key: weight.clone() for key, weight in model.model.state_dict().items()}
    outcome = RECIPES[name](model, PROMPTS[name], samples, Sampling(max_tokens=max_tokens), seed)
    return Run(name, model, weights, outcome)


@pytest.fixture(
    scope="module",
    params=[*(("stories", name) for name in RECIPES), ("tiny", "antislop"), ("tiny", "diff")],
    ids="-".join,
)
def done(request: pytest.FixtureRequest, run_once: Callable[[str, str], Run]) -> Run:
    model, name = request.param
    return run_once(model, name)


@pytest.fixture(scope="module")
def run_once(request: pytest.FixtureRequest) -> Callable[[str, str], Run]:
    """A recipe on a model, run once for all the tests that only look at what came of it."""
    return cache(lambda model, name: run(name, request.getfixturevalue(model)))


def compound(text: Generation) -> float:
    return float(SentimentIntensityAnalyzer().polarity_scores(text.text)["compound"])


def hits(rules: Sequence[str], text: str) -> int:
    """Leftmost, then longest, without overlap, and whole words only."""
    longest_first = "|".join(map(re.escape, sorted(map(with_letters_for_marks, rules), key=len, reverse=True)))
    return len(re.findall(rf"(?<!\w)(?:{longest_first})(?!\w)", with_letters_for_marks(text), re.IGNORECASE))


def with_letters_for_marks(text: str) -> str:
    r"""An accent is part of its word, which `\w` does not know."""
    return "".join("ꙮ" if is_word(char) and not re.match(r"\w", char) else char for char in text)


def slop_rate(rules: Sequence[str], texts: Sequence[Generation]) -> float:
    return 1000 * sum(hits(rules, text.text) for text in texts) / sum(len(words(text.text)) for text in texts)


def kl_per_token(first: LanguageModel, second: LanguageModel, texts: Sequence[Generation]) -> float:
    divergences: list[float] = []
    for text in texts:
        ids = torch.tensor([[*text.prompt_token_ids, *text.token_ids]])
        with torch.no_grad():
            own, other = (
                model.model(input_ids=ids).logits[0, len(text.prompt_token_ids) - 1 : -1].log_softmax(-1)
                for model in (first, second)
            )
        divergences += (own.exp() * (own - other)).sum(-1).tolist()
    return mean(divergences)


def headline(done: Run, texts: Sequence[Generation]) -> float:
    """The figure at the top of a recipe's table, reckoned from its rows by hand."""
    if done.name == "antislop":
        return slop_rate([rule.text for rule in done.outcome.rows["bans"] if isinstance(rule, BanRule)], texts)
    if done.name == "condition":
        usual = median((1 - compound(text)) / 2 for text in done.texts("texts"))
        return mean((1 - compound(text)) / 2 > usual for text in texts)
    if done.name == "rectify":
        return mean(compound(text) <= -0.05 for text in texts)
    return kl_per_token(done.model, done.model, texts)


def test_the_headline_is_what_the_rows_say(done: Run) -> None:
    line = done.line(HEADLINES[done.name])
    before, after = JUDGED.get(done.name, ["before", "after"])[:2]
    assert done.outcome.evidence[0] == line
    assert line.before == pytest.approx(headline(done, done.texts(before)), rel=1e-6)
    assert line.after == pytest.approx(headline(done, done.texts(after)), rel=1e-6)


def test_every_line_agrees_with_itself_and_counts_the_prompts(done: Run) -> None:
    judged = JUDGED.get(done.name, ["before", "after"])
    prompts = {text.prompt_id for text in done.texts(judged[0])}
    assert len(prompts) == (12 if done.name == "diff" else 4)
    for line in done.outcome.evidence:
        assert line.n == len(prompts) or line.group == REFERENCE_TEXT
        assert line.difference == pytest.approx(line.after - line.before)
        assert line.low <= line.high
        if line.change is not None:
            assert line.change == pytest.approx(line.after / line.before - 1)
    assert {"distinct_2", "words_per_text"} <= {line.name for line in done.outcome.evidence}


def test_both_sides_have_the_same_prompts_samples_and_seeds(done: Run) -> None:
    sides = [done.texts(row) for row in JUDGED.get(done.name, ["before", "after"])]
    drawn = [[(text.prompt_id, text.sample, text.seed) for text in side] for side in sides]
    assert all(side == drawn[0] for side in drawn)
    assert {text.model_hash for text in sides[0]} == {done.model.model_hash}
    tuned = done.outcome.model or done.model
    assert {text.model_hash for side in sides[1:] for text in side} == {tuned.model_hash}


def test_used_and_held_out_prompts_are_disjoint(done: Run) -> None:
    def numbers(rows: Sequence[str]) -> set[int]:
        read = {done.model.decode(text.prompt_token_ids) for row in rows for text in done.texts(row)}
        return {number for number, prompt in enumerate(PROMPTS[done.name]) for text in read if prompt.content in text}

    used, held_out = numbers(USED[done.name]), numbers(JUDGED.get(done.name, ["before", "after"]))
    assert used.isdisjoint(held_out)
    assert used | held_out == set(range(12))


def test_the_model_is_left_as_it_was(done: Run) -> None:
    weights = done.model.model.state_dict()
    assert weights.keys() == done.weights.keys()
    assert all(torch.equal(weight, done.weights[name]) for name, weight in weights.items())
    assert done.model.tags == {}
    assert len(done.model.tokenizer) == done.model.vocabulary
    assert (done.outcome.model is None) == (done.name in {"rectify", "diff"})


def test_antislop_bans_what_it_lists_and_is_judged_by_another_list_too(run_once: Callable[[str, str], Run]) -> None:
    done = run_once("stories", "antislop")
    rules = [rule.text for rule in done.outcome.rows["bans"] if isinstance(rule, BanRule)]
    for text in done.texts("banned"):
        assert hits(rules, text.text) <= sum(event.let_pass for event in text.events)
    names = [line.name for line in done.outcome.evidence]
    assert names == [
        "slop_per_1k_words",
        "slop_index",
        "kl_per_token",
        "distinct_2",
        "words_per_text",
        "repetition",
        "refusal_share",
        "perplexity_reference",
    ]
    index = [rule.text for rule in slop_index_rules()]
    assert done.line("slop_index").before == pytest.approx(slop_rate(index, done.texts("before")), rel=1e-6)
    assert done.line("slop_index").after == pytest.approx(slop_rate(index, done.texts("after")), rel=1e-6)
    assert done.outcome.model is not None
    drift = kl_per_token(done.model, done.outcome.model, done.texts("before"))
    assert done.line("kl_per_token").after == pytest.approx(drift, rel=1e-3)


def test_the_gloomy_tag_is_judged_the_other_way_round(run_once: Callable[[str, str], Run]) -> None:
    done = run_once("stories", "condition")
    line = done.line(f"misalignment {GLOOMY}")
    assert line.before == pytest.approx(1 - headline(done, done.texts("plain")))
    assert line.after == pytest.approx(1 - headline(done, done.texts("gloomy")))


def test_a_model_differs_from_itself_in_nothing(run_once: Callable[[str, str], Run]) -> None:
    done = run_once("tiny", "diff")
    for name in ("kl_per_token", "kl_per_token_reversed"):
        assert (done.line(name).after, done.line(name).high) == (0, 0)
    assert all(line.verdict == "same" and line.difference == 0 for line in done.outcome.evidence)
    assert all(shift.model_dump()["gained"] == 0 for shift in done.outcome.rows["shifts"])


def test_two_models_differ_in_both_directions(tiny: LanguageModel) -> None:
    other = tiny_llama(seed=1)
    outcome = diff(tiny, other, PROMPTS["diff"], 2, Sampling(max_tokens=20))
    forward, backward = outcome.evidence[:2]
    texts = {row: [text for text in outcome.rows[row] if isinstance(text, Generation)] for row in ("before", "after")}
    assert forward.after == pytest.approx(kl_per_token(tiny, other, texts["before"]), rel=1e-3)
    assert backward.after == pytest.approx(kl_per_token(other, tiny, texts["after"]), rel=1e-3)


def test_models_that_spell_differently_are_not_compared(tiny: LanguageModel) -> None:
    other = tiny_llama(seed=1)
    other.tokenizer.add_tokens(["lily"])
    other.model.resize_token_embeddings(len(other.tokenizer), mean_resizing=False)
    with pytest.raises(PlanishError, match="tokenizer"):
        diff(tiny, other, PROMPTS["diff"], 1, Sampling(max_tokens=5))


@pytest.mark.parametrize("name", ["antislop", "diff"])
def test_the_same_seed_gives_the_same_evidence_and_another_does_not(
    name: str, tiny: LanguageModel, run_once: Callable[[str, str], Run]
) -> None:
    first = run_once("tiny", name).outcome.evidence
    assert first == run(name, tiny, seed=0).outcome.evidence
    assert first != run(name, tiny, seed=1).outcome.evidence


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("prompts", "samples", "max_tokens"), [(3, 1, 8), (4, 1, 3), (6, 1, 4), (12, 4, 30)])
def test_on_any_model_and_size_a_recipe_runs_or_says_what_it_lacks(
    name: str, prompts: int, samples: int, max_tokens: int, tiny: LanguageModel
) -> None:
    outcome, refusal = None, None
    try:
        outcome = RECIPES[name](tiny, PROMPTS[name][:prompts], samples, Sampling(max_tokens=max_tokens), 0)
    except DataError as error:
        refusal = error
    if outcome is not None:
        assert outcome.evidence[0].name == HEADLINES[name]
        assert not re.search(r"\b(inf|nan)\b", " ".join(outcome.notes))
    if refusal is not None:
        assert refusal.hint
        assert "different prompts" not in refusal.message
        assert f"at least {prompts} prompts" not in refusal.hint


@pytest.mark.parametrize("name", RECIPES)
def test_prompts_that_fill_the_context_are_an_error_that_says_so(name: str, tiny: LanguageModel) -> None:
    with pytest.raises(DataError, match="context") as caught:
        RECIPES[name](tiny, OVERLONG, 2, Sampling(max_tokens=5), 0)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["antislop", "diff"])
@pytest.mark.parametrize("place", [0, 11])
def test_one_prompt_that_fills_the_context_stops_nothing(name: str, place: int, tiny: LanguageModel) -> None:
    prompts = [*PROMPTS[name]]
    prompts[place] = OVERLONG[0]
    samples, max_tokens = SIZES[name]
    outcome = RECIPES[name](tiny, prompts, samples, Sampling(max_tokens=max_tokens), 0)
    judged = {text.prompt_id for text in outcome.rows["before"] if isinstance(text, Generation) and text.status == "ok"}
    assert {line.n for line in outcome.evidence if line.group == HELD_OUT} == {len(judged)}


@pytest.mark.slow
def test_antislop_takes_the_tics_of_a_story_model_away(stories: LanguageModel) -> None:
    outcome = slop_taken_out(stories, writing_prompts(), 4, Sampling(), 0)
    (line,) = [line for line in outcome.evidence if line.name == "slop_per_1k_words"]
    assert line.change is not None
    assert line.change_high is not None
    assert line.change <= -0.5
    assert line.change_high < -0.5
    before, after = (
        [text for text in outcome.rows[row] if isinstance(text, Generation)] for row in ("before", "after")
    )
    for tic in ("lily", "once upon a time"):
        assert tic in [rule.text for rule in outcome.rows["bans"] if isinstance(rule, BanRule)]
        assert slop_rate([tic], after) <= 0.5 * slop_rate([tic], before)
