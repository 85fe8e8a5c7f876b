import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.prove.plot import WIDTH, nice_ticks
from planish.prove.training_plot import MOST_PLACES, bar_heights, curve_of, drawable_gaps, gaps_svg, training_svg
from planish.records.training import PointGap, TrainingCheck, TrainingStep

SVG = "{http://www.w3.org/2000/svg}"
ANY_FLOATS = st.lists(st.floats(), max_size=30)
GAPS = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=30)


def steps(losses: Sequence[float]) -> list[TrainingStep]:
    return [
        TrainingStep(step=number, loss=loss, gradient_norm=1.0, learning_rate=1e-3)
        for number, loss in enumerate(losses, start=1)
    ]


def checks(figures: Sequence[tuple[float, float]]) -> list[TrainingCheck]:
    return [
        TrainingCheck(step=10 * number, win_rate=win_rate, drift=drift)
        for number, (win_rate, drift) in enumerate(figures, start=1)
    ]


def gaps(figures: Sequence[tuple[float, float]]) -> list[PointGap]:
    return [
        PointGap(generation_id="a", position=9, rejected=3, rule="rule", before=before, after=after)
        for before, after in figures
    ]


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own picture


def written(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter(f"{SVG}text")]


def corners(element: ElementTree.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in element.attrib["points"].split())]


def curves(svg: str) -> list[list[tuple[float, float]]]:
    return [corners(element) for element in parsed(svg).iter(f"{SVG}polyline")]


def places(svg: str) -> Iterator[tuple[float, float]]:
    """Every place that a picture names."""
    for element in parsed(svg).iter():
        for across, down in (("x", "y"), ("x1", "y1"), ("x2", "y2"), ("cx", "cy")):
            if across in element.attrib:
                yield float(element.attrib[across]), float(element.attrib[down])
        if "points" in element.attrib:
            yield from corners(element)


def assert_lies_within_its_frame(svg: str) -> None:
    height = float(parsed(svg).attrib["height"])
    assert all(0 <= x <= WIDTH and 0 <= y <= height for x, y in places(svg))


@given(ANY_FLOATS, st.lists(st.tuples(st.floats(), st.floats()), max_size=10))
def test_whatever_a_training_logs_is_drawn_within_the_frame(
    losses: list[float], figures: list[tuple[float, float]]
) -> None:
    assert_lies_within_its_frame(training_svg(steps(losses), checks(figures)))


@given(GAPS)
def test_whatever_gaps_there_are_is_drawn_within_the_frame(figures: list[tuple[float, float]]) -> None:
    assert_lies_within_its_frame(gaps_svg(gaps(figures)))


@given(st.lists(st.floats(-90, 90), min_size=1, max_size=1500))
def test_a_thinned_curve_leaves_nothing_out(values: list[float]) -> None:
    curve = curve_of(list(enumerate(values)))
    assert not curve.left_out
    assert len(curve.places) <= MOST_PLACES
    assert all(earlier.step < later.step for earlier, later in pairwise(curve.places))
    size = curve.steps_a_place
    for number, place in enumerate(curve.places):
        part = values[number * size : (number + 1) * size]
        assert (place.least, place.largest) == (min(part), max(part))
        assert place.value == pytest.approx(sum(part) / len(part), abs=1e-9)
    assert size * len(curve.places) >= len(values) > size * (len(curve.places) - 1)


def test_a_curve_goes_by_its_steps_in_whatever_order_they_come() -> None:
    assert curve_of([(2, 1.0), (1, 3.0)]).places == curve_of([(1, 3.0), (2, 1.0)]).places


@given(
    st.lists(st.floats(0.1, 3), min_size=9, max_size=20), st.sampled_from([math.nan, math.inf, -math.inf, 1e12, -1e5])
)
def test_what_cannot_be_drawn_is_said_and_flattens_nothing(losses: list[float], odd: float) -> None:
    at = len(losses) // 2
    curve = curve_of(list(enumerate([*losses[:at], odd, *losses[at:]])))
    assert curve.left_out == [at]
    assert [place.value for place in curve.places] == losses
    svg = training_svg(steps([*losses[:at], odd, *losses[at:]]), [])
    assert any(f"1 value is not drawn, at step {at + 1}" in text for text in written(svg))
    assert len(curves(svg)[0]) == len(losses)


def test_where_no_loss_is_a_number_the_picture_says_so() -> None:
    svg = training_svg(steps([math.nan] * 3), [])
    assert any("3 values are not drawn, from step 1 on" in text for text in written(svg))
    assert curves(svg) == [[]]


