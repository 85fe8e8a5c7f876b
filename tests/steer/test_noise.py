import random

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from planish.steer.noise import gumbel

CPU = torch.device("cpu")
Key = tuple[object, ...]
keys = st.tuples(st.integers(0, 2**40), st.text(max_size=5), st.integers(0, 9), st.integers(0, 999), st.integers(0, 99))


@given(st.lists(keys, min_size=1, max_size=8, unique=True), st.randoms())
def test_a_key_has_the_same_noise_whatever_the_batch_and_its_order(batch: list[Key], shuffler: random.Random) -> None:
    alone = {key: gumbel([key], 50, CPU)[0] for key in batch}
    shuffler.shuffle(batch)
    for key, noise in zip(batch, gumbel(batch, 50, CPU), strict=True):
        assert torch.equal(noise, alone[key])


@given(st.lists(keys, min_size=2, max_size=8, unique=True))
def test_different_keys_have_different_noise(batch: list[Key]) -> None:
    noise = gumbel(batch, 50, CPU)
    assert len({tuple(row) for row in noise.tolist()}) == len(batch)


def test_noise_has_the_standard_gumbel_distribution() -> None:
    noise = gumbel([(0, "prompt", 0, position, 0) for position in range(200)], 500, CPU)
    assert stats.kstest(noise.flatten().numpy(), "gumbel_r").pvalue > 0.001


def test_draws_follow_the_distribution_that_they_are_drawn_from() -> None:
    wanted = torch.tensor([0.4, 0.3, 0.15, 0.1, 0.04, 0.01])
    noise = gumbel([(1, "prompt", sample, 7, 2) for sample in range(20_000)], len(wanted), CPU)
    counts = (wanted.log() + noise).argmax(-1).bincount(minlength=len(wanted))
    assert stats.chisquare(counts.numpy(), (wanted * 20_000).double().numpy()).pvalue > 0.001


def test_the_noise_of_neighbouring_keys_is_uncorrelated() -> None:
    def noise(sample: int = 0, position: int = 0, rewinds: int = 0, seed: int = 0) -> torch.Tensor:
        rows = [(seed, "prompt", sample, position, rewinds + 10 * row) for row in range(20)]
        return gumbel(rows, 20_000, CPU)

    neighbours = [noise(sample=1), noise(position=1), noise(rewinds=1), noise(seed=1), noise().roll(1, 1)]
    for neighbour in neighbours:
        assert stats.pearsonr(noise().flatten().numpy(), neighbour.flatten().numpy()).pvalue > 0.001


def test_draws_at_consecutive_positions_are_independent() -> None:
    positions = gumbel([(3, "prompt", 0, position, 0) for position in range(20_000)], 4, CPU).argmax(-1).numpy()
    pairs = np.zeros((4, 4))
    np.add.at(pairs, (positions[:-1], positions[1:]), 1)
    assert stats.chi2_contingency(pairs).pvalue > 0.001


def test_noise_is_finite_even_where_all_its_bits_are_set() -> None:
    # Found by search: the 23 highest bits of this number are ones. Noise of -inf there would let a token win that was
    # cut off, where the only one that is left has it.
    noise = gumbel([(6,)], 126_188, CPU)
    assert noise.max() > 16.6
    assert noise.isfinite().all()
