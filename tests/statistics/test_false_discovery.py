import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from planish.statistics.false_discovery import false_discovery_rates

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(P_VALUES)
def test_it_is_benjamini_and_hochberg(p_values: list[float]) -> None:
    np.testing.assert_allclose(false_discovery_rates(p_values), stats.false_discovery_control(p_values), rtol=1e-12)


def test_no_test_has_no_rate() -> None:
    assert false_discovery_rates([]).shape == (0,)


def test_of_what_is_discovered_at_5_percent_at_most_5_percent_is_false() -> None:
    draws = np.random.default_rng(0)
    false_shares = []
    for _ in range(300):
        p_values = np.concatenate([draws.random(80), stats.norm.sf(draws.normal(3, 1, 20))])
        discovered = false_discovery_rates(p_values) <= 0.05
        false_shares.append(discovered[:80].sum() / max(1, discovered.sum()))
    assert 0.02 < np.mean(false_shares) < 0.055
