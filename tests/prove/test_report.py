import math
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

import pytest
from evidence_lines import HOSTILE, lines
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.find.slop import Slop
from planish.prove.plot import FrontPoint
from planish.prove.report import (
    Example,
    Piece,
    examples_of,
    gap_figures,
    gaps_by_rule,
    marked,
    report_html,
    times_as_often,
)
from planish.records.generation import Generation
from planish.records.prompt import Prompt, opening
from planish.records.rule import BanRule, Overuse
from planish.records.training import PointGap, TrainingCheck, TrainingStep
from planish.text.span import Span

VOID = {"meta", "br", "hr", "img", "link", "input"}
# Whatever may make a browser fetch something.
FETCHING = {"src", "href", "xlink:href", "srcset", "action", "data", "poster"}
RULES = [
    BanRule(
        text=f"a testament to {number}",
        reason="said in text after text",
        overuse=Overuse(count=9, texts=7, rate_per_1k_words=1.5, human_rate_per_1k_words=0.01, log_odds=5, z=4, q=0.01),
    )
    for number in range(60)
]
LINES = lines()
STEP = TrainingStep(step=1, loss=2.5, gradient_norm=1.0, learning_rate=1e-3)
CHECK = TrainingCheck(step=1, win_rate=0.25, drift=0.01)
TRAINED = "How it was trained"


def gap(rule: str, before: float = -2.0, after: float = 3.0, text: str = "a") -> PointGap:
    return PointGap(generation_id=text, position=9, rejected=3, rule=rule, before=before, after=after)


