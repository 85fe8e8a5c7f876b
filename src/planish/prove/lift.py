"""How much more often a text keeps an instruction because it was asked to: what is always kept earns nothing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from planish.find.behaviour import Behaviour
from planish.prove.evidence import HELD_OUT, Better, Tally, compare
from planish.records.evidence import Evidence
from planish.records.generation import Generation, successes
from planish.records.prompt import Prompt
from planish.records.score import Failure, Sample

LIFT = "asked_minus_not_asked"
PASS_RATE = "constraint_pass_rate"


class Asked(NamedTuple):
    """A prompt that asks for something of a kind, and the one that does not ask."""

    prompt: Prompt
    plain: Prompt
    kind: str = ""


class Judged(NamedTuple):
    """Texts of one model for prompts that ask for something, and for the same prompts when they do not."""

    asked: Sequence[Generation]
    plain: Sequence[Generation]


class Lifts(NamedTuple):
    """Of each prompt, by the id that it has when it asks for nothing, a tally for each of its instructions.

    `passed` has the texts that were asked, `lifted` how much larger the share of these is than of the others.
    """

    passed: dict[str, list[Tally]]
    lifted: dict[str, list[Tally]]


def lifts(behaviour: Behaviour, asked: Sequence[Asked], texts: Judged) -> Lifts:
    """Check what one model wrote.

    Args:
        behaviour: says what a text breaks of what its prompt asks for; 0 is nothing.
        asked: the prompts.
        texts: for all of these. What failed, or what nobody can say anything of, is left out.
    """
    by_prompt: dict[str, list[str]] = defaultdict(list)
    for text in successes([*texts.asked, *texts.plain]):
        by_prompt[text.prompt_id].append(text.text)
    samples = [
        [Sample(prompt, text) for text in by_prompt[side.id]] for prompt, plain, _ in asked for side in (prompt, plain)
    ]
    scores = iter(behaviour.score([sample for some in samples for sample in some]))
    kept = [
        [score.value == 0 for score in (next(scores) for _ in some) if not isinstance(score, Failure)]
        for some in samples
    ]
    found = Lifts(defaultdict(list), defaultdict(list))
    for (_, plain, _), when_asked, when_not in zip(asked, kept[::2], kept[1::2], strict=True):
        if when_asked and when_not:
            rate = sum(when_asked) / len(when_asked)
            found.passed[plain.id].append((sum(when_asked), len(when_asked)))
            found.lifted[plain.id].append((rate - sum(when_not) / len(when_not), 1))
    return found


def lift_evidence(
    behaviour: Behaviour,
    judge: str,
    asked: Sequence[Asked],
    before: Judged,
    after: Judged,
    group: str = HELD_OUT,
    margin: float | None = None,
) -> list[Evidence]:
    """The share of texts that keep what they were asked for, less that of texts that were not asked, and with it.

    Args:
        behaviour: see `lifts`.
        judge: what measured it.
        asked: see `lifts`.
        before: what the model wrote.
        after: what the tuned model wrote.
        group: what the prompts are.
        margin: with one, the lift is to stay where it is, as in a control.
    """
    sides = [lifts(behaviour, asked, texts) for texts in (before, after)]
    return [
        _lift_line(judge, sides[0].lifted, sides[1].lifted, group, margin),
        *_pass_lines(judge, sides[0].passed, sides[1].passed, group, margin),
    ]


def _lift_line(
    judge: str, before: Mapping[str, list[Tally]], after: Mapping[str, list[Tally]], group: str, margin: float | None
) -> Evidence:
    better: Better = "higher" if margin is None else "same"
    line = compare(LIFT, "share", judge, before, after, better=better, margin=margin, group=group)
    # It begins near 0, and a share of that says nothing.
    return line.model_copy(update={"change": None, "change_low": None, "change_high": None})


def _pass_lines(
    judge: str, before: Mapping[str, list[Tally]], after: Mapping[str, list[Tally]], group: str, margin: float | None
) -> list[Evidence]:
    if margin is not None:
        return []
    return [compare(PASS_RATE, "share", judge, before, after, better="higher", group=group)]
