from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.prove.collateral import drift, fluency, refusal_share, repetition, variety_and_length
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.prompt import Prompt, opening
from planish.records.score import Failure, Sample, Score
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

PROMPTS = [opening(f"{number} mice") for number in range(6)]
OVERLONG = opening("x" * 600)


@pytest.fixture(scope="module")
def other() -> LanguageModel:
    return tiny_llama(seed=1)


@pytest.fixture(scope="module")
def texts(tiny: LanguageModel) -> list[Generation]:
    return Engine(tiny, sampling=Sampling(max_tokens=12)).generate(PROMPTS, samples=2)


@pytest.fixture(scope="module")
def with_failures(tiny: LanguageModel) -> list[Generation]:
    """The same texts, a prompt without room for one, and one that broke in the middle."""
    texts = Engine(tiny, sampling=Sampling(max_tokens=12)).generate([*PROMPTS, OVERLONG], samples=2)
    broken = texts[0].model_copy(update={"id": "broken", "status": "failed", "finish": "failed"})
    return [*texts, broken]


def log_probs(model: LanguageModel, text: Generation) -> torch.Tensor:
    """What the plain model expects at each token of a text, (T, V)."""
    front = len(text.prompt_token_ids)
    with torch.no_grad():
        logits: torch.Tensor = model.model(input_ids=torch.tensor([[*text.prompt_token_ids, *text.token_ids]])).logits[
            0
        ]
    return logits[front - 1 : -1].log_softmax(-1)


def words_only(texts: Sequence[str]) -> list[Generation]:
    return [
        Generation(
            id=str(number),
            prompt_id=str(number),
            sample=0,
            seed=0,
            text=text,
            prompt_token_ids=(1,),
            token_ids=(5,),
            char_ends=(1,),
            finish="stop",
        )
        for number, text in enumerate(texts)
    ]


def test_a_model_has_not_drifted_from_itself(tiny: LanguageModel, texts: list[Generation]) -> None:
    line = drift(tiny, tiny, texts)
    assert (line.before, line.after, line.low, line.high, line.verdict) == (0, 0, 0, 0, "same")


def test_drift_is_the_kl_divergence_a_token(tiny: LanguageModel, other: LanguageModel, texts: list[Generation]) -> None:
    divergences = []
    for text in texts:
        first, second = (log_probs(model, text) for model in (tiny, other))
        divergences += [
            float(at) for at in torch.nn.functional.kl_div(second, first, log_target=True, reduction="none").sum(-1)
        ]
    line = drift(tiny, other, texts)
    assert line.after == pytest.approx(sum(divergences) / len(divergences), rel=1e-4)
    assert line.after > 0.2
    assert (line.before, line.n, line.verdict) == (0, len(PROMPTS), "changed")


def test_equal_generations_are_equally_fluent(tiny: LanguageModel, texts: list[Generation]) -> None:
    line = fluency(tiny, texts, texts)
    assert (line.difference, line.low, line.high, line.change) == (0, 0, 0, 0)


def test_fluency_is_the_perplexity_of_the_plain_model(
    tiny: LanguageModel, other: LanguageModel, texts: list[Generation]
) -> None:
    foreign = Engine(other, sampling=Sampling(max_tokens=12)).generate(PROMPTS, samples=2)
    line = fluency(tiny, texts, foreign)
    for side, figure in ((texts, line.before), (foreign, line.after)):
        losses = [
            -float(row[token])
            for text in side
            for row, token in zip(log_probs(tiny, text), text.token_ids, strict=True)
        ]
        assert figure == pytest.approx(torch.tensor(losses).mean().exp().item(), rel=1e-4)
    assert line.verdict == "worse"


def test_failed_generations_are_left_out(
    tiny: LanguageModel, other: LanguageModel, texts: list[Generation], with_failures: list[Generation]
) -> None:
    def lines(texts: list[Generation]) -> list[Evidence]:
        return [
            drift(tiny, other, texts),
            fluency(tiny, texts, texts),
            repetition(texts, texts),
            *variety_and_length(texts, texts),
        ]

    for clean, line in zip(lines(texts), lines(with_failures), strict=True):
        assert line.n == clean.n == len(PROMPTS)
        assert line.after == pytest.approx(clean.after, rel=1e-4)


def test_variety_is_the_share_of_word_pairs_that_are_new_in_their_text() -> None:
    before, after = words_only(["a b c d", "a b c d"]), words_only(["a b a b a", "a b c d"])
    variety, length = variety_and_length(before, after)
    assert (variety.before, variety.after) == pytest.approx((1, 5 / 7))
    assert (length.before, length.after, length.difference) == (4, 4.5, 0.5)


@pytest.mark.parametrize(
    ("after", "verdict"),
    [("a b c d e f g", "better"), ("a b a b a b c", "same"), ("a b a b a b a", "worse")],
)
def test_variety_may_rise_but_not_fall(after: str, verdict: str) -> None:
    variety, _ = variety_and_length(words_only(["a b a b a b c"] * 6), words_only([after] * 6))
    assert variety.verdict == verdict
    assert variety.margin == pytest.approx(variety.before / 100)


def words_in_repeated_fours(text: str) -> int:
    """Slow: a word is counted when any four words around it stand elsewhere in the text too."""
    said = text.split()
    fours = [said[start : start + 4] for start in range(len(said) - 3)]
    return sum(
        any(start <= place < start + 4 and fours.count(four) > 1 for start, four in enumerate(fours))
        for place in range(len(said))
    )


@given(st.lists(st.text(alphabet="ab ", max_size=40), min_size=1, max_size=4))
def test_repetition_is_the_share_of_words_in_repeated_fours(texts: list[str]) -> None:
    line = repetition(words_only(["a b c d"] * len(texts)), words_only(texts))
    said = sum(len(text.split()) for text in texts)
    assert line.before == 0
    assert line.after == pytest.approx(sum(map(words_in_repeated_fours, texts)) / said if said else 0)


def test_a_loop_is_repetition_and_plain_speech_is_none() -> None:
    plain, loop = "one two three four five six seven", "one two three four one two three four"
    line = repetition(words_only([plain] * 6), words_only([loop] * 6))
    assert (line.before, line.after, line.verdict) == (0, 1, "worse")
    assert repetition(words_only([loop] * 6), words_only([plain] * 6)).verdict == "better"
    assert repetition(words_only([plain] * 6), words_only([plain] * 6)).verdict == "same"


class SaysNo:
    """A behaviour: a text is as much of a refusal as it says."""

    name, version = "says no", "1"

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        return [
            Score(
                generation_id=sample.generation_id,
                behaviour=self.name,
                version="1",
                value=float(sample.text),
                hits=0,
                words=1,
            )
            for sample in samples
        ]


def test_the_share_of_refusals_counts_texts_that_are_likelier_one_than_not() -> None:
    prompts = [Prompt(id=str(number), text="x") for number in range(4)]
    line = refusal_share(SaysNo(), prompts, words_only(["0", "0.4", "0.5", "1"]), words_only(["0", "0", "0", "0.9"]))
    assert (line.before, line.after, line.judge) == (0.5, 0.25, "says no")


@pytest.mark.parametrize(("now", "verdict"), [(20, "same"), (19, "same"), (14, "changed"), (26, "changed")])
def test_a_length_is_the_same_within_a_tenth_of_what_a_text_had(now: int, verdict: str) -> None:
    before, after = (words_only([" ".join(["word"] * count)] * 6) for count in (20, now))
    _, length = variety_and_length(before, after)
    assert length.verdict == verdict
