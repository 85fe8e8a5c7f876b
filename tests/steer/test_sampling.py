import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from planish.errors import UsageError
from planish.steer.sampling import Sampling

# Distinct logits, so that no tie has to be broken.
logit_rows = st.lists(st.integers(-800, 800), min_size=2, max_size=20, unique=True).map(
    lambda row: torch.tensor([row]) / 100
)
settings_of = st.builds(
    Sampling,
    temperature=st.sampled_from([1.0, 0.5, 2.0]),
    top_k=st.none() | st.integers(1, 25),
    top_p=st.sampled_from([1.0, 0.95, 0.6, 0.1]),
    min_p=st.sampled_from([0.0, 0.05, 0.4]),
)


def slowly(sampling: Sampling, logits: Tensor) -> set[int]:
    """Which tokens are left, one setting after the other, each on what the one before it left."""
    scaled = logits[0].double() / sampling.temperature
    left = scaled.argsort(descending=True).tolist()[: sampling.top_k]
    if sampling.top_p < 1:
        probabilities = dict(zip(left, scaled[left].softmax(-1).tolist(), strict=True))
        reached, nucleus = 0.0, []
        for token in left:
            if reached < sampling.top_p - 1e-6:
                nucleus.append(token)
            reached += probabilities[token]
        left = nucleus
    if sampling.min_p:
        best = float(scaled[left[0]])
        left = [token for token in left if float((scaled[token] - best).exp()) >= sampling.min_p]
    return set(left)


@given(settings_of, logit_rows)
def test_what_is_left_is_what_each_setting_in_turn_leaves(sampling: Sampling, logits: Tensor) -> None:
    truncated = sampling.truncate(logits)
    left = set(truncated[0].isfinite().nonzero()[:, 0].tolist())
    assert left == slowly(sampling, logits)
    kept = sorted(left)
    torch.testing.assert_close(truncated[0, kept], logits[0, kept] / sampling.temperature)


def test_without_settings_nothing_is_cut_off() -> None:
    logits = torch.tensor([[3.0, -20.0, 0.0]])
    assert torch.equal(Sampling().truncate(logits), logits)


@pytest.mark.parametrize("wrong", [{"top_p": 0}, {"top_k": 0}, {"max_tokens": 0}, {"temperature": -1}, {"min_p": 1}])
def test_a_setting_out_of_range_is_refused_by_its_name(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Sampling.from_user(wrong)
