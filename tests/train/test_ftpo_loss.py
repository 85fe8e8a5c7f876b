import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import softplus

from planish.train.ftpo_loss import FtpoLoss, Points, ftpo_loss
from planish.train.ftpo_settings import FtpoSettings

POINTS, VOCABULARY, CHOSEN = 4, 12, 3
SETTINGS = FtpoSettings()
TETHERS = [term for term in FtpoLoss._fields if term != "preference"]


def some_points() -> Points:
    """One, two, three and one chosen tokens."""
    real = torch.arange(CHOSEN) < torch.tensor([1, 2, 3, 1])[:, None]
    rejected = torch.tensor([0, 5, 11, 3])
    chosen = torch.tensor([[1, 0, 0], [6, 7, 0], [8, 9, 10], [4, 0, 0]])
    return Points(rejected, torch.where(real, chosen, rejected[:, None]), real)


def some_logits(seed: int, spread: float = 3.0) -> Tensor:
    return spread * torch.randn(POINTS, VOCABULARY, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def constant_weights_preference(logits: Tensor, at: Tensor) -> Tensor:
    """The preference term with the weights that it has at `at`."""
    points, total = some_points(), torch.zeros((), dtype=torch.float64)
    for point in range(POINTS):
        rejected, chosen = points.rejected[point], points.chosen[point][points.is_chosen[point]]
        margins, frozen = (side[point, chosen] - side[point, rejected] for side in (logits, at))
        weights = ((SETTINGS.margin - frozen) / SETTINGS.margin).clamp(0, 1)
        total = total + (weights * softplus(SETTINGS.margin - margins)).mean()
    return total / POINTS


@pytest.mark.parametrize("term", FtpoLoss._fields)
@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_those_of_finite_differences(term: str, seed: int) -> None:
    logits, reference = some_logits(seed).requires_grad_(), some_logits(seed + 100)
    loss: Tensor = getattr(ftpo_loss(logits, reference, some_points(), SETTINGS), term)
    (gradient,) = torch.autograd.grad(loss, logits)
    at, step = logits.detach(), 1e-6

    def value(logits: Tensor) -> float:
        if term == "preference":
            return float(constant_weights_preference(logits, at))
        found: Tensor = getattr(ftpo_loss(logits, reference, some_points(), SETTINGS), term)
        return float(found)

    assert value(at) == pytest.approx(float(loss.detach()))
    assert gradient.any()
    for point in range(POINTS):
        for token in range(VOCABULARY):
            nudge = torch.zeros_like(at)
            nudge[point, token] = step
            slope = (value(at + nudge) - value(at - nudge)) / (2 * step)
            assert float(gradient[point, token]) == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_a_chosen_token_past_the_margin_pushes_nothing() -> None:
    points = some_points()
    logits = torch.zeros(POINTS, VOCABULARY, dtype=torch.float64)
    logits[1, points.chosen[1, 0]] = SETTINGS.margin + 0.1
    logits.requires_grad_()
    ftpo_loss(logits, logits.detach(), points, SETTINGS).preference.backward()
    assert logits.grad is not None
    past, before = points.chosen[1, :2]
    assert logits.grad[1, past] == 0
    assert logits.grad[1, before] < 0 < logits.grad[1, points.rejected[1]]
    logits.data[points.is_chosen.any(1).nonzero(), points.chosen] = SETTINGS.margin + 0.1
    logits.data.scatter_(1, points.rejected[:, None], 0.0)
    (gradient,) = torch.autograd.grad(ftpo_loss(logits, logits.detach(), points, SETTINGS).preference, logits)
    assert not gradient.any()


@given(st.integers(0, 99), st.floats(-50, 50))
def test_a_shift_of_all_logits_costs_nothing(seed: int, shift: float) -> None:
    logits = some_logits(seed)
    shifted = ftpo_loss(logits + shift, logits, some_points(), SETTINGS)
    assert all(float(getattr(shifted, term)) == pytest.approx(0, abs=1e-12) for term in TETHERS)
    assert float(shifted.preference) == pytest.approx(
        float(ftpo_loss(logits, logits, some_points(), SETTINGS).preference)
    )


@given(st.integers(0, 99), st.floats(0.5, 50))
def test_a_shift_is_charged_where_it_is_asked_for(seed: int, shift: float) -> None:
    logits, settings = some_logits(seed), FtpoSettings(charge_shift=True, targets_slack=0.1, each_slack=0.1)
    shifted = ftpo_loss(logits + shift, logits, some_points(), settings)
    assert float(shifted.tether) == pytest.approx(shift**2)
    assert float(shifted.tether_targets) == pytest.approx((shift - 0.1) ** 2)
    assert float(shifted.tether_each) == pytest.approx((shift - 0.1) ** 2)


@given(st.integers(0, 99))
def test_padding_of_the_chosen_changes_nothing(seed: int) -> None:
    logits, reference, points = some_logits(seed), some_logits(seed + 100), some_points()
    padded = Points(
        points.rejected,
        torch.cat([points.chosen, points.rejected[:, None].expand(-1, 5)], 1),
        torch.cat([points.is_chosen, torch.zeros(POINTS, 5, dtype=torch.bool)], 1),
    )
    for tight, loose in zip(
        ftpo_loss(logits, reference, points, SETTINGS), ftpo_loss(logits, reference, padded, SETTINGS), strict=True
    ):
        assert float(tight) == pytest.approx(float(loose))


@given(st.integers(0, 99))
def test_every_point_counts_the_same_however_many_tokens_it_chooses(seed: int) -> None:
    logits, reference, points = some_logits(seed), some_logits(seed + 100), some_points()
    alone = [
        ftpo_loss(logits[[point]], reference[[point]], Points(*(side[[point]] for side in points)), SETTINGS)
        for point in range(POINTS)
    ]
    for term, together in ftpo_loss(logits, reference, points, SETTINGS)._asdict().items():
        mean = sum(float(getattr(loss, term)) for loss in alone) / POINTS
        assert float(together) == pytest.approx(mean)


def test_drift_within_its_slack_is_free_and_past_it_is_not() -> None:
    points = some_points()
    targets = torch.cat([points.chosen, points.rejected[:, None]], 1)
    others = torch.ones(POINTS, VOCABULARY, dtype=torch.bool).scatter(1, targets, False)

    def losses(of_each: float) -> FtpoLoss:
        # All targets rise alike and the others fall by what keeps the mean at 0.
        drift = torch.where(others, -of_each * (~others).sum(1, keepdim=True) / others.sum(1, keepdim=True), of_each)
        return ftpo_loss(drift.double(), torch.zeros(POINTS, VOCABULARY).double(), points, SETTINGS)

    for term, slack in (("tether_targets", SETTINGS.targets_slack), ("tether_each", SETTINGS.each_slack)):
        assert float(getattr(losses(slack - 0.01), term)) == 0
        assert float(getattr(losses(slack + 0.5), term)) == pytest.approx(0.25)
