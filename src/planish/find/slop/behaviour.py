"""A list of overused words and phrases, as a behaviour."""

import hashlib
import json
from collections.abc import Sequence

from planish.records.rule import BanRule
from planish.records.score import Failure, Sample, Score
from planish.text.matcher import Matcher
from planish.text.rules import RuleMatcher
from planish.text.span import Span, longest_without_overlap
from planish.text.words import WORD


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
        scores: list[Score | Failure] = []
        for sample, spans in zip(samples, self.locate([sample.text for sample in samples]), strict=True):
            said = list(WORD.finditer(sample.text))
            total = len(said)
            # A hit may end inside a word, as "well" does in "well-known"; the word is still one.
            inside = sum(any(span.start < word.end() and word.start() < span.end for span in spans) for word in said)
            scores.append(
                Score(
                    generation_id=sample.generation_id,
                    behaviour=self.name,
                    version=self.version,
                    value=inside / total if total else 0.0,
                    hits=len(spans),
                    words=total,
                    spans=tuple(spans),
                )
            )
        return scores

    def locate(self, texts: Sequence[str]) -> list[list[Span]]:
        """Longest matches without overlap."""
        return [longest_without_overlap(self._matcher.locate(text)) for text in texts]

    def matcher(self) -> Matcher:
        """The list as an automaton."""
        return self._matcher


def _line(rule: BanRule) -> str:
    options = json.dumps(rule.options, sort_keys=True) if rule.options else ""
    return f"{rule.kind} {rule.text}{options}"
