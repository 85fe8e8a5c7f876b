"""Where rules stand in texts, with what stands around them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from planish.records.rule import BanRule
from planish.text.corpus import Shard
from planish.text.rules import RuleMatcher

# Of a rule so many examples, each from another text, with so many characters on either side.
MOST, AROUND = 3, 60
# Who wants to see examples does not wait until the last text of a large corpus is read.
MOST_CHARACTERS = 50_000_000


class Example(NamedTuple):
    """A hit and what stands around it, in one line."""

    before: str
    hit: str
    after: str


def examples(
    rules: Sequence[BanRule], shards: Iterable[Shard], most: int = MOST, most_characters: int = MOST_CHARACTERS
) -> list[list[Example]]:
    """Of each rule the first examples, in order of the texts; what stands beyond so many characters is not read."""
    matcher = RuleMatcher(rule.pattern for rule in rules)
    found: dict[str, list[Example]] = {rule.pattern.name: [] for rule in rules}
    missing = most * len(found)
    characters = 0
    texts = (document.text for shard in shards for document in shard.documents(Counter()))
    while missing and characters < most_characters and (text := next(texts, None)) is not None:
        characters += len(text)
        first_of_rule = {span.rule: span for span in reversed(matcher.locate(text))}
        for span in first_of_rule.values():
            if len(found[span.rule]) < most:
                found[span.rule].append(_example(text, span.start, span.end))
                missing -= 1
    return [found[rule.pattern.name] for rule in rules]


def _example(text: str, start: int, end: int) -> Example:
    before = ("…" if start > AROUND else "") + text[max(0, start - AROUND) : start]
    after = text[end : end + AROUND] + ("…" if end + AROUND < len(text) else "")
    # Line feeds and the like become spaces, and all others stay where they are.
    return Example(*(" ".join(part.splitlines()) for part in (before, text[start:end], after)))
