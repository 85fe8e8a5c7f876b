from collections.abc import Callable

import numpy as np
import pytest
import torch
from custom_steers import Script
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import optimize
from torch import Tensor

from planish.models.language_model import LanguageModel
from planish.records.generation import Event, Generation
from planish.records.prompt import opening
from planish.steer.cap import DEAD_END, Cap, Value, capped, tightest
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.steer.steer import MODEL, Step

PROMPT = opening("Hello")
CASES = 10_000
VOCABULARY = 40


def by_bisection(probabilities: Tensor, caps: Tensor) -> Tensor:
    """min(λ·π, cap) with λ found by halving, row by row together, in double precision: the slow reference."""
    wanted = probabilities.double()
    caps = torch.where(wanted > 0, caps.double(), 0.0)
    low, high = torch.zeros(len(wanted), 1).double(), torch.full((len(wanted), 1), 1e12).double()
    for _ in range(150):
        middle = (low + high) / 2
        too_little = torch.minimum(middle * wanted, caps).sum(-1, keepdim=True) < 1
        low, high = torch.where(too_little, middle, low), torch.where(too_little, high, middle)
    return torch.minimum(high * wanted, caps)


def by_sorting(probabilities: Tensor, caps: Tensor) -> Tensor:
    """The same, exactly: while λ grows, tokens reach their caps in the order of cap / π."""
    support = probabilities > 0
    wanted, caps = probabilities.double(), torch.where(support, caps, 0.0).double()
    order = torch.where(support, caps / wanted, torch.inf).argsort(-1)
    caps_in_order, wanted_in_order = caps.gather(-1, order), wanted.gather(-1, order)
    left = 1 - (caps_in_order.cumsum(-1) - caps_in_order)
    scales = left / wanted_in_order.flip(-1).cumsum(-1).flip(-1)
    fits = (wanted_in_order > 0) & (scales * wanted_in_order <= caps_in_order)
    scale = torch.where(fits, scales, -torch.inf).amax(-1, keepdim=True)
    scale = torch.where(fits.any(-1, keepdim=True), scale, torch.inf)
    return torch.where(support, torch.minimum(scale * wanted, caps), 0.0)


@pytest.fixture(scope="module")
def cases() -> tuple[Tensor, Tensor]:
    """Distributions as the user's own settings leave them, and caps of every kind."""
    generator = torch.Generator().manual_seed(0)
    settings = [
        Sampling(top_p=top_p, top_k=top_k, min_p=min_p, temperature=temperature)
        for top_p in (1.0, 0.9, 0.5)
        for top_k in (None, 7)
        for min_p in (0.0, 0.1)
        for temperature in (1.0, 0.7, 1.5)
    ]
    rows = CASES // len(settings) + 1
    spread = torch.rand(CASES + rows, 1, generator=generator) * 6
    logits = torch.randn(CASES + rows, VOCABULARY, generator=generator) * spread
    cut = [sampling.truncate(logits[number * rows : (number + 1) * rows]) for number, sampling in enumerate(settings)]
    probabilities = torch.cat(cut)[:CASES].softmax(-1)
    tightness = 10 ** (torch.rand(CASES, 1, generator=generator) * 3 - 2)
    caps = torch.rand(CASES, VOCABULARY, generator=generator) ** tightness
    kind = torch.rand(CASES, VOCABULARY, generator=generator)
    return probabilities, caps.masked_fill(kind < 0.1, 0.0).masked_fill(kind > 0.95, 1.0)


def test_every_cap_is_kept_on_the_support_and_each_row_sums_to_1(cases: tuple[Tensor, Tensor]) -> None:
    probabilities, caps = cases
    projected, feasible = capped(probabilities, caps)
    assert 0.2 < feasible.double().mean() < 0.98
    assert float((projected - caps)[feasible].max()) <= 1e-6
    assert float((projected.double().sum(-1) - 1).abs().max()) <= 1e-6
    assert not projected[probabilities == 0].any()
    assert (projected >= 0).all()


def test_there_is_no_projection_exactly_where_the_caps_that_are_left_sum_to_less_than_1(
    cases: tuple[Tensor, Tensor],
) -> None:
    probabilities, caps = cases
    on_support = torch.where(probabilities > 0, caps, 0.0).double().sum(-1)
    feasible = capped(probabilities, caps)[1]
    assert torch.equal(feasible, on_support >= 1)
    assert ((caps.sum(-1) >= 1) & ~feasible).any()


