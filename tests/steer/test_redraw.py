"""The token that finally stands where others were rejected has the distribution that the user's settings ask for."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
import torch
from custom_steers import Adjust, Refuse, refuse_first
from scipy import stats
from torch import Tensor

from planish.find.slop import Slop
from planish.models.language_model import LanguageModel
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.engine import Engine
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.steer.steer import Steer

PROMPT = opening("Hello")
SAMPLES = 4000
# A chi-square test wants so many in every cell; rarer tokens share one.
LEAST_EXPECTED = 8


@torch.no_grad()
def own_distribution(model: LanguageModel) -> Tensor:
    logits: Tensor = model.model(torch.tensor([model.encode(PROMPT)])).logits
    return logits[0, -1].double().softmax(-1)


def without(distribution: Tensor, rejected: Sequence[int]) -> Tensor:
    left = distribution.clone()
    left[list(rejected)] = 0
    return left / left.sum()


def nucleus(distribution: Tensor, top_p: float) -> Tensor:
    """The likeliest tokens that together reach `top_p`, one by one."""
    kept = torch.zeros_like(distribution)
    for token in distribution.argsort(descending=True).tolist():
        if kept.sum() >= top_p:
            break
        kept[token] = distribution[token]
    return kept / kept.sum()


def after_redraws(distribution: Tensor, refused: frozenset[int], top_p: float, rejected: frozenset[int]) -> Tensor:
    """Draw from the nucleus of what is left; a refused token is taken away, and the nucleus is found anew."""
    drawn = nucleus(without(distribution, list(rejected)), top_p)
    final = drawn.clone()
    for token in refused:
        final[token] = 0
        if drawn[token]:
            final += drawn[token] * after_redraws(distribution, refused, top_p, rejected | {token})
    return final


def first_tokens(model: LanguageModel, steers: Sequence[Steer], sampling: Sampling) -> Mapping[int, int]:
    texts = Engine(model, steers, sampling, batch_size=500).generate([PROMPT], samples=SAMPLES, seed=11)
    assert any(event.position == 0 and not event.let_pass for text in texts for event in text.events)
    return Counter(text.token_ids[0] for text in texts)


def assert_follows(counts: Mapping[int, int], wanted: Tensor) -> None:
    assert all(wanted[token] > 0 for token in counts)
    expected = wanted * sum(counts.values())
    common = [token for token in range(len(wanted)) if expected[token] >= LEAST_EXPECTED]
    observed_cells = [counts.get(token, 0) for token in common]
    expected_cells = [float(expected[token]) for token in common]
    if (rest := float(expected.sum()) - sum(expected_cells)) > LEAST_EXPECTED:
        observed_cells.append(sum(counts.values()) - sum(observed_cells))
        expected_cells.append(rest)
    scale = sum(observed_cells) / sum(expected_cells)
    assert len(expected_cells) > 3
    assert stats.chisquare(observed_cells, [cell * scale for cell in expected_cells]).pvalue > 0.001


@pytest.mark.parametrize("written", [1, 3])
def test_a_redraw_follows_the_model_without_the_rejected_tokens(tiny: LanguageModel, written: int) -> None:
    own = own_distribution(tiny)
    refused = own.topk(3).indices.tolist()
    counts = first_tokens(tiny, [refuse_first(refused, written)], Sampling(max_tokens=written))
    assert_follows(counts, without(own, refused))


def test_what_a_ban_leaves_follows_the_model_without_the_banned_letters(tiny: LanguageModel) -> None:
    own = own_distribution(tiny)
    letters = [str(tiny.tokenizer.convert_ids_to_tokens(token)) for token in own.argsort(descending=True).tolist()]
    banned = [letter for letter in letters if letter.isascii() and letter.isalpha()][:2]
    refused = [token for letter in banned for token in tiny.tokenizer(letter.lower() + letter.upper())["input_ids"]]
    ban = Ban(Slop([BanRule(text=letter) for letter in banned]))
    assert_follows(first_tokens(tiny, [ban], Sampling(max_tokens=1)), without(own, refused))


def test_the_nucleus_is_found_anew_after_every_rejection(tiny: LanguageModel) -> None:
    own = own_distribution(tiny)
    refused = own.topk(2).indices.tolist()
    counts = first_tokens(tiny, [refuse_first(refused)], Sampling(max_tokens=1, top_p=0.5))
    assert_follows(counts, after_redraws(own, frozenset(refused), 0.5, frozenset()))


def test_a_redraw_follows_the_temperature(tiny: LanguageModel) -> None:
    own = own_distribution(tiny)
    refused = own.topk(1).indices.tolist()
    counts = first_tokens(tiny, [refuse_first(refused)], Sampling(max_tokens=1, temperature=2.0))
    assert_follows(counts, without(own.sqrt(), refused))


def test_the_runner_up_follows_the_likeliest_at_temperature_0(tiny: LanguageModel) -> None:
    first, second, third = own_distribution(tiny).topk(3).indices.tolist()
    (text,) = Engine(tiny, [refuse_first([first, second])], Sampling(max_tokens=1, temperature=0)).generate([PROMPT])
    assert text.token_ids == (third,)
    assert [event.rejected for event in text.events] == [first, second]


def test_a_row_goes_back_further_where_hardly_anything_is_left(tiny: LanguageModel) -> None:
    # At position 1 the model is all but sure of one token, and that one is refused; so position 0 must change.
    own = own_distribution(tiny)
    likeliest, sure = int(own.argmax()), 40

    def certain(row: Row, logits: Tensor) -> Tensor:
        pushed = logits.clone()
        if row.tokens == [likeliest]:
            pushed[sure] = logits.logsumexp(-1) + 12
        return pushed

    refuse = Refuse(lambda row: [(1, "refused")] if row.tokens[:2] == [likeliest, sure] else [])
    texts = Engine(tiny, [Adjust("mix", certain), refuse], Sampling(max_tokens=2)).generate([PROMPT], samples=40)
    rewound = [event for text in texts for event in text.events]
    assert rewound
    assert {(event.position, event.rejected, event.let_pass) for event in rewound} == {(0, likeliest, False)}
    assert all(text.token_ids[0] != likeliest for text in texts)
