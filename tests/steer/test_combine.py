"""Each function against its formula, written out token by token in plain numbers."""

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from planish.steer.combine import (
    amplified,
    interpolated,
    log_ratio,
    nucleus,
    probability_difference,
    proxy_tuned,
    relative_plausible,
)

VOCABULARY = 12
logits_rows = arrays.arrays("float32", (2, VOCABULARY), elements=st.floats(-8, 8, width=32)).map(torch.from_numpy)
strengths = st.floats(0, 4)
EVERY_TOKEN = torch.ones(2, VOCABULARY, dtype=torch.bool)

Row = Sequence[float]


def probabilities(logits: Row) -> list[float]:
    weights = [math.exp(logit) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def log_probabilities(logits: Row) -> list[float]:
    return [math.log(probability) for probability in probabilities(logits)]


def by_rows(slow: Callable[..., Row], *models: Tensor) -> Tensor:
    """What a reference that knows one row says of many."""
    return torch.tensor([slow(*rows) for rows in zip(*(model.tolist() for model in models), strict=True)])


def same_distribution(scores: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(scores.double().softmax(-1), wanted.double().softmax(-1), atol=1e-5, rtol=0)


# --- which tokens are plausible


@given(logits_rows, st.floats(0.001, 1))
def test_plausible_is_a_share_of_the_likeliest(logits: Tensor, share: float) -> None:
    for row, mask in zip(logits.tolist(), relative_plausible(logits, share).tolist(), strict=True):
        own = probabilities(row)
        for probability, is_plausible in zip(own, mask, strict=True):
            if abs(probability - share * max(own)) > 1e-6 * max(own):
                assert is_plausible == (probability > share * max(own))


@given(logits_rows, st.floats(0.01, 0.99))
def test_a_nucleus_is_the_fewest_likeliest_tokens_that_reach_the_mass(logits: Tensor, mass: float) -> None:
    for row, mask in zip(logits.tolist(), nucleus(logits, mass).tolist(), strict=True):
        own = probabilities(row)
        inside = sorted(probability for probability, is_inside in zip(own, mask, strict=True) if is_inside)
        outside = [probability for probability, is_inside in zip(own, mask, strict=True) if not is_inside]
        assert sum(inside) >= mass - 1e-6
        assert sum(inside[1:]) < mass + 1e-6, "without the least likely one it would reach the mass as well"
        assert max(outside, default=0) <= inside[0] + 1e-6


# --- the combinations


@given(logits_rows, logits_rows, strengths, st.floats(0.01, 1), st.booleans())
def test_log_ratio(logits: Tensor, other: Tensor, strength: float, share: float, cut: bool) -> None:
    plausible = relative_plausible(logits, share)

    def slow(logits: Row, other: Row, plausible: Row) -> Row:
        scores = []
        for own, others, may_gain in zip(log_probabilities(logits), log_probabilities(other), plausible, strict=True):
            gain = strength * (own - others)
            scores.append(own + gain if may_gain else -math.inf if cut else own + min(gain, 0))
        return scores

    same_distribution(log_ratio(logits, other, strength, plausible, cut=cut), by_rows(slow, logits, other, plausible))


@given(logits_rows, logits_rows, strengths)
def test_amplified(logits: Tensor, before: Tensor, strength: float) -> None:
    def slow(after: Row, before: Row) -> Row:
        return [
            (1 + strength) * own - strength * others
            for own, others in zip(log_probabilities(after), log_probabilities(before), strict=True)
        ]

    same_distribution(amplified(logits, before, strength), by_rows(slow, logits, before))


@given(logits_rows, logits_rows, st.floats(0, 1))
def test_interpolated(logits: Tensor, other: Tensor, share: float) -> None:
    def slow(logits: Row, other: Row) -> Row:
        return [
            (1 - share) * own + share * others
            for own, others in zip(log_probabilities(logits), log_probabilities(other), strict=True)
        ]

    same_distribution(interpolated(logits, other, share), by_rows(slow, logits, other))


@given(logits_rows, logits_rows, logits_rows, strengths)
def test_proxy_tuned(logits: Tensor, tuned: Tensor, plain: Tensor, strength: float) -> None:
    def slow(*models: Row) -> Row:
        rows = zip(*map(log_probabilities, models), strict=True)
        return [own + strength * (small_tuned - small_plain) for own, small_tuned, small_plain in rows]

    same_distribution(proxy_tuned(logits, tuned, plain, strength), by_rows(slow, logits, tuned, plain))


def test_interpolation_goes_from_the_model_to_the_other_one() -> None:
    logits, other = torch.randn(2, 3, VOCABULARY, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(interpolated(logits, other, 1.0), other.log_softmax(-1))
    torch.testing.assert_close(interpolated(logits, other, 0.0), logits.log_softmax(-1))


# --- the difference of probabilities

FLOOR = 1e-7


def prototype(weight: float, other_weight: float, gate: float | None, mass: float | None) -> Callable[[Row, Row], Row]:
    """The prototypes' probabilities, before HF's sampling makes them sum to 1; with their floor under every token."""

    def slow(logits: Row, other: Row) -> Row:
        own, others = probabilities(logits), probabilities(other)
        difference = [weight * mine + other_weight * theirs for mine, theirs in zip(own, others, strict=True)]
        if gate is not None:
            product = sum(mine * theirs for mine, theirs in zip(own, others, strict=True))
            share = math.exp(gate * (product / math.hypot(*own) / math.hypot(*others) - 1))
            difference = [(1 - share) * each + share * mine for each, mine in zip(difference, own, strict=True)]
        difference = [max(each, 0) + FLOOR for each in difference]
        if mass is None:
            return difference
        in_order = sorted(range(len(own)), key=lambda token: -own[token])
        size = sum(sum(own[token] for token in in_order[: count + 1]) < mass for count in range(len(own))) + 1
        return [each if token in in_order[:size] else 0.0 for token, each in enumerate(difference)]

    return slow


@given(
    logits_rows,
    logits_rows,
    st.sampled_from([(1.0, -1.0), (-1.0, 1.0), (1.0, -0.5), (0.5, 0.5), (2.0, -1.5)]),
    st.none() | st.floats(0, 20),
    st.none() | st.floats(0.1, 0.95),
)
def test_away_from_the_floor_the_probability_difference_is_the_prototypes(
    logits: Tensor, other: Tensor, weights: tuple[float, float], gate: float | None, mass: float | None
) -> None:
    wanted = by_rows(prototype(*weights, gate, mass), logits.double(), other.double()).double()
    total = wanted.sum(-1, keepdim=True)
    # There, the floors of all tokens together are nothing beside the mass that is there.
    assume(float(total.min()) > 1e-2)
    kept = None if mass is None else nucleus(logits.double(), mass)
    result = probability_difference(logits.double(), other.double(), *weights, gate=gate, kept=kept)
    torch.testing.assert_close(result.softmax(-1), wanted / total, atol=3 * VOCABULARY * FLOOR / 1e-2, rtol=0)


def test_where_two_models_nearly_agree_nothing_comes_from_a_floor() -> None:
    # 2 tokens of 100,000 differ, by 1e-5: the prototypes' floor is a thousand times as much.
    own = torch.full((1, 100_000), 1e-5, dtype=torch.float64)
    others = own.clone()
    others[0, 7], others[0, 8] = 0.5e-5, 1.5e-5
    scores = probability_difference(own.log(), others.log())
    assert scores.softmax(-1)[0, 7] == 1


def test_rounding_is_no_difference() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20, 1000, generator=generator)
    noise = 1e-6 * torch.randn(20, 1000, generator=generator)
    torch.testing.assert_close(probability_difference(logits, logits + noise), logits.log_softmax(-1))


def test_where_nothing_gains_inside_the_nucleus_the_row_is_the_models_own_there() -> None:
    logits = torch.tensor([[3.0, 2.0, 0.0, 0.0]])
    other = torch.tensor([[3.5, 2.5, 0.0, 0.0]])
    kept = nucleus(logits, 0.9)
    assert kept.tolist() == [[True, True, False, False]]
    scores = probability_difference(logits, other, kept=kept)
    torch.testing.assert_close(scores.softmax(-1)[0, :2], logits[0, :2].softmax(-1))
    assert scores[0, 2:].tolist() == [-math.inf, -math.inf]


def test_a_gate_of_0_is_the_plain_model_and_a_high_one_is_no_gate() -> None:
    logits, other = 3 * torch.randn(2, 4, VOCABULARY, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(probability_difference(logits, other, gate=0.0), logits.log_softmax(-1))
    gated, free = (probability_difference(logits, other, gate=gate).softmax(-1) for gate in (1e6, None))
    torch.testing.assert_close(gated, free)


# --- what holds for all of them

# With strength 0, or what stands for it; and as a function of a strength between 0 and 1.
PLAIN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "log ratio": lambda own, other: log_ratio(own, other, 0.0, relative_plausible(own, 0.3)),
    "amplified": lambda own, other: amplified(own, other, 0.0),
    "interpolated": lambda own, other: interpolated(own, other, 0.0),
    "proxy tuned": lambda own, other: proxy_tuned(own, other, other.flip(-1), 0.0),
    "probability difference": lambda own, other: probability_difference(own, other, 1.0, 0.0),
}
STRONG: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "log ratio": lambda own, other, strength: log_ratio(own, other, strength, relative_plausible(own, 0.3)),
    "amplified": amplified,
    "interpolated": interpolated,
    "proxy tuned": lambda own, other, strength: proxy_tuned(own, other, other.flip(-1), strength),
    "probability difference": lambda own, other, strength: probability_difference(own, other, 1.0, -strength),
}
IDENTICAL: dict[str, Callable[[Tensor], Tensor]] = {
    "log ratio": lambda own: log_ratio(own, own, 1.5, relative_plausible(own, 0.3)),
    "amplified": lambda own: amplified(own, own, 1.5),
    "interpolated": lambda own: interpolated(own, own, 0.3),
    "proxy tuned": lambda own: proxy_tuned(own, own.flip(-1), own.flip(-1), 1.5),
    "probability difference": lambda own: probability_difference(own, own),
    "gated probability difference": lambda own: probability_difference(own, own, -1.0, 1.0, gate=3.0),
}


@pytest.mark.parametrize("name", PLAIN)
@given(logits=logits_rows, other=logits_rows)
def test_strength_0_is_exactly_the_plain_model(name: str, logits: Tensor, other: Tensor) -> None:
    own = logits.double().log_softmax(-1).float() if "difference" in name else logits.log_softmax(-1)
    assert torch.equal(PLAIN[name](logits, other), own)


@pytest.mark.parametrize("name", STRONG)
@given(logits=logits_rows, other=logits_rows)
def test_strength_towards_0_converges_to_the_plain_model(name: str, logits: Tensor, other: Tensor) -> None:
    own = logits.double().softmax(-1)
    for strength in (1e-3, 1e-5, 1e-7):
        distance = (STRONG[name](logits.double(), other.double(), strength).softmax(-1) - own).abs().sum(-1)
        # Log-ratios of two such rows are below 2 · 16 + ln 12; rounding decides about tokens whose weight is nothing.
        assert float(distance.max()) <= 2 * math.expm1(80 * strength) + 1e-9


@pytest.mark.parametrize("name", IDENTICAL)
@given(logits=logits_rows)
def test_identical_models_change_nothing(name: str, logits: Tensor) -> None:
    torch.testing.assert_close(IDENTICAL[name](logits).log_softmax(-1), logits.log_softmax(-1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", STRONG)
def test_what_an_earlier_steer_has_cut_off_stays_cut_off(name: str) -> None:
    logits, other = torch.randn(2, 3, VOCABULARY, generator=torch.Generator().manual_seed(0))
    logits[:, 5] = -torch.inf
    for strength in (0.0, 0.5):
        scores = STRONG[name](logits, other, strength)
        assert (scores[:, 5] == -torch.inf).all()
        assert not scores.isnan().any()


@pytest.mark.parametrize("name", STRONG)
def test_what_another_model_finds_impossible_makes_no_row_of_no_numbers(name: str) -> None:
    logits, other = torch.randn(2, 3, VOCABULARY, generator=torch.Generator().manual_seed(0))
    other[:, 5] = -torch.inf
    for strength in (0.0, 0.5):
        assert STRONG[name](logits, other, strength).softmax(-1).isfinite().all()


@pytest.mark.parametrize("name", STRONG)
def test_a_row_of_no_numbers_spoils_no_other_row(name: str) -> None:
    logits, other = torch.randn(2, 3, VOCABULARY, generator=torch.Generator().manual_seed(0))
    sound = STRONG[name](logits, other, 0.5)
    spoilt = STRONG[name](logits.index_fill(0, torch.tensor([1]), torch.nan), other, 0.5)
    assert torch.equal(spoilt[[0, 2]], sound[[0, 2]])
    assert not spoilt[1].isfinite().any()
