"""Sentence structures that language models are known for, whatever words fill them."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from planish.find.hits import hit_scores
from planish.records.score import Failure, Sample, Score
from planish.text.matcher import Matcher
from planish.text.pattern import Pattern
from planish.text.span import Span, longest_without_overlap
from planish.text.whole_sentences import WholeRegexes

_OPENING = r"^[\"“'‘*_(]*"
_NOT = r"(?:\bnot|n['’]t)"
# What a contrast sets against each other begins with one of these on both sides.
_DETERMINER = r"an?|the|his|her|its|my|our|your|their|this|that|one|some"
_PREPOSITION = r"with|without|in|into|from|for|of|by|to|as|at|on|like|through|because|out"
_SET_AGAINST = rf"(?:{_DETERMINER}|{_PREPOSITION})\b"
_IT_IS = r"(?:it|this|that|he|she|they|we|you|i)(?:['’](?:s|re|m|d)| is| was| are| were| am)\b"
_BREAK = r"\s?[,;—–-]+\s?"
_WITHIN = r"[^.;:?!]"
_ITEM = r"[\w'’-]+(?: [\w'’-]+){0,2}"
# Not "nothing" and its like, nor "during".
_PARTICIPLE = r"(?:\w+[^hr\W]|\w+[^t\W]h|\w*(?:a|oo)th|\w+[^u\W]r|\w+[^d\W]ur)ing"
_SUBJECT = r"(?:he|she|they|i|we|it|you|the|his|her|their|my|our|(?-i:[A-Z])\w+)\b"
_TOLD = r"result|answer|outcome|catch|problem|truth|reason|irony|twist|kicker|price|cost|effect|consequence|verdict"


class Structure(NamedTuple):
    """A way to build a sentence, by an RE2 pattern that is looked for within one sentence, in any case."""

    name: str
    regex: str
    description: str

    @property
    def pattern(self) -> Pattern:
        """What the matchers look for."""
        return Pattern(self.regex, "regex")


STRUCTURES = (
    Structure(
        "not X but Y",
        rf"\bnot {_SET_AGAINST}{_WITHIN}{{1,60}}?\bbut (?:rather )?{_SET_AGAINST}"
        r"|\bnot \w+,? but (?:rather )?\w+(?:[,.;:!?—]|$)",
        "sets what is against what is not: “not a warning, but a promise”",
    ),
    Structure(
        "not just X but Y",
        rf"{_NOT} (?:just|only|merely|simply)\b{_WITHIN}{{1,80}}?(?:\bbut\b|{_BREAK}{_IT_IS})",
        "goes one better than what it says: “not just a house, but a home”",
    ),
    Structure(
        "it isn't X, it's Y",
        rf"\b(?:it|this|that|he|she|they)(?:['’]s| is| was|['’]re| are| were)?(?: not|n['’]t) "
        rf"{_WITHIN}{{1,60}}?{_BREAK}{_IT_IS}",
        "takes back what nobody said: “It wasn't fear, it was hunger”",
    ),
    Structure(
        "not about X, about Y",
        rf"{_NOT} (?:\w+ )?about\b{_WITHIN}{{1,60}}?(?:{_BREAK}|\bbut )(?:{_IT_IS} )?(?:\w+ )?about\b",
        "says what it is about by what it is not: “It's not about winning, it's about trying”",
    ),
    Structure(
        "A, B, and C",
        rf"\b{_ITEM}, {_ITEM}, (?:and|or) [\w'’-]+",
        "three of a kind, or the last three of more: “salt, smoke, and old wood”",
    ),
    Structure(
        "dash",
        r"—|\s–\s|\s--\s|[^\s-]--[^\s-]",
        "breaks the sentence with a dash",
    ),
    Structure(
        "stock opener",
        rf"{_OPENING}(?:(?:and yet|but then|in that moment|for a (?:long |brief )?moment|for the first time|"
        r"somewhere (?:in the distance|deep|far))\b|somewhere,)",
        "begins a sentence as many others are begun: “And yet”, “In that moment”",
    ),
    Structure(
        "participle opener",
        rf"{_OPENING}{_PARTICIPLE}(?: [^\s,.;:?!—]+){{1,8}}, {_SUBJECT}"
        rf"|{_OPENING}{_PARTICIPLE}, (?:he|she|they|we|it)\b",
        "begins with what is done on the side: “Turning the page, she sighed”",
    ),
    Structure(
        "trailing participle",
        rf", (?:\w+ly )?{_PARTICIPLE} "
        rf"(?:{_DETERMINER}|{_PREPOSITION}|against|around|away|down|out|over|up|him|them|me)\b",
        "hangs on what happens at the same time: “She rose, smoothing her skirt”",
    ),
    Structure(
        "question to itself",
        rf"{_OPENING}(?:and |but )?(?:the|my|his|her|their|our) (?:\w+ )?(?:{_TOLD}|(?:best|worst) (?:part|thing))\?",
        "asks what it answers itself in the next sentence: “The result?”",
    ),
    Structure(
        "something shifted",
        r"\bsomething (?:\w+ )?(?:(?:in|inside|between|within) \w+ (?:\w+ )?)?(?:had |has )?(?:\w+ly )?"
        r"(?:shifted|flickered|stirred|changed|cracked|twisted|loosened|clicked|snapped|settled|softened)\b",
        "lets something that has no name happen: “Something in her shifted”",
    ),
    Structure(
        "like a X that Y",
        r"\blike an? (?:[\w'’-]+ ){1,4}(?:that|who|which)\b",
        "carries on with what it compares to: “like a song that nobody sang”",
    ),
    Structure(
        "like X, but Y",
        r"\blike [^,.;:?!—]{1,40}, but\b",
        "takes back half of what it compares to: “like rain, but slower”",
    ),
    Structure(
        "a mix of X and Y",
        r"\ban? (?:\w+ )?(?:mix|mixture|blend|combination) of [^,.;:?!]{1,60}? and\b",
        "makes one feeling of two: “a mix of fear and wonder”",
    ),
)


class Structures:
    """Sentence structures, as a behaviour. `value` is the share of words inside one; spans go by its name."""

    name = "structures"

    def __init__(self) -> None:
        self._matcher = WholeRegexes({structure.regex: structure.name for structure in STRUCTURES})
        listed = "\n".join(f"{structure.name}\t{structure.regex}" for structure in STRUCTURES)
        self.version = hashlib.blake2b(listed.encode(), digest_size=4).hexdigest()

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """Hits and words of each text; a hit is a longest match that overlaps no other."""
        return hit_scores(self, samples)

    def locate(self, texts: Sequence[str]) -> list[list[Span]]:
        """Longest matches without overlap."""
        return [longest_without_overlap(self._matcher.locate(text)) for text in texts]

    def matcher(self) -> Matcher:
        """The patterns while a text streams in."""
        return self._matcher