class Page(HTMLParser):
    """A page that was read: its tags must all be closed, in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.marked: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] == "mark":
            self.marked.append(data)


def page(title: str = "A report", **given: object) -> Page:
    parts = {"settings": {"seed": 0}, "reproduce": "planish antislop tiny"} | given
    return Page(report_html(title, "with invented figures", LINES, **parts))  # type: ignore[arg-type]


def full(text: str, count: int) -> Page:
    """A page with all of its parts, each holding `text`."""
    return page(
        text,
        front=[FrontPoint(0.5, 8.7, 7.4, 9.9, 0.041), FrontPoint(1, 3.4, 2.7, 4.1, 0.114)],
        rules=[*RULES, BanRule(text=text, reason=text)],
        examples=[Example(text, f"{text}.", f"{text}!", [Span(0, len(text), text)], [])] * count,
        tables={"Iterations": [{"iteration": 1, text: 0.5}], text: [{text: text}]},
        steps=[STEP],
        checks=[CHECK],
        gaps=[gap(text)],
        ended=text,
        settings={text: text},
        reproduce=text,
        notes=[text],
    )


def test_every_line_stands_in_the_table_with_its_plain_name_and_verdict() -> None:
    found = page()
    for line in lines():
        assert line.name in found.text
        assert line.judge in found.text
        assert line.verdict in found.text
    assert "slop (independent list)" in found.text


def test_the_verdict_comes_first_and_what_got_worse_before_the_pictures() -> None:
    text = page().text
    order = [
        "Slop (independent list) fell by 75%",
        "Before and after",
        "What got worse",
        "How sure each change is",
        "How to read this",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    worse = text[places[2] : places[3]]
    assert "length of a text" in worse
    assert "perplexity" not in worse


def test_where_nothing_got_worse_the_page_says_so() -> None:
    good = [line for line in lines() if line.verdict in ("better", "same")]
    assert (
        "None of these figures surely got worse" in Page(report_html("a", "b", good, settings={}, reproduce="c")).text
    )


def test_hostile_text_stays_text_everywhere() -> None:
    found = full(HOSTILE, count=2)
    assert "script" not in {tag for tag, _ in found.tags}
    # Title twice, rule and its reason, prompts, texts, a heading, why training ended, a rule with gaps, a setting and
    # its value, the command, a note, a line.
    assert found.text.count(HOSTILE) >= 17
    assert found.marked == [HOSTILE] * 2


@given(st.text(max_size=40))
def test_no_text_breaks_the_page(text: str) -> None:
    tags = [tag for tag, _ in full(text, count=1).tags]
    assert "script" not in tags
    assert "style" in tags


def test_nothing_is_fetched() -> None:
    found = full("plain", count=1)
    for _, attributes in found.tags:
        assert not FETCHING & set(attributes)
    assert "url(" not in found.text
    assert "@import" not in found.text


def test_headings_of_rows_and_columns_say_which_they_are() -> None:
    found = full("plain", count=1)
    assert {attributes.get("scope") for tag, attributes in found.tags if tag == "th"} == {"col", "row"}
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    labels = [label or "" for _, attributes in found.tags for label in [attributes.get("aria-labelledby")]]
    assert {name for label in labels for name in label.split()} <= set(ids)


def test_the_first_rules_stand_open_and_the_others_are_folded() -> None:
    found = page(rules=RULES)
    assert [tag for tag, _ in found.tags].count("details") == 1
    assert "details" not in [tag for tag, _ in page(rules=RULES[:50]).tags]
    assert "150 ×" in found.text
    assert all(rule.text in found.text for rule in RULES)


def test_a_part_without_content_is_left_out() -> None:
    text = page().text
    for part in ("What each strength", "What was found", "The same prompts", "Iterations", TRAINED):
        assert part not in text
        assert part in full("plain", count=1).text


@pytest.mark.parametrize(
    ("given", "pictures"),
    [
        ({"steps": [STEP]}, 1),
        ({"checks": [CHECK]}, 1),
        ({"steps": [STEP], "checks": [CHECK], "gaps": [gap("rule")]}, 2),
        ({"gaps": [gap("rule")]}, 1),
        ({"ended": "all epochs done"}, 0),
        ({"gaps": [gap("rule", math.nan)]}, 0),
    ],
)
def test_of_the_training_only_what_is_given_is_shown(given: dict[str, Any], pictures: int) -> None:
    found = page(**given)
    assert TRAINED in found.text
    tags = [tag for tag, _ in found.tags]
    assert tags.count("svg") == 1 + pictures, "one more shows the changes"
    assert ("Training ended: all epochs done." in found.text) == ("ended" in given)
    assert ("mean gap before" in found.text) == ("gaps" in given and pictures > 0)
    assert ("Held-out points come from" in found.text) == ("checks" in given)


def test_points_trained_on_are_said_to_prove_nothing() -> None:
    assert "prove nothing about new texts" in page(gaps=[gap("rule")]).text


def test_points_without_a_gap_are_counted_and_left_out() -> None:
    text = page(gaps=[gap("rule"), gap("rule", math.nan), gap("rule", after=math.inf), gap("rule", 1e300)]).text
    assert "3 of 4 points are left out" in text
    assert "1 points" in text


def test_rules_with_most_points_stand_open_and_the_others_are_folded() -> None:
    gaps = [gap(f"rule {number:02}") for number in range(30) for _ in range(number + 1)]
    found = page(gaps=gaps)
    assert [tag for tag, _ in found.tags].count("details") == 1
    open_part, folded = found.text.split("The other 10")
    assert "rule 29" in open_part
    assert "rule 10" in open_part
    assert "rule 09" in folded
    assert "rule 00" in folded
    assert "details" not in [tag for tag, _ in page(gaps=[gap(f"rule {number}") for number in range(20)]).tags]


@pytest.mark.parametrize("texts", [1, 4, 5])
def test_few_texts_give_no_interval(texts: int) -> None:
    text = page(gaps=[gap("rule", text=str(number)) for number in range(texts)]).text
    assert ("too few texts" in text) == (texts < 5)


FIGURES = st.floats(-30, 30, width=16)
GAPS = st.lists(st.builds(gap, st.sampled_from("abc"), FIGURES, FIGURES, st.sampled_from("xyz")), min_size=1)


@given(GAPS)
def test_the_points_of_all_rules_are_all_points(gaps: list[PointGap]) -> None:
    rows = gaps_by_rule(gaps)
    assert sum(row.points for row in rows) == len(gaps)
    assert {row.rule for row in rows} == {one.rule for one in gaps}
    assert [row.points for row in rows] == sorted((row.points for row in rows), reverse=True)
    for side in ("before", "after"):
        total = sum(row.points * getattr(row, side) for row in rows)
        assert total == pytest.approx(sum(getattr(one, side) for one in gaps), abs=1e-6)


@settings(max_examples=10)
@given(GAPS)
def test_figures_of_gaps_are_those_of_the_points(gaps: list[PointGap]) -> None:
    above, mean = gap_figures(gaps)
    assert above.texts == mean.texts == len({one.generation_id for one in gaps})
    for side in ("before", "after"):
        own = [getattr(one, side) for one in gaps]
        assert getattr(above, side) == pytest.approx(sum(value > 0 for value in own) / len(own))
        assert getattr(mean, side) == pytest.approx(sum(own) / len(own), abs=1e-9)


def test_points_of_one_text_are_no_proof_of_one_another() -> None:
    """The same ten points: from ten texts, and as two texts' of five alike points each."""
    figures = [(-1.0, 1.0), (-1.0, -1.0)] * 5
    apart = gap_figures([gap("rule", *sides, text=str(number)) for number, sides in enumerate(figures)])[0]
    together = gap_figures([gap("rule", *sides, text=str(number % 2)) for number, sides in enumerate(figures)])[0]
    widths = [found.difference.high - found.difference.low for found in (apart, together)]
    assert widths[0] < widths[1]