def test_the_projection_is_the_one_that_slow_references_find(cases: tuple[Tensor, Tensor]) -> None:
    probabilities, caps = cases
    projected, feasible = capped(probabilities, caps)
    for slow in (by_bisection, by_sorting):
        wanted = slow(probabilities[feasible], caps[feasible])
        torch.testing.assert_close(projected[feasible].double(), wanted, atol=1e-6, rtol=1e-5)


def test_where_there_is_none_everything_is_on_the_least_risk_that_is_left(cases: tuple[Tensor, Tensor]) -> None:
    probabilities, caps = cases
    projected, feasible = capped(probabilities, caps)
    safest = torch.where(probabilities > 0, caps, -1.0).amax(-1)
    chosen = projected.argmax(-1, keepdim=True)
    assert (caps.gather(-1, chosen)[:, 0] >= safest - 1e-6)[~feasible].all()
    assert (projected.gather(-1, chosen)[~feasible] == 1).all()


def test_nothing_that_was_cut_off_comes_back_even_where_every_cap_is_0() -> None:
    projected, feasible = capped(torch.tensor([[0.0, 0.0, 0.3, 0.7]]), torch.zeros(1, 4))
    assert not feasible.any()
    assert projected[0, :2].tolist() == [0, 0]


def test_no_other_policy_within_the_caps_is_nearer_to_the_model() -> None:
    draws = np.random.default_rng(0)
    for _ in range(15):
        own = draws.dirichlet(np.ones(5))
        caps = np.minimum(draws.random(5) + 0.1, 1)
        if caps.sum() <= 1.05:
            continue
        found = optimize.minimize(
            lambda policy, own=own: float((policy * np.log(np.maximum(policy, 1e-12) / own)).sum()),
            caps / caps.sum(),
            bounds=[(0, cap) for cap in caps],
            constraints={"type": "eq", "fun": lambda policy: policy.sum() - 1},
            options={"ftol": 1e-12, "maxiter": 500},
        )
        projected = capped(torch.tensor(own)[None], torch.tensor(caps)[None])[0][0]
        np.testing.assert_allclose(projected.numpy(), found.x, atol=1e-4)


def test_caps_of_1_change_nothing(cases: tuple[Tensor, Tensor]) -> None:
    probabilities = cases[0]
    projected, feasible = capped(probabilities, torch.ones_like(probabilities))
    assert feasible.all()
    torch.testing.assert_close(projected, probabilities, atol=1e-6, rtol=1e-5)


def test_a_row_is_projected_as_if_it_stood_alone(cases: tuple[Tensor, Tensor]) -> None:
    probabilities, caps = (each[:200] for each in cases)
    together = capped(probabilities, caps)[0]
    alone = [capped(row[None], cap[None])[0] for row, cap in zip(probabilities, caps, strict=True)]
    assert torch.equal(together, torch.cat(alone))


def test_where_no_cap_binds_the_row_stays_as_it_is(cases: tuple[Tensor, Tensor]) -> None:
    probabilities, caps = cases
    loose = torch.where(torch.arange(CASES)[:, None] % 2 == 0, probabilities, caps)
    assert torch.equal(capped(probabilities, loose)[0][::2], probabilities[::2])


@given(
    arrays.arrays("float32", (3, 20), elements=st.floats(-80, 5, width=32)).map(torch.from_numpy),
    arrays.arrays("float32", (3, 20), elements=st.floats(0, 1, width=32)).map(torch.from_numpy),
    st.floats(0.1, 1),
)
def test_even_among_extremes_caps_are_kept_and_rows_sum_to_1(logits: Tensor, caps: Tensor, top_p: float) -> None:
    probabilities = Sampling(top_p=top_p).truncate(logits).softmax(-1)
    projected, feasible = capped(probabilities, caps)
    on_support = torch.where(probabilities > 0, caps, 0.0).double().sum(-1)
    assert not feasible[on_support < 1 - 1e-6].any()
    assert feasible[on_support > 1 + 1e-6].all()
    assert float((projected.double().sum(-1) - 1).abs().max()) <= 2e-6
    assert float(torch.where(feasible[:, None], projected - caps, 0.0).max()) <= 1e-6


def test_a_value_that_is_no_number_makes_a_row_of_no_numbers_and_spoils_no_other(cases: tuple[Tensor, Tensor]) -> None:
    probabilities, caps = (each[:50] for each in cases)
    spoilt = caps.clone()
    spoilt[7] = torch.nan
    result, feasible = capped(probabilities, spoilt)
    assert result[7].isnan().any()
    assert feasible[7]
    others = torch.arange(50) != 7
    assert torch.equal(result[others], capped(probabilities[others], caps[others])[0])


def test_caps_that_sum_to_exactly_1_are_just_enough() -> None:
    projected, feasible = capped(torch.tensor([[0.7, 0.1, 0.1, 0.1]]), torch.full((1, 4), 0.25))
    assert feasible.all()
    torch.testing.assert_close(projected, torch.full((1, 4), 0.25))


