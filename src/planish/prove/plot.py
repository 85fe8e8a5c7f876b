"""Pictures of the evidence as SVG text: pure functions of the numbers, readable on white and on black."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree  # only writes: nothing is parsed here

from planish.prove.wording import change, number, plain_name
from planish.records.evidence import Evidence

WIDTH = 800
# Where a chart with an axis of its own begins and ends.
LEFT, RIGHT = 80, 740
# A longer label is cut; the whole of it stays in the picture as a tooltip.
LABEL_CHARACTERS = 42
# A relative change beyond these is drawn at the edge, so that one line does not flatten all others.
LEAST_CHANGE, MOST_CHANGE = -1.0, 2.0

# The colours are Okabe and Ito's, lighter ones on black; each verdict also has a shape of its own.
_STYLE = """
.planish-plot { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 14px; }
.planish-plot .panel { fill: #ffffff; stroke: #d0d7de; }
.planish-plot text { fill: #24292f; }
.planish-plot .faint { fill: #57606a; font-size: 12px; }
.planish-plot .grid { stroke: #d8dee4; }
.planish-plot .zero { stroke: #57606a; }
.planish-plot .link { stroke: #8c959f; stroke-width: 2; fill: none; }
.planish-plot .before { fill: #ffffff; stroke: #57606a; stroke-width: 2; }
.planish-plot .better { fill: #0072B2; stroke: #0072B2; }
.planish-plot .same { fill: #007A5A; stroke: #007A5A; }
.planish-plot .worse, .planish-plot .changed { fill: #C24E00; stroke: #C24E00; }
.planish-plot .unclear { fill: none; stroke: #57606a; }
.planish-plot .mark { stroke-width: 2; }
.planish-plot .curve { fill: none; stroke: #0072B2; stroke-width: 2; }
.planish-plot .band { fill: #0072B2; fill-opacity: 0.2; }
@media (prefers-color-scheme: dark) {
.planish-plot .panel { fill: #0d1117; stroke: #30363d; }
.planish-plot text { fill: #e6edf3; }
.planish-plot .faint { fill: #9ea7b3; }
.planish-plot .grid { stroke: #262c36; }
.planish-plot .zero { stroke: #9ea7b3; }
.planish-plot .link { stroke: #6e7681; }
.planish-plot .before { fill: #0d1117; stroke: #9ea7b3; }
.planish-plot .better { fill: #56B4E9; stroke: #56B4E9; }
.planish-plot .same { fill: #2FC497; stroke: #2FC497; }
.planish-plot .worse, .planish-plot .changed { fill: #F0823C; stroke: #F0823C; }
.planish-plot .unclear { stroke: #9ea7b3; }
.planish-plot .curve { stroke: #56B4E9; }
.planish-plot .band { fill: #56B4E9; fill-opacity: 0.25; }
}
"""
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class FrontPoint(NamedTuple):
    """One adapter strength: what is left of what was to go, with its 95 % bounds, and how far the model has moved."""

    strength: float
    hits_per_1k_words: float
    low: float
    high: float
    kl_per_token: float


class Scale(NamedTuple):
    """Values `low` to `high` on pixels `start` to `end`; what lies outside is drawn at the edge."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value."""
        share = (min(max(value, self.low), self.high) - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.end - self.start)


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers, evenly spaced, the first at or below `low` and the last at or above `high`."""
    if not high > low:
        low, high = low - 0.5, low + 0.5
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def changes_svg(evidence: Sequence[Evidence]) -> str:
    """A forest plot: the relative change of each line with its 95 % interval. Lines that began at 0 have none."""
    lines = [line for line in evidence if line.change is not None]
    height = 62 + 34 * len(lines)
    picture = Picture("changes", height, "Relative change of each figure", "; ".join(map(_said, lines)))
    bounds = [0.0, *(bound for line in lines for bound in _change_bounds(line))]
    ticks = nice_ticks(max(min(bounds), LEAST_CHANGE), min(max(bounds), MOST_CHANGE))
    x = Scale(ticks[0], ticks[-1], 330, 640)
    for tick in ticks:
        picture.line((x.at(tick), 16), (x.at(tick), height - 34), "grid" if tick else "zero")
        picture.text(x.at(tick), height - 14, f"{tick:+.0%}" if tick else "0", "faint", "middle")
    for row, line in enumerate(lines):
        value, low, high = _change_bounds(line)
        y = 34 + 34 * row
        picture.label(16, y + 5, plain_name(line))
        picture.line((x.at(low), y), (x.at(high), y), f"mark {line.verdict}")
        picture.marker(x.at(value), y, line.verdict)
        picture.outcome(y + 5, line)
    return str(picture)


def front_svg(points: Sequence[FrontPoint], what: str = "slop") -> str:
    """What each strength of the adapter buys and costs: how much is left of what was to go against distance moved."""
    ordered = sorted(points, key=lambda point: point.strength)
    said = "; ".join(
        f"strength {number(point.strength)}: {number(point.hits_per_1k_words)} per 1,000 words "
        f"({number(point.low)} to {number(point.high)}), {number(point.kl_per_token)} nats a token"
        for point in ordered
    )
    picture = Picture("front", 400, f"{what} left against distance from the model before, by adapter strength", said)
    across = nice_ticks(0.0, max((point.kl_per_token for point in ordered), default=0.0))
    upward = nice_ticks(0.0, max((point.high for point in ordered), default=0.0))
    x, y = Scale(across[0], across[-1], LEFT, RIGHT), Scale(upward[0], upward[-1], 330, 44)
    for tick in upward:
        picture.level(y.at(tick), number(tick), "grid" if tick else "zero")
    for tick in across:
        picture.text(x.at(tick), 350, number(tick), "faint", "middle")
    picture.text(16, 26, f"{what} per 1,000 words", "faint")
    picture.text(410, 380, "distance from the model before (KL, nats a token)", "faint", "middle")
    places = [(x.at(point.kl_per_token), y.at(point.hits_per_1k_words)) for point in ordered]
    picture.path(places, "link")
    for point, (across_at, up_at) in zip(ordered, places, strict=True):
        picture.line((across_at, y.at(point.low)), (across_at, y.at(point.high)), "mark better")
        picture.marker(across_at, up_at, "better")
        anchor = "end" if across_at > WIDTH * 0.8 else "start"
        shift = -10 if anchor == "end" else 10
        picture.text(across_at + shift, up_at - 10, f"strength {number(point.strength)}", "", anchor)
    return str(picture)


def before_after_svg(evidence: Sequence[Evidence]) -> str:
    """Each figure before and after on a scale of its own that starts at 0: a picture for a README."""
    height = 64 + 44 * len(evidence)
    picture = Picture("before-after", height, "Before and after", "; ".join(map(_said, evidence)))
    picture.marker(336, 22, "before")
    picture.text(350, 27, "before", "faint")
    picture.marker(416, 22, "better")
    picture.text(430, 27, "after (each figure on a scale of its own, from 0)", "faint")
    for row, line in enumerate(evidence):
        # A margin widens the scale, so that a move well inside it looks like one.
        x = Scale(0.0, max(line.before, line.after, line.margin or 0.0), 330, 620)
        y = 66 + 44 * row
        before, after = x.at(line.before), x.at(line.after)
        picture.label(16, y + 5, plain_name(line))
        picture.line((x.start, y), (x.end, y), "grid")
        picture.line((before, y), (after, y), "link")
        picture.marker(before, y, "before")
        picture.marker(after, y, line.verdict)
        left, right = sorted(((before, line.before), (after, line.after)))
        picture.text(left[0] + 5, y - 10, number(left[1]), "faint", "end" if right[0] - left[0] < 80 else "middle")
        picture.text(right[0] + 9, y - 10, number(right[1]), "faint", "start" if right[0] - left[0] < 80 else "middle")
        picture.outcome(y + 5, line)
    return str(picture)


class Picture:
    """An SVG, drawn element by element on a panel of its own."""

    def __init__(self, name: str, height: int, title: str, description: str) -> None:
        self._root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "class": "planish-plot",
                "role": "img",
                "viewBox": f"0 0 {WIDTH} {height}",
                "width": str(WIDTH),
                "height": str(height),
                "aria-labelledby": f"{name}-title {name}-description",
            },
        )
        self._add("title", {"id": f"{name}-title"}, title)
        self._add("desc", {"id": f"{name}-description"}, description)
        self._add("style", {}, _STYLE)
        panel = {"x": "0.5", "y": "0.5", "width": str(WIDTH - 1), "height": str(height - 1), "rx": "6"}
        self._add("rect", {**panel, "class": "panel"})

    def line(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        """A straight line; its `kind` is a class of the style, here as everywhere."""
        ends = zip(("x1", "y1", "x2", "y2"), (*start, *end), strict=True)
        self._add("line", {**{name: f"{place:.1f}" for name, place in ends}, "class": kind})

    def path(self, places: Sequence[tuple[float, float]], kind: str) -> None:
        """Straight lines from place to place."""
        self._add("polyline", {"points": " ".join(f"{x:.1f},{y:.1f}" for x, y in places), "class": kind})

    def area(self, places: Sequence[tuple[float, float]], kind: str) -> None:
        """What lies within straight lines from place to place and back to the first."""
        self._add("polygon", {"points": " ".join(f"{x:.1f},{y:.1f}" for x, y in places), "class": kind})

    def level(self, y: float, content: str, kind: str) -> None:
        """A line across the chart, and what it stands for on the left."""
        self.line((LEFT, y), (RIGHT, y), kind)
        self.text(LEFT - 10, y + 4, content, "faint", "end")

    def text(self, x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> ElementTree.Element:
        """Words; `anchor` says which end of them is at `x`."""
        return self._add("text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "class": kind}, content)

    def label(self, x: float, y: float, content: str) -> None:
        """Words that may be long: cut, with the whole as a tooltip."""
        if len(content) <= LABEL_CHARACTERS:
            self.text(x, y, content)
            return
        short = self.text(x, y, content[: LABEL_CHARACTERS - 1] + "…")
        ElementTree.SubElement(short, "title").text = NOT_XML.sub("\ufffd", content)

    def outcome(self, y: float, line: Evidence) -> None:
        """The relative change and the verdict, on the right."""
        self.text(714, y, change(line), "", "end")
        self.text(724, y, line.verdict)

    def marker(self, x: float, y: float, kind: str) -> None:
        """A circle; what should have stayed and did, a diamond; what got worse, a triangle; what left, a square."""
        corners = {
            "same": [(0, -7), (7, 0), (0, 7), (-7, 0)],
            "worse": [(0, -7), (7, 6), (-7, 6)],
            "changed": [(-6, -6), (6, -6), (6, 6), (-6, 6)],
        }.get(kind)
        if corners is None:
            self._add("circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "6", "class": f"mark {kind}"})
            return
        self.area([(x + across, y + down) for across, down in corners], f"mark {kind}")

    def _add(self, tag: str, attributes: dict[str, str], content: str | None = None) -> ElementTree.Element:
        element = ElementTree.SubElement(self._root, tag, attributes)
        element.text = None if content is None else NOT_XML.sub("\ufffd", content)
        return element

    def __str__(self) -> str:
        return ElementTree.tostring(self._root, encoding="unicode", short_empty_elements=False)


def _change_bounds(line: Evidence) -> tuple[float, float, float]:
    value = line.change or 0.0
    return (
        value,
        value if line.change_low is None else line.change_low,
        (value if line.change_high is None else line.change_high),
    )


def _said(line: Evidence) -> str:
    moved = f" ({change(line)})" if line.change is not None else ""
    return f"{plain_name(line)}: {number(line.before)} before, {number(line.after)} after{moved}, {line.verdict}"
