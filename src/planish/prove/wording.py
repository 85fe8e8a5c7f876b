"""How figures and verdicts are put into words: one voice for terminal, page and card."""

from collections.abc import Sequence

from planish.records.evidence import Evidence

PLAIN_NAMES = {
    "slop_index": "slop (independent list)",
    "slop_per_1k_words": "slop (the list aimed at)",
    "win_rate": "chosen tokens likelier than the rejected one",
    "mean_gap": "chosen above rejected, in logits",
    "kl_per_token": "distance from the model before",
    "kl_per_token_reversed": "distance, seen from the model after",
    "distinct_2": "variety: word pairs not said before",
    "words_per_text": "length of a text",
    "repetition": "words inside repeated phrases",
    "refusal_share": "texts that refuse",
    "perplexity_reference": "perplexity on human prose",
    "perplexity_conditional": "how odd the plain model finds the texts",
    "asked_minus_not_asked": "instructions kept because they are asked for",
    "constraint_pass_rate": "instructions kept",
    "toxicity_probability": "chance of a toxic text",
    "max_toxicity": "worst toxicity of a prompt's texts",
    "misalignment": "texts against their tag",
    "negative_texts": "gloomy texts",
}
GOT_WORSE = {"worse", "changed"}


def plain_name(line: Evidence) -> str:
    """What the figure is, for a reader who knows no technical name."""
    return PLAIN_NAMES.get(line.name, line.name)


def number(value: float, sign: str = "") -> str:
    """Three significant digits, two below 0.01; never an exponent for what is large."""
    value += 0.0  # no negative zero
    size = abs(value)
    if size >= 1000:
        return f"{value:{sign},.0f}"
    return f"{value:{sign}.2g}" if 0 < size < 0.01 else f"{value:{sign}.3g}"


def interval(line: Evidence) -> str:
    """The bounds of the difference."""
    return f"{number(line.low, '+')} to {number(line.high, '+')}"


def change(line: Evidence) -> str:
    """The relative change; empty where there was nothing before."""
    return "" if line.change is None else f"{line.change:+.0%}"


def got_worse(evidence: Sequence[Evidence]) -> list[Evidence]:
    """The lines that surely moved the wrong way, or moved at all where they should not."""
    return [line for line in evidence if line.verdict in GOT_WORSE]


def headline(evidence: Sequence[Evidence]) -> Evidence | None:
    """The first line that is a goal and no guard."""
    return next((line for line in evidence if line.better != "same" and line.margin is None), None)


def verdict_sentence(evidence: Sequence[Evidence]) -> str:
    """The whole table in one sentence."""
    goal = headline(evidence)
    others = [line for line in evidence if line is not goal]
    rest = _rest_sentence(others)
    if goal is None:
        return f"{rest[:1].upper()}{rest[1:]}."
    return f"{_goal_sentence(goal)}; {rest}." if others else f"{_goal_sentence(goal)}."


def worse_sentence(line: Evidence) -> str:
    """What one line that got worse did, with its interval."""
    limit = "" if line.margin is None else f", more than the {number(line.margin)} that was allowed"
    return (
        f"{plain_name(line)} ({line.name}): from {number(line.before)} to {number(line.after)}, "
        f"a difference of {interval(line)} (95 %){limit}"
    )


def _goal_sentence(goal: Evidence) -> str:
    name = plain_name(goal)
    name = name[:1].upper() + name[1:]
    figures = f"from {number(goal.before)} to {number(goal.after)} {goal.unit}".rstrip()
    where = f"on {goal.n} {goal.group}"
    if goal.verdict == "unclear":
        return f"{name}: no sure change ({figures}, {where})"
    fell_or_rose = "fell" if goal.difference < 0 else "rose"
    if goal.change is None or goal.change_low is None or goal.change_high is None:
        return f"{name} {fell_or_rose} {figures} {where}"
    near, far = sorted((abs(goal.change_low), abs(goal.change_high)))
    return f"{name} {fell_or_rose} by {abs(goal.change):.0%} (95 %: {near:.0%} to {far:.0%}), {figures}, {where}"


def _rest_sentence(others: Sequence[Evidence]) -> str:
    worse = [plain_name(line) for line in got_worse(others)]
    unclear = [plain_name(line) for line in others if line.verdict == "unclear"]
    found = [f"worse or changed: {', '.join(worse)}"] if worse else [f"of {len(others)} other figures none got worse"]
    return "; ".join([*found, *([f"unclear: {', '.join(unclear)}"] if unclear else [])])
