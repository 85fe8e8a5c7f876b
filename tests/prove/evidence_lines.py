"""Lines of evidence that tests of pages and pictures share."""

from planish.prove.evidence import compare
from planish.records.evidence import Evidence

HOSTILE = '<script>alert("x")</script> & "quoted" \'too\''


def line(
    name: str, before: float, after: float, margin: float | None = None, group: str = "held-out prompts"
) -> Evidence:
    sides = ({str(number): [(figure, 1.0)] for number in range(6)} for figure in (before, after))
    better = "lower" if margin is None else "same"
    return compare(name, "per 1k words", f"judge of {name}", *sides, better=better, margin=margin, group=group)  # type: ignore[arg-type]


def lines() -> list[Evidence]:
    """A goal that was reached, a guard that held, one from 0, one that broke, and one on other texts."""
    return [
        line("slop_index", 8.0, 2.0),
        line("slop_per_1k_words", 20.0, 2.0),
        line("kl_per_token", 0.0, 0.1, margin=0.2),
        line("words_per_text", 180.0, 150.0, margin=18.0),
        line("perplexity_reference", 21.0, 21.2, margin=1.0, group="reference text"),
        line(HOSTILE, 3.0, 2.9, margin=1.0),
    ]
