"""Pictures of a training as SVG text: its loss, what held-out points said on the way, and how far points moved."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from planish.prove.plot import LEFT, RIGHT, WIDTH, Picture, Scale, nice_ticks
from planish.prove.wording import number

if TYPE_CHECKING:  # A page is written without what trains.
    from planish.records.training import PointGap, TrainingCheck, TrainingStep

# A longer curve is thinned out to at most so many places.
MOST_PLACES = 300
# Where there are at most so many, each has a mark.
MOST_MARKS = 40
# A value is not drawn that is so many times the middle one (or 1, where that is less), nor one beyond `MOST_VALUE`.
TIMES_MIDDLE = 100.0
MOST_VALUE = 1e6
# An axis is at least so high, so that a curve at 0 lies on its floor.
LEAST_HEIGHT = 0.001
# A gap of more logits than this stands in the outermost bar.
FARTHEST_GAP = 50.0
BARS = 30


class Place(NamedTuple):
    """A stretch of a curve: the mean of its steps and of its values, and the least and the largest of these."""

    step: float
    value: float
    least: float
    largest: float


class Curve(NamedTuple):
    """What is drawn of a series.

    Each place stands for `steps_a_place` values, the last perhaps for fewer. What is not a number, or beyond `limit`,
    is left out.
    """

    places: Sequence[Place]
    steps_a_place: int
    left_out: Sequence[int]
    limit: float


class _Panel(NamedTuple):
    name: str
    height: int
    values: Sequence[tuple[int, float]]
    written: Callable[[float], str]
    top: float = LEAST_HEIGHT


def curve_of(values: Sequence[tuple[int, float]]) -> Curve:
    """A series of steps and values, thinned out to what can be seen."""
    finite = [abs(value) for _, value in values if math.isfinite(value)]
    limit = min(MOST_VALUE, TIMES_MIDDLE * max(1.0, median(finite))) if finite else MOST_VALUE
    drawn = sorted((step, value) for step, value in values if abs(value) <= limit)
    left_out = sorted(step for step, value in values if not abs(value) <= limit)
    size = max(1, math.ceil(len(drawn) / MOST_PLACES))
    parts = [drawn[start : start + size] for start in range(0, len(drawn), size)]
    return Curve([_place(part) for part in parts], size, left_out, limit)


def training_svg(steps: Sequence["TrainingStep"], checks: Sequence["TrainingCheck"]) -> str:
    """The loss by optimiser step and, below it, what held-out points said."""
    panels = [
        _Panel("loss", 200, [(step.step, step.loss) for step in steps], number),
        _Panel(
            "held-out points: chosen tokens likelier than the rejected one",
            90,
            [(check.step, check.win_rate) for check in checks],
            "{:.0%}".format,
            top=1.0,
        ),
        _Panel("held-out points: drift, nats a token", 90, [(check.step, check.drift) for check in checks], number),
    ]
    panels = [panel for panel in panels if panel.values]
    last = max((step for panel in panels for step, _ in panel.values), default=0)
    height = 50 + sum(panel.height + 56 for panel in panels)
    picture = Picture("training", height, "The course of the training", "; ".join(map(_said, panels)))
    x = Scale(0, last, LEFT, RIGHT)
    top = 0
    for panel in panels:
        _draw(picture, panel, x, top)
        top += panel.height + 56
    for tick in nice_ticks(0, last):
        if 0 <= tick <= last and tick.is_integer():
            picture.text(x.at(tick), top + 18, f"{tick:,.0f}", "faint", "middle")
    picture.text((LEFT + RIGHT) / 2, top + 38, "optimiser step", "faint", "middle")
    return str(picture)


def gaps_svg(gaps: Sequence["PointGap"]) -> str:
    """How many points stood how far from 0, before and after: chosen above rejected on the right, below on the left.

    Args:
        gaps: the points, as `drawable_gaps` has them.
    """
    sides = {"before": [gap.before for gap in gaps], "after": [gap.after for gap in gaps]}
    every = [min(max(gap, -FARTHEST_GAP), FARTHEST_GAP) for side in sides.values() for gap in side]
    edges = nice_ticks(min(-1.0, *every, 0.0), max(1.0, *every, 0.0), BARS)
    bars = {side: bar_heights(values, edges) for side, values in sides.items()}
    top_bar = max(max(heights) for heights in bars.values())
    said = {side: _side_said(side, values) for side, values in sides.items()}
    picture = Picture("gaps", 340, "How far chosen tokens are above rejected ones", "; ".join(said.values()))
    x = Scale(edges[0], edges[-1], LEFT, RIGHT)
    for floor, kind, side in ((140, "before", "before"), (280, "mark better", "after")):
        y = Scale(0.0, top_bar or 1, floor, floor - 96)
        picture.text(LEFT, floor - 106, said[side], "faint")
        for count in sorted({0, top_bar}):
            picture.level(y.at(count), f"{count:,}", "grid" if count else "zero")
        for (start, end), count in zip(pairwise(edges), bars[side], strict=True):
            if count:
                left, right = x.at(start) + 2, x.at(end) - 2
                picture.area([(left, floor), (left, y.at(count)), (right, y.at(count)), (right, floor)], kind)
        picture.line((x.at(0), floor - 100), (x.at(0), floor), "zero")
    for tick in nice_ticks(edges[0], edges[-1], 8):
        if edges[0] <= tick <= edges[-1]:
            picture.text(x.at(tick), 300, number(tick, "+") if tick else "0", "faint", "middle")
    picture.text(WIDTH / 2, 324, "mean logit of the chosen tokens less that of the rejected one", "faint", "middle")
    return str(picture)


def drawable_gaps(gaps: Sequence["PointGap"]) -> list["PointGap"]:
    """Those that are numbers, on both sides, and no larger than `MOST_VALUE`."""
    return [gap for gap in gaps if abs(gap.before) <= MOST_VALUE and abs(gap.after) <= MOST_VALUE]


def bar_heights(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values lie in each stretch between two edges: above the lower one, at most the upper one.

    What lies outside is counted in the outermost stretch.
    """
    heights = [0] * (len(edges) - 1)
    for value in values:
        heights[min(max(bisect_left(edges, value) - 1, 0), len(heights) - 1)] += 1
    return heights