@pytest.mark.parametrize(("count", "drawn"), [(1, 1), (10, 10), (300, 300), (100_000, 300)])
def test_a_curve_of_any_length_is_drawn(count: int, drawn: int) -> None:
    svg = training_svg(steps([2.0 - number / count for number in range(count)]), [])
    (curve,) = curves(svg)
    assert drawn * 0.9 <= len(curve) <= drawn
    assert all(x < later_x and y <= later_y for (x, y), (later_x, later_y) in pairwise(curve)), "the loss falls"
    bands = [element for element in parsed(svg).iter(f"{SVG}polygon") if element.attrib["class"] == "band"]
    assert len(bands) == (count > drawn)
    assert len(list(parsed(svg).iter(f"{SVG}circle"))) == (count if count <= 10 else 0)
    assert len(svg) < 50_000


def test_a_band_holds_its_curve() -> None:
    svg = training_svg(steps([1.0 + number % 7 for number in range(3000)]), [])
    (curve,) = curves(svg)
    (band,) = (element for element in parsed(svg).iter(f"{SVG}polygon"))
    edge = corners(band)
    upper, lower = edge[: len(curve)], edge[len(curve) :][::-1]
    for (x, y), (x_up, y_up), (x_low, y_low) in zip(curve, upper, lower, strict=True):
        assert x == x_up == x_low
        assert y_up <= y <= y_low


def test_held_out_points_stand_below_the_loss_on_the_same_steps() -> None:
    svg = training_svg(steps([2.0] * 20), checks([(0.2, 0.01), (0.9, 0.03)]))
    loss, wins, drift = curves(svg)
    assert max(y for _, y in loss) < min(y for _, y in wins)
    assert max(y for _, y in wins) < min(y for _, y in drift)
    assert [x for x, _ in wins] == [x for x, _ in drift] == [loss[9][0], loss[19][0]]
    assert wins[0][1] > wins[1][1], "more is won further up"
    assert {"0%", "100%", "optimiser step"} <= set(written(svg))
    assert len(curves(training_svg([], checks([(0.2, 0.01)])))) == 2
    assert len(curves(training_svg(steps([2.0]), []))) == 1


def test_a_drift_of_nothing_has_no_axis_below_it() -> None:
    assert not any(text.startswith("-") for text in written(training_svg([], checks([(0.5, -1e-9)]))))


@given(st.lists(st.floats(-80, 80), max_size=50), st.floats(1, 60), st.integers(2, 30))
def test_every_value_is_in_one_bar_and_none_of_those_right_of_0_is_below_it(
    values: list[float], width: float, bars: int
) -> None:
    edges = nice_ticks(-width, width, bars)
    heights = bar_heights(values, edges)
    assert sum(heights) == len(values)
    assert sum(heights[edges.index(0) :]) == sum(value > 0 for value in values)


@given(GAPS.filter(bool))
def test_bars_right_of_0_are_there_where_points_are_above_0(figures: list[tuple[float, float]]) -> None:
    svg = gaps_svg(gaps(figures))
    zero = max(
        float(line.attrib["x1"]) for line in parsed(svg).iter(f"{SVG}line") if line.attrib["x1"] == line.attrib["x2"]
    )
    for kind, values in (("before", [side[0] for side in figures]), ("mark better", [side[1] for side in figures])):
        bars = [corners(bar) for bar in parsed(svg).iter(f"{SVG}polygon") if bar.attrib["class"] == kind]
        assert any(min(x for x, _ in bar) > zero for bar in bars) == any(value > 0 for value in values)
        assert any(max(x for x, _ in bar) < zero for bar in bars) == any(value <= 0 for value in values)


def test_the_picture_of_gaps_counts_points_before_and_after() -> None:
    said = written(gaps_svg(gaps([(-2.0, 3.0), (-1.0, -1.0), (1.0, 4.0), (-2.0, 0.0)])))
    assert "before: 1 of 4 points above 0, the mean gap -1" in said
    assert "after: 2 of 4 points above 0, the mean gap +1.5" in said


@given(st.lists(st.tuples(st.floats(), st.floats())))
def test_gaps_that_are_drawn_are_numbers_on_both_sides(figures: list[tuple[float, float]]) -> None:
    drawn = drawable_gaps(gaps(figures))
    assert all(math.isfinite(gap.before) and math.isfinite(gap.after) for gap in drawn)
    usual = sum(abs(before) < 1e5 and abs(after) < 1e5 for before, after in figures)
    assert usual <= len(drawn) <= sum(math.isfinite(before) and math.isfinite(after) for before, after in figures)


@pytest.mark.parametrize("svg", [training_svg(steps([1.0]), checks([(0.5, 0.1)])), gaps_svg(gaps([(1.0, 2.0)]))])
def test_a_picture_says_in_words_what_it_shows(svg: str) -> None:
    root = parsed(svg)
    said = {element.attrib["id"]: element.text for element in root if "id" in element.attrib}
    assert all(said[name] for name in root.attrib["aria-labelledby"].split())
