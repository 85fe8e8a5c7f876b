"""One page that shows what changed: self-contained, for a browser or for paper."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jinja2 import Template
from markupsafe import Markup

from planish.find.behaviour import Locatable
from planish.prove import wording
from planish.prove.evidence import LEAST_PROMPTS
from planish.prove.page import page_template
from planish.prove.plot import FrontPoint, changes_svg, front_svg
from planish.prove.training_plot import drawable_gaps, gaps_svg, training_svg
from planish.records.evidence import Evidence
from planish.records.generation import Generation, successes
from planish.records.prompt import Prompt
from planish.records.rule import BanRule
from planish.statistics.paired_bootstrap import Interval, paired_rates
from planish.text.span import Span, longest_without_overlap

if TYPE_CHECKING:  # A page is written without what trains.
    from planish.records.training import PointGap, TrainingCheck, TrainingStep

# So many of the rules stand open; the others are folded away.
RULES_OPEN = 50
RULES_WITH_GAPS_OPEN = 20

# What each yardstick is worth as a proof.
YARDSTICKS = {
    "slop_index": "slop_index is the yardstick from another source: nothing was banned or trained by it. The list that "
    "ships was counted on stories by other models, from other prompts, by the same method and against the same people.",
    "slop_per_1k_words": "slop_per_1k_words counts the very list that was aimed at. It shows that the aim was met, and "
    "not that a reader would find no other slop.",
}


class Example(NamedTuple):
    """What was written for one held-out prompt, before and after, and where the list stands in both."""

    prompt: str
    before: str
    after: str
    before_hits: Sequence[Span] = ()
    after_hits: Sequence[Span] = ()


class Piece(NamedTuple):
    """A stretch of a text, and the rule that it is a hit of; none where it is no hit."""

    text: str
    rule: str


class RuleGaps(NamedTuple):
    """The points of a rule, and their mean gap before and after."""

    rule: str
    points: int
    before: float
    after: float


class GapFigure(NamedTuple):
    """A figure over all points, compared by drawing the texts that they stand in."""

    name: str
    unit: str
    before: float
    after: float
    difference: Interval
    texts: int


def examples_of(
    prompts: Sequence[Prompt], before: Sequence[Generation], after: Sequence[Generation], slop: Locatable
) -> list[Example]:
    """The first text of every prompt that both models wrote, in the order of the prompts: nothing is picked."""
    firsts = [{text.prompt_id: text for text in reversed(successes(side))} for side in (before, after)]
    shown = [prompt for prompt in prompts if all(prompt.id in side for side in firsts)]
    sides = [[side[prompt.id].text for prompt in shown] for side in firsts]
    hits = [slop.locate(texts) for texts in sides]
    return [
        Example(prompt.content, *texts, *spans)
        for prompt, texts, spans in zip(shown, zip(*sides, strict=True), zip(*hits, strict=True), strict=True)
    ]


def report_html(  # noqa: PLR0913 - the page has as many parts
    title: str,
    subtitle: str,
    evidence: Sequence[Evidence],
    *,
    front: Sequence[FrontPoint] | None = None,
    front_of: str = "slop",
    rules: Sequence[BanRule] = (),
    examples: Sequence[Example] = (),
    tables: Mapping[str, Sequence[Mapping[str, object]]] | None = None,
    sections: Mapping[str, Markup] | None = None,
    steps: Sequence["TrainingStep"] = (),
    checks: Sequence["TrainingCheck"] = (),
    gaps: Sequence["PointGap"] = (),
    ended: str = "",
    settings: Mapping[str, object],
    reproduce: str,
    notes: Sequence[str] = (),
) -> str:
    """The report as HTML.

    Args:
        title: what was done, to which model.
        subtitle: with what, in a line.
        evidence: the table, headline first.
        front: slop and distance at several strengths of the adapter.
        rules: what was found, most overused first.
        examples: texts of held-out prompts.
        tables: by their headings; the rows of one have the same keys, which head the columns.
        sections: further ones by their headings, as HTML that escapes what it shows.
        front_of: what each strength was to take away.
        steps: the course of the training.
        checks: what held-out points said on the way.
        gaps: how far each point moved.
        ended: why training ended.
        settings: all that it takes to do it again: seeds, hashes, versions.
        reproduce: the command.
        notes: caveats of this run, beside those of every run.
    """
    worse = wording.got_worse(evidence)
    return _template().render(
        title=title,
        subtitle=subtitle,
        summary=wording.verdict_sentence(evidence),
        is_broken=bool(worse),
        evidence=evidence,
        worse=worse,
        LEAST_PROMPTS=LEAST_PROMPTS,
        # All pictures escape what they show.
        changes=Markup(changes_svg(evidence)),
        without_change=[line for line in evidence if line.change is None],
        front=Markup(front_svg(front, front_of)) if front else None,
        front_of=front_of,
        front_points=front or (),
        rules_open=rules[:RULES_OPEN],
        rules_folded=rules[RULES_OPEN:],
        examples=[
            (example.prompt, marked(example.before, example.before_hits), marked(example.after, example.after_hits))
            for example in examples
        ],
        tables={heading: rows for heading, rows in (tables or {}).items() if rows},
        sections=sections or {},
        training=_training(steps, checks, gaps, ended),
        settings=settings,
        reproduce=reproduce,
        caveats=[*_caveats(evidence), *notes],
    )


def gaps_by_rule(gaps: Sequence["PointGap"]) -> list[RuleGaps]:
    """A row for each rule, that with most points first."""
    rules: dict[str, list[PointGap]] = defaultdict(list)
    for gap in gaps:
        rules[gap.rule].append(gap)
    rows = [
        RuleGaps(rule, len(own), fmean(gap.before for gap in own), fmean(gap.after for gap in own))
        for rule, own in rules.items()
    ]
    return sorted(rows, key=lambda row: (-row.points, row.rule))


def gap_figures(gaps: Sequence["PointGap"]) -> list[GapFigure]:
    """How the points moved; those of one text are much alike, so they are drawn together for the intervals."""
    texts: dict[str, list[PointGap]] = defaultdict(list)
    for gap in gaps:
        texts[gap.generation_id].append(gap)
    sides = [[[getattr(gap, side) for gap in own] for own in texts.values()] for side in ("before", "after")]
    above = [np.array([(sum(gap > 0 for gap in own), len(own)) for own in side], np.float64) for side in sides]
    total = [np.array([(sum(own), len(own)) for own in side], np.float64) for side in sides]
    found = []
    for name, unit, (before, after) in (("points above 0", "share", above), ("mean gap", "logits", total)):
        rates = paired_rates(before, after)
        found.append(GapFigure(name, unit, rates.before, rates.after, rates.difference, len(texts)))
    return found


def marked(text: str, hits: Sequence[Span]) -> list[Piece]:
    """The text in pieces, hits apart from what stands between them."""
    pieces, end = [], 0
    for hit in longest_without_overlap(hits):
        pieces += [Piece(text[end : hit.start], ""), Piece(text[hit.start : hit.end], hit.rule)]
        end = hit.end
    return [piece for piece in (*pieces, Piece(text[end:], "")) if piece.text]


def times_as_often(rule: BanRule) -> str:
    """How many times the human rate; empty where nothing was counted."""
    if rule.overuse is None:
        return ""
    if not rule.overuse.human_rate_per_1k_words:
        return "not said by people"
    return f"{wording.number(rule.overuse.rate_per_1k_words / rule.overuse.human_rate_per_1k_words)} ×"


@cache
def _template() -> Template:
    spoken = (wording.plain_name, wording.number, wording.interval, wording.change, wording.worse_sentence)
    return page_template("report.html.jinja", *spoken, times_as_often)


def _training(
    steps: Sequence["TrainingStep"], checks: Sequence["TrainingCheck"], gaps: Sequence["PointGap"], ended: str
) -> dict[str, object] | None:
    """What the section about the training shows; none where nothing is given."""
    if not (steps or checks or gaps or ended):
        return None
    known = drawable_gaps(gaps)
    rules = gaps_by_rule(known)
    return {
        "course": Markup(training_svg(steps, checks)) if steps or checks else None,
        "is_checked": bool(checks),
        "ended": ended,
        "points": len(known),
        "points_left_out": len(gaps) - len(known),
        "gaps": Markup(gaps_svg(known)) if known else None,
        "figures": gap_figures(known) if known else (),
        "rules_open": rules[:RULES_WITH_GAPS_OPEN],
        "rules_folded": rules[RULES_WITH_GAPS_OPEN:],
    }


def _caveats(evidence: Sequence[Evidence]) -> list[str]:
    groups = {line.group: line.n for line in evidence}
    counted = "; ".join(f"{n} {group}" for group, n in groups.items())
    return [
        f"Measured on {counted}. Before and after, prompts, seeds and sampling are the same. Nothing was learned from "
        "held-out prompts. Other prompts, other lengths and other settings may give other figures.",
        "An interval holds the difference that would be found on many more prompts of the same kind, in 95 of 100 such "
        "measurements (paired bootstrap over n). Each line has its own: with twenty lines, one may well miss.",
        "“Same” means that the whole interval lies within the stated margin, or that it does not pass it the wrong "
        "way; “unclear” that n was too small to say. Neither means that nothing moved.",
        *(said for name, said in YARDSTICKS.items() if any(line.name == name for line in evidence)),
    ]