def _draw(picture: Picture, panel: _Panel, x: Scale, top: float) -> None:
    """A panel below `top`: its name, what is not drawn, and its curve."""
    curve = curve_of(panel.values)
    lows, highs = [place.least for place in curve.places], [place.largest for place in curve.places]
    # A drift that is 0 may be computed to lie a hair below it.
    bottom = min((low for low in lows if low < -LEAST_HEIGHT), default=0.0)
    ticks = nice_ticks(bottom, max([panel.top, *highs]), max(2, panel.height // 45))
    y = Scale(ticks[0], ticks[-1], top + panel.height + 46, top + 46)
    thinned = f" (each place the mean of {curve.steps_a_place} values; band: least to largest)"
    picture.text(16, top + 20, panel.name + (thinned if curve.steps_a_place > 1 else ""), "faint")
    if curve.left_out:
        picture.text(16, top + 36, _left_out_said(curve), "faint")
    for tick in ticks:
        picture.level(y.at(tick), panel.written(tick), "grid" if tick else "zero")
    places = [(x.at(place.step), y.at(place.value)) for place in curve.places]
    if curve.steps_a_place > 1:
        upper, lower = (
            [(x.at(place.step), y.at(value)) for place, value in zip(curve.places, side, strict=True)]
            for side in (highs, lows)
        )
        picture.area([*upper, *reversed(lower)], "band")
    picture.path(places, "curve")
    if len(places) <= MOST_MARKS:
        for place in places:
            picture.marker(*place, "better")


def _place(part: Sequence[tuple[int, float]]) -> Place:
    steps, values = zip(*part, strict=True)
    return Place(fmean(steps), fmean(values), min(values), max(values))


def _left_out_said(curve: Curve) -> str:
    count, first = len(curve.left_out), f"{curve.left_out[0]:,}"
    which = (
        f"1 value is not drawn, at step {first}"
        if count == 1
        else f"{count:,} values are not drawn, from step {first} on"
    )
    return f"{which}: not a number, or beyond ±{number(curve.limit)}"


def _said(panel: _Panel) -> str:
    places = curve_of(panel.values).places
    if not places:
        return f"{panel.name}: nothing to draw"
    first, last = places[0], places[-1]
    return (
        f"{panel.name}: {panel.written(first.value)} at step {first.step:,.0f}, "
        f"{panel.written(last.value)} at step {last.step:,.0f}"
    )


def _side_said(side: str, values: Sequence[float]) -> str:
    if not values:
        return f"{side}: no points"
    above = sum(value > 0 for value in values)
    return f"{side}: {above:,} of {len(values):,} points above 0, the mean gap {number(fmean(values), '+')}"
