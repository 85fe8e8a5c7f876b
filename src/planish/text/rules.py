"""Rules of every kind in one stream of text."""

from collections.abc import Iterable, Sequence
from typing import Any

from planish.text.advancing import AdvancingMatcher
from planish.text.forms import inflected
from planish.text.pattern import Pattern
from planish.text.span import Span
from planish.text.whole_phrases import WholePhrases
from planish.text.whole_sentences import WholeNgrams, WholeRegexes

State = tuple[Any, ...]


class RuleMatcher(AdvancingMatcher):
    """Phrases, n-grams and regexes side by side, with their options or as (text, kind).

    Of rules that say the same the first is reported.

    Raises:
        UsageError: an n-gram has no content word, RE2 refuses a regex, or a rule has too many inflected forms.
    """

    def __init__(self, rules: Iterable[Pattern | tuple[str, str]]) -> None:
        self._matchers = _matchers([Pattern(*rule) for rule in rules])
        self.start: State = tuple(matcher.start for matcher in self._matchers)

    def advance(self, state: State, text: str, spans: list[Span]) -> tuple[State, int]:
        """See `AdvancingMatcher`."""
        states: list[Any] = []
        most_held = 0
        for matcher, own in zip(self._matchers, state, strict=True):
            after, held_chars = matcher.advance(own, text, spans)
            states.append(after)
            most_held = max(most_held, held_chars)
        if spans:
            spans.sort()
        return tuple(states), most_held

    def finish(self, state: State) -> list[Span]:
        """What the end of the text completes; see `Matcher`."""
        return sorted(span for matcher, own in zip(self._matchers, state, strict=True) for span in matcher.finish(own))

    def locate(self, text: str) -> list[Span]:
        """Every span in a whole text, overlapping ones included."""
        return sorted(span for matcher in self._matchers for span in matcher.locate(text))


def _matchers(rules: Sequence[Pattern]) -> list[AdvancingMatcher]:
    """One for each kind of rule that is there: any other would only cost time."""
    phrases: dict[tuple[bool, bool], dict[str, str]] = {}
    ngrams: dict[str, str] = {}
    regexes: dict[str, str] = {}
    for rule in rules:
        forms = inflected(rule.text) if rule.inflections else [rule.text]
        if rule.kind == "phrase":
            same = phrases.setdefault((rule.case_sensitive, rule.whole_words), {})
        else:
            same = ngrams if rule.kind == "ngram" else regexes
        if rule.kind == "regex" and rule.case_sensitive:
            forms = [f"(?-i){rule.text}"]
        for form in forms:
            same.setdefault(form, rule.name)
    return [
        *(WholePhrases(forms, *options) for options, forms in phrases.items()),
        *([WholeNgrams(ngrams)] if ngrams else []),
        *([WholeRegexes(regexes)] if regexes else []),
    ]
