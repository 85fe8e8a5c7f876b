"""A list of overused words and phrases, as a behaviour."""

import hashlib
import json
from collections.abc import Sequence

from planish.find.hits import hit_scores
from planish.records.rule import BanRule
from planish.records.score import Failure, Sample, Score
from planish.text.matcher import Matcher
from planish.text.rules import RuleMatcher
from planish.text.span import Span, longest_without_overlap


class Slop:
    """A frozen list of what must not be written, as a behaviour. `value` is the share of words inside a hit.

    `strengths` are the rules' own, by the name that spans call them by.
    """

    name = "slop"

    def __init__(self, rules: Sequence[BanRule]) -> None:
        self.rules = list(rules)
        # Of rules that say the same the first is reported: let it be the one that bans most.
        strictest_first = sorted(rules, key=lambda rule: -rule.strength)
        self._matcher = RuleMatcher(rule.pattern for rule in strictest_first)
        self.strengths = {rule.pattern.name: rule.strength for rule in reversed(strictest_first)}
        listed = "\n".join(sorted({_line(rule) for rule in rules}))
        self.version = hashlib.blake2b(listed.encode(), digest_size=4).hexdigest()

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """Hits and words of each text; a hit is a longest match that overlaps no other."""
        return hit_scores(self, samples)

    def locate(self, texts: Sequence[str]) -> list[list[Span]]:
        """Longest matches without overlap."""
        return [longest_without_overlap(self._matcher.locate(text)) for text in texts]

    def matcher(self) -> Matcher:
        """The list as an automaton."""
        return self._matcher


def _line(rule: BanRule) -> str:
    options = json.dumps(rule.options, sort_keys=True) if rule.options else ""
    return f"{rule.kind} {rule.text}{options}"