# --- one step


def step_of(logits: Tensor, hidden: Tensor) -> Step:
    return Step(rows=[], logits={MODEL: logits}, hidden=hidden)


def test_where_few_of_many_tokens_are_left_only_those_are_asked_for_and_nothing_else_changes() -> None:
    draws = torch.Generator().manual_seed(0)
    hidden, to_risk = torch.randn(6, 8, generator=draws), torch.randn(8, 1500, generator=draws)
    logits = Sampling(top_k=25, top_p=0.9).truncate(3 * torch.randn(6, 1500, generator=draws))
    left = logits != -torch.inf
    asked: list[Tensor] = []
    value = value_of(lambda hidden: 0.85 * torch.sigmoid(hidden @ to_risk))

    def spy(hidden: Tensor, tokens: Tensor | None = None, /) -> Tensor:
        assert tokens is not None
        asked.append(tokens)
        return value(hidden, tokens)

    result = Cap(spy, 0.1).adjust(step_of(logits, hidden)).logits
    (tokens,) = asked
    assert tokens.shape == (6, int(left.sum(-1).max()))
    assert left.sum(-1).unique().numel() > 1, "rows of one width would test nothing"
    assert all(set(mask.nonzero()[:, 0].tolist()) <= set(row) for mask, row in zip(left, tokens.tolist(), strict=True))
    caps = (1 + value(hidden) - 0.1).clamp(0, 1)
    torch.testing.assert_close(result.softmax(-1), capped(logits.softmax(-1), caps)[0])
    assert float((logits.softmax(-1) - caps).max()) > 0.01, "no cap binds: that would test nothing"


def test_where_many_tokens_are_left_all_are_asked_for_at_once() -> None:
    logits = torch.zeros(2, 40)
    logits[0, 3:] = -torch.inf
    asked: list[Tensor | None] = []

    def spy(hidden: Tensor, tokens: Tensor | None = None, /) -> Tensor:
        asked.append(tokens)
        return torch.zeros(2, 40)

    Cap(spy, 0.1).adjust(step_of(logits, torch.zeros(2, 8)))
    assert asked == [None]


@pytest.mark.parametrize("few", [True, False])
def test_two_caps_are_kept_as_one(few: bool) -> None:
    draws = torch.Generator().manual_seed(0)
    hidden = torch.randn(20, 8, generator=draws)
    to_risk, to_other_risk = torch.randn(2, 8, 100, generator=draws)
    logits = torch.randn(20, 100, generator=draws)
    logits = Sampling(top_k=10).truncate(logits) if few else logits
    one = Cap(value_of(lambda hidden: 0.6 * torch.sigmoid(hidden @ to_risk)), 0.3)
    other = Cap(value_of(lambda hidden: 0.8 * torch.sigmoid(hidden @ to_other_risk)), 0.1)
    adjustment = tightest([one, other]).adjust(Step([], {MODEL: logits}, hidden))
    assert not adjustment.rewinds
    for cap in (one, other):
        caps = 1 + cap.value(hidden) - cap.epsilon
        assert float((adjustment.logits.softmax(-1) - caps).max()) <= 1e-6
    caps = torch.minimum(*((1 + cap.value(hidden) - cap.epsilon).clamp(0, 1) for cap in (one, other)))
    torch.testing.assert_close(adjustment.logits.softmax(-1), capped(logits.softmax(-1), caps)[0])


# --- through the engine


@torch.no_grad()
def state_after(model: LanguageModel, tokens: list[int]) -> Tensor:
    states: Tensor = model.decoder(input_ids=torch.tensor([[*model.encode(PROMPT), *tokens]])).last_hidden_state
    return states[0, -1]


@torch.no_grad()
def own_distribution(model: LanguageModel) -> Tensor:
    return model.head(state_after(model, [])).double().softmax(-1)


def value_of(risks: Callable[[Tensor], Tensor]) -> Value:
    """Q from the risk of every token, (B, D) to (B, V)."""

    def value(hidden: Tensor, tokens: Tensor | None = None, /) -> Tensor:
        return -(risks(hidden) if tokens is None else risks(hidden).gather(1, tokens))

    return value


def constant(risk: float, vocabulary: int) -> Value:
    return value_of(lambda hidden: torch.full((len(hidden), vocabulary), risk))