def test_a_long_report_is_small_enough_to_be_sent() -> None:
    words = "A shiver ran down her spine and the lighthouse stood. " * 30
    rules = [rule.model_copy(update={"text": f"{rule.text} {number}"}) for number in range(34) for rule in RULES]
    examples = [Example(words[:200], words, words, [Span(0, 8, "a shiver")], [])] * 200
    html = report_html("a", "b", lines(), rules=rules[:2000], examples=examples, settings={}, reproduce="c")
    assert len(html.encode()) < 5_000_000


def test_times_as_often_as_people() -> None:
    assert times_as_often(RULES[0]) == "150 ×"
    assert times_as_often(BanRule(text="a")) == ""
    assert RULES[0].overuse is not None
    unseen = RULES[0].overuse.model_copy(update={"human_rate_per_1k_words": 0.0})
    assert "people" in times_as_often(BanRule(text="a", overuse=unseen))


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=5))
def test_a_marked_text_is_the_text_with_its_hits_marked(text: str, places: list[tuple[int, int]]) -> None:
    hits = [Span(start, min(start + width, len(text)), "rule") for start, width in places if start < len(text)]
    pieces = marked(text, hits)
    assert "".join(piece.text for piece in pieces) == text
    inside = {place for hit in hits for place in range(hit.start, hit.end)}
    place = 0
    for piece in pieces:
        if piece.rule:
            assert set(range(place, place + len(piece.text))) <= inside
        place += len(piece.text)


def test_pieces_keep_the_rule_of_each_hit() -> None:
    assert marked("a b c", [Span(2, 3, "b")]) == [Piece("a ", ""), Piece("b", "b"), Piece(" c", "")]


def written(prompt: Prompt, text: str, sample: int = 0, failed: bool = False) -> Generation:
    return Generation(
        id=f"{prompt.id}-{sample}", prompt_id=prompt.id, sample=sample, seed=0, text=text, prompt_token_ids=(1,),
        token_ids=(5,), char_ends=(1,), finish="failed" if failed else "stop", status="failed" if failed else "ok",
    )  # fmt: skip


def test_examples_are_the_first_texts_of_every_prompt_that_both_wrote() -> None:
    prompts = [opening(text) for text in ("One", "Two", "Three")]
    before = [written(prompt, f"lily {prompt.text} {sample}", sample) for prompt in prompts for sample in range(2)]
    after = [written(prompts[0], "rose"), written(prompts[1], "", failed=True), written(prompts[2], "a lily")]
    examples: Sequence[Example] = examples_of(prompts, before, after, Slop([BanRule(text="lily")]))
    assert [(example.prompt, example.before, example.after) for example in examples] == [
        ("One", "lily One 0", "rose"),
        ("Three", "lily Three 0", "a lily"),
    ]
    assert [[hit[:2] for hit in example.after_hits] for example in examples] == [[], [(2, 6)]]
    assert all([hit[:2] for hit in example.before_hits] == [(0, 4)] for example in examples)


@pytest.mark.parametrize(
    "said", ["slop_index is the yardstick from another source", "6 held-out prompts; 6 reference text"]
)
def test_caveats_say_what_was_counted_and_which_yardstick_is_independent(said: str) -> None:
    assert said in page().text
