from collections.abc import Callable, Sequence
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from evidence_lines import line, lines
from hypothesis import given
from hypothesis import strategies as st

from planish.prove.plot import FrontPoint, Scale, before_after_svg, changes_svg, front_svg, nice_ticks
from planish.prove.wording import number, plain_name
from planish.records.evidence import Evidence

SVG = "{http://www.w3.org/2000/svg}"
POINTS = [FrontPoint(1.0, 3.4, 2.7, 4.1, 0.114), FrontPoint(0.25, 14.0, 12.5, 15.6, 0.012)]


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own picture


def texts(svg: str) -> list[str]:
    """Everything that is written in a picture: labels, and what a cut label stands for."""
    return [
        element.text or ""
        for tag in ("text", "text/" + SVG + "title")
        for element in parsed(svg).iterfind(f".//{SVG}{tag}")
    ]


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4), st.integers(2, 9))
def test_ticks_are_round_even_and_hold_the_range(low: float, width: float, about: int) -> None:
    high = low + width
    ticks = nice_ticks(low, high, about)
    step = (ticks[-1] - ticks[0]) / (len(ticks) - 1)
    slack = 1e-6 * step
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert len(ticks) <= about + 3
    assert all(later - earlier == pytest.approx(step, rel=1e-3) for earlier, later in pairwise(ticks))
    assert f"{step:.0e}"[0] in "125"


def test_there_are_ticks_where_there_is_no_range() -> None:
    ticks = nice_ticks(3.0, 3.0)
    assert ticks[0] < 3 < ticks[-1]


@given(st.floats(-10, 10), st.floats(0.1, 10), st.floats(-100, 100))
def test_a_scale_keeps_order_and_never_leaves_its_pixels(low: float, width: float, value: float) -> None:
    scale = Scale(low, low + width, 300.0, 100.0)
    assert 100 <= scale.at(value) <= 300
    assert scale.at(low) == 300
    assert scale.at(value + 1) <= scale.at(value)


@pytest.mark.parametrize("draw", [changes_svg, before_after_svg])
def test_a_picture_holds_every_label_and_verdict(draw: Callable[[Sequence[Evidence]], str]) -> None:
    shown = [item for item in lines() if draw is before_after_svg or item.change is not None]
    written = texts(draw(lines()))
    for item in shown:
        assert plain_name(item) in written
        assert item.verdict in written
        if item.change is not None:
            assert f"{item.change:+.0%}" in written


def test_before_and_after_are_written_with_their_values() -> None:
    written = texts(before_after_svg(lines()))
    assert {number(value) for item in lines() for value in (item.before, item.after)} <= set(written)


def test_lines_that_began_at_0_have_no_relative_change_to_show() -> None:
    assert plain_name(line("kl_per_token", 0.0, 0.1, margin=0.2)) not in texts(changes_svg(lines()))


def test_the_front_holds_every_strength_and_lies_by_its_figures() -> None:
    svg = front_svg(POINTS)
    assert {"strength 1", "strength 0.25"} <= set(texts(svg))
    weak, strong = ((float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in parsed(svg).iter(f"{SVG}circle"))
    assert weak[0] < strong[0], "more distance lies further right"
    assert weak[1] < strong[1], "more slop lies further up"


@pytest.mark.parametrize("svg", [changes_svg([]), front_svg([]), before_after_svg([])])
def test_nothing_to_show_is_a_picture_too(svg: str) -> None:
    assert parsed(svg).tag == f"{SVG}svg"


@given(st.text(max_size=80))
def test_any_name_gives_a_picture_that_can_be_read(name: str) -> None:
    for draw in (changes_svg, before_after_svg):
        root = parsed(draw([line(name, 3.0, 1.0)]))
        assert not list(root.iter(f"{SVG}script"))


@pytest.mark.parametrize("svg", [changes_svg(lines()), front_svg(POINTS), before_after_svg(lines())])
def test_a_picture_says_in_words_what_it_shows(svg: str) -> None:
    root = parsed(svg)
    titles = {element.attrib["id"]: element.text for element in root if "id" in element.attrib}
    assert root.attrib["role"] == "img"
    assert all(titles[name] for name in root.attrib["aria-labelledby"].split())


def test_verdicts_differ_by_shape_and_not_by_colour_alone() -> None:
    shapes = set()
    cases = [line("a", 3, 1), line("a", 1, 3), line("a", 3, 3, margin=1), line("a", 3, 1, margin=1)]
    for item in cases:
        *_, mark = (
            one for one in parsed(changes_svg([item])).iter() if one.attrib.get("class") == f"mark {item.verdict}"
        )
        corners = [tuple(map(float, corner.split(","))) for corner in mark.attrib.get("points", "").split()]
        left, top = min((x for x, _ in corners), default=0.0), min((y for _, y in corners), default=0.0)
        shapes.add((mark.tag, *((round(x - left), round(y - top)) for x, y in corners)))
    assert {item.verdict for item in cases} == {"better", "worse", "same", "changed"}
    assert len(shapes) == 4
