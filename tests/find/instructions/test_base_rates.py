"""How often texts follow an instruction that nobody gave; run with `-s` to see the rates."""

import random
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from planish.find.instructions import KINDS, Constraint

DATA = Path(__file__).parents[4] / "shared" / "data"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DATA.is_dir(), reason="the real texts are not here")]
# Of each kind of text.
TEXTS = 400


def asked_and_written() -> Iterator[tuple[str, str]]:
    """What was asked for, and what was written."""
    for name, asked, written in (("model_outputs", "instruction", "output"), ("llm_stories", "prompt", "text")):
        table = pl.read_parquet(DATA / f"{name}.parquet", columns=[asked, written])
        yield from table.sample(TEXTS, seed=0).iter_rows()


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    return [(asked, written) for asked, written in asked_and_written() if written]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_most_texts_do_not_follow_an_instruction_by_chance(
    kind: type[Constraint], pairs: list[tuple[str, str]]
) -> None:
    draws = random.Random(0)
    drawn = [(kind.draw(draws, asked), written) for asked, written in pairs]
    held = [constraint.holds(written) for constraint, written in drawn if constraint]
    rate = sum(held) / len(held)
    print(f"{kind.name}: {rate:.3f} of {len(held)}")
    assert rate < 0.85