def bad_after(model: LanguageModel, tokens: list[int], risks: Tensor) -> Cap:
    """A cap with no risk anywhere but after these tokens; there it has these risks (V,)."""
    state = state_after(model, tokens)

    def risk_here(hidden: Tensor) -> Tensor:
        here = (hidden - state).norm(dim=-1, keepdim=True) < 1e-3
        return torch.where(here, risks, 0.0)

    return Cap(value_of(risk_here), 0.0)


def events_of(text: Generation) -> list[Event]:
    return list(text.events)


def test_a_dead_end_goes_back_and_is_counted(tiny: LanguageModel) -> None:
    trap = int(own_distribution(tiny).argmax())
    cap = bad_after(tiny, [trap], torch.ones(tiny.vocabulary))
    texts = Engine(tiny, [cap], Sampling(max_tokens=4)).generate([PROMPT], samples=60)
    assert all(text.token_ids[0] != trap for text in texts)
    trapped = [text for text in texts if text.events]
    assert trapped
    for text in trapped:
        assert [(e.rule, e.position, e.rejected, e.let_pass) for e in events_of(text)] == [(DEAD_END, 0, trap, False)]
    plain = Engine(tiny, sampling=Sampling(max_tokens=4)).generate([PROMPT], samples=60)
    assert [text.token_ids[0] == trap for text in plain] == [bool(text.events) for text in texts]


def test_a_dead_end_at_the_beginning_takes_the_least_risk_and_is_let_pass(tiny: LanguageModel) -> None:
    risks = torch.full((tiny.vocabulary,), 1.0)
    risks[50] = 0.5
    texts = Engine(tiny, [bad_after(tiny, [], risks)], Sampling(max_tokens=4)).generate([PROMPT], samples=10)
    for text in texts:
        assert text.token_ids[0] == 50
        assert [(event.rule, event.position, event.let_pass) for event in text.events] == [(DEAD_END, 0, True)]


def test_a_dead_end_counts_only_what_the_users_settings_left(tiny: LanguageModel) -> None:
    # Over the whole vocabulary these caps sum to far more than 1, on the two likeliest tokens to less.
    cap = bad_after(tiny, [], torch.full((tiny.vocabulary,), 0.6))
    (free,) = Engine(tiny, [cap], Sampling(max_tokens=2)).generate([PROMPT])
    (cut,) = Engine(tiny, [cap], Sampling(max_tokens=2, top_k=2)).generate([PROMPT])
    assert not free.events
    assert [(event.rule, event.let_pass) for event in cut.events] == [(DEAD_END, True)]


def test_tokens_are_drawn_from_the_projection(tiny: LanguageModel) -> None:
    own = own_distribution(tiny)
    risks = torch.full((tiny.vocabulary,), 0.95)
    counts = torch.zeros(tiny.vocabulary)
    engine = Engine(tiny, [bad_after(tiny, [], risks)], Sampling(max_tokens=1), batch_size=500)
    for text in engine.generate([PROMPT], samples=3000):
        counts[text.token_ids[0]] += 1
    wanted = by_bisection(own[None], (1 - risks)[None])[0]
    assert float((own - wanted).max()) > 0.1
    spread = (wanted * (1 - wanted) / 3000).sqrt()
    assert ((counts / 3000 - wanted).abs() <= 4.5 * spread + 1e-3).all()


def test_epsilon_is_taken_off_every_cap(tiny: LanguageModel) -> None:
    sure = Script([50], push=12.0)
    cap = Cap(constant(0.0, tiny.vocabulary), 0.3)
    texts = Engine(tiny, [sure, cap], Sampling(max_tokens=1), 500).generate([PROMPT], samples=1000)
    share = sum(text.token_ids == (50,) for text in texts) / 1000
    assert share == pytest.approx(0.7, abs=4.5 * (0.7 * 0.3 / 1000) ** 0.5)


def test_a_cap_without_risk_changes_nothing(tiny: LanguageModel) -> None:
    harmless = Cap(constant(0.0, tiny.vocabulary), 0.0)
    sampling = Sampling(max_tokens=20, top_p=0.9)
    capped_texts = Engine(tiny, [harmless], sampling).generate([PROMPT], samples=5)
    assert capped_texts == Engine(tiny, sampling=sampling).generate([PROMPT], samples=5)


def test_a_head_that_sees_nothing_but_risk_comes_to_an_end(tiny: LanguageModel) -> None:
    hopeless = Cap(constant(1.0, tiny.vocabulary), 0.0)
    for text in Engine(tiny, [hopeless], Sampling(max_tokens=5)).generate([PROMPT], samples=3):
        assert text.status == "ok"
        assert {event.rule for event in text.events} == {DEAD_END}
        # Every token that stands was one that should not.
        assert {event.position for event in text.events if event.let_pass and not event.path} == set(
            range(len(text.token_ids))
        )
