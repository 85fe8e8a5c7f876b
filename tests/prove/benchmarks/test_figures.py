import numpy as np
import pytest

from planish.errors import DataError
from planish.prove.benchmarks.figures import Scored, evidence, figure

HALF = Scored("half", "of rows", {str(row): (float(row % 2), 1.0) for row in range(400)})
NONE = Scored("half", "of rows", {str(row): (0.0, 1.0) for row in range(400)})


def test_a_number_is_what_was_right_out_of_all_and_its_interval_that_of_the_normal_law() -> None:
    found = figure(HALF, "rows", "judge")
    assert (found.value, found.n) == (0.5, 400)
    assert found.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.006)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.006)


def test_instructions_of_one_prompt_are_no_independent_ones() -> None:
    alone = Scored("alone", "of instructions", {str(row): (float(row % 2), 1.0) for row in range(300)})
    together = Scored("together", "of instructions", {str(row): (3.0 * (row % 2), 3.0) for row in range(100)})
    narrow, wide = (figure(each, "rows", "judge") for each in (alone, together))
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(np.sqrt(3), rel=0.1)


def test_two_models_are_compared_on_the_rows_that_both_have() -> None:
    more = Scored("half", "of rows", {**HALF.tallies, "another": (1.0, 1.0)})
    (line,) = evidence([NONE], [more], "rows", "judge")
    assert (line.before, line.after, line.n, line.verdict) == (0.0, 0.5, 400, "better")


def test_the_same_model_twice_differs_in_nothing() -> None:
    (line,) = evidence([HALF], [HALF], "rows", "judge")
    assert (line.difference, line.low, line.high) == (0, 0, 0)


def test_nothing_scored_is_no_number() -> None:
    with pytest.raises(DataError, match="no row was scored"):
        figure(Scored("half", "of rows", {}), "rows", "judge")
