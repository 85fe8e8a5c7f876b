"""Which of a prompt's answers to set against which: better ones against worse ones."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from planish.config import Settings


class Answer(NamedTuple):
    """An answer to a prompt. `pass_rate` in [0, 1] says how well it follows its instructions.

    `quality` says how well it answers the question, where somebody judged that.
    """

    id: str
    text: str
    pass_rate: float
    quality: float | None = None


class Pair(NamedTuple):
    """The ids of two answers to one prompt."""

    chosen: str
    rejected: str


class PairingSettings(Settings):
    """Which answers are good, which are bad, and how they meet."""

    method: Literal["best-worst", "zip", "repeat"] = "zip"
    """One pair of the best and the worst; each answer once at most; or the fewer repeated against the more."""
    chosen_at_least: float = Field(default=1.0, gt=0, le=1)
    """Pass rate of a chosen answer."""
    rejected_at_most: float = Field(default=0.5, ge=0, lt=1)
    """Pass rate of a rejected answer."""
    quality_at_least: float | None = None
    """Quality of a chosen answer; one that nobody judged is not chosen then."""
    most_uses: int = Field(default=3, ge=1)
    """How often `repeat` takes the same answer."""
    most_pairs: int | None = Field(default=None, ge=1)
    """Pairs of a prompt."""
    near_miss: bool = True
    """Whether rejected answers that fail least come first, or those that fail most; `best-worst` takes the worst."""
    match_length: bool = False
    """Whether an answer meets the rejected one nearest to it in length, among those that were used least; with
    `best-worst`, among those that are equally bad."""

    @model_validator(mode="after")
    def _thresholds_apart(self) -> Self:
        if self.rejected_at_most >= self.chosen_at_least:
            raise ValueError("rejected_at_most must be below chosen_at_least")
        return self


def pairs(answers: Sequence[Answer], settings: PairingSettings | None = None) -> list[Pair]:
    """The pairs of one prompt, the best first; of answers with the same text the first one counts."""
    rules = settings or PairingSettings()
    different = list({answer.text: answer for answer in reversed(answers)}.values())[::-1]
    chosen = sorted(filter(lambda answer: _is_good(answer, rules), different), key=_rank, reverse=True)
    rejected = [answer for answer in different if answer.pass_rate <= rules.rejected_at_most]
    nearest_first = rules.near_miss and rules.method != "best-worst"
    rejected.sort(key=_rank, reverse=nearest_first)
    if not chosen or not rejected:
        return []
    if rules.method == "best-worst":
        rejected = [answer for answer in rejected if _rank(answer) == _rank(rejected[0])]
    count = _count(len(chosen), len(rejected), rules)
    return _met([chosen[place % len(chosen)] for place in range(count)], rejected, match_length=rules.match_length)


def _is_good(answer: Answer, rules: PairingSettings) -> bool:
    if rules.quality_at_least is not None and (answer.quality is None or answer.quality < rules.quality_at_least):
        return False
    return answer.pass_rate >= rules.chosen_at_least


def _rank(answer: Answer) -> tuple[float, float]:
    """Better is higher; an unjudged answer stands below all that were judged."""
    return answer.pass_rate, float("-inf") if answer.quality is None else answer.quality


def _count(chosen: int, rejected: int, rules: PairingSettings) -> int:
    fewer, more = sorted((chosen, rejected))
    wanted = {"best-worst": 1, "zip": fewer, "repeat": min(more, rules.most_uses * fewer)}[rules.method]
    return wanted if rules.most_pairs is None else min(wanted, rules.most_pairs)


def _met(chosen: Sequence[Answer], rejected: Sequence[Answer], *, match_length: bool) -> list[Pair]:
    uses = [0] * len(rejected)
    met = []
    for one in chosen:
        # Those used least come first, so that no answer is used twice while another was not used once.
        free = min(
            range(len(rejected)), key=lambda place: (uses[place], _gap(one, rejected[place]) * match_length, place)
        )
        uses[free] += 1
        met.append(Pair(one.id, rejected[free].id))
    return met


def _gap(one: Answer, other: Answer) -> int:
    return abs(len(one.text) - len(other.text))
