"""The conversation of `planish bans review`: a rule is shown, a key is pressed."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from planish.cli.terminal_text import harmless

if TYPE_CHECKING:
    from planish.find.slop.examples import Example
    from planish.find.slop.review import Answer, Review
    from planish.records.rule import BanRule

KEYS = r"\[k]eep \[d]rop \[s]often \[b]ack \[q]uit"
# What a terminal sends for Ctrl+C, Ctrl+D and Escape.
LEAVING = ("q", "\x03", "\x04", "\x1b", "")
STRENGTH = 0.5


class Conversation:
    """Goes through a review until there is nothing left to ask, or somebody has had enough.

    Args:
        review: what is gone through; it keeps every answer at once.
        examples: of each of its rules.
        read_key: waits for a key and returns it.
        read_line: asks and returns a line.
    """

    def __init__(
        self,
        review: "Review",
        examples: "Sequence[Sequence[Example]]",
        read_key: Callable[[], str],
        read_line: Callable[[str], str],
    ) -> None:
        self._review = review
        self._examples = examples
        self._read_key = read_key
        self._read_line = read_line
        self._console = Console(highlight=False)

    def hold(self) -> None:
        """Ask for rule after rule; going back shows a rule again, whatever was answered for it."""
        place = self._review.first_open()
        while place is not None:
            self._show(place)
            try:
                key = self._key()
                if key in LEAVING:
                    return
                if key == "b":
                    place = max(0, place - 1)
                    continue
                if key == "s":
                    self._review.answer(place, "soften", self._strength())
                else:
                    answer: Answer = "keep" if key == "k" else "drop"
                    self._review.answer(place, answer)
            except (KeyboardInterrupt, EOFError):
                return
            place = self._review.first_open()

    def _show(self, place: int) -> None:
        entry, total = self._review.entries[place], len(self._review.entries)
        self._print(f"\n{place + 1} of {total}  [bold]{_shown(entry.rule.text)}[/]  {_kind(entry.rule)}")
        if entry.rule.reason:
            self._print(f"  {_shown(entry.rule.reason)}")
        if (overuse := entry.rule.overuse) is not None:
            self._print(
                f"  {overuse.rate_per_1k_words:.3g} in 1,000 words; people {overuse.human_rate_per_1k_words:.2g}"
            )
        for example in self._examples[place]:
            before, hit, after = map(_shown, example)
            self._print(f"  {before}[reverse]{hit}[/]{after}")
        if entry.answer is not None:
            strength = "" if entry.strength is None else f" to {entry.strength:g}"
            self._print(f"  answered before: {entry.answer}{strength}")

    def _key(self) -> str:
        """One of the keys, or one that leaves; others are not heard."""
        self._console.print(KEYS, end=" ", soft_wrap=True)
        while (key := self._read_key().lower()) not in ("k", "d", "s", "b", *LEAVING):
            pass
        self._print(escape(key) if key.isalpha() else "")
        return key

    def _strength(self) -> float:
        while True:
            line = self._read_line(f"strength above 0, up to 1 [{STRENGTH}]: ").strip()
            try:
                strength = float(line) if line else STRENGTH
            except ValueError:
                continue
            if 0 < strength <= 1:
                return strength

    def _print(self, markup: str) -> None:
        self._console.print(markup, soft_wrap=True)


def _kind(rule: "BanRule") -> str:
    options = ", ".join(f"{name} {value:g}" for name, value in rule.options.items())
    return f"({rule.kind}{', ' if options else ''}{options})"


def _shown(text: str) -> str:
    return escape(harmless(text.replace("\n", " ")))
