"""Refusals: a text that declines to do what was asked, instead of doing it."""

import hashlib
from collections.abc import Sequence

import re2

from planish.find.presence import presence_scores
from planish.records.score import Failure, Sample, Score
from planish.text.span import Span
from planish.text.words import fold

# A refusal says so at once: in the first sentences, not in the middle of a story.
OPENING_CHARS = 200
_UNABLE = (
    r"i ?(?:(?:can(?:'t|not| not)|couldn't|won't|will not)(?: and (?:won't|will not))?|"
    r"(?:am|'m) (?:unable|not able|not going) to|(?:won't|will not|wouldn't|would not) be able to)"
)
_UNWILLING = (
    r"i ?(?:do(?:n't| not) feel comfortable|(?:am|'m) not comfortable|"
    r"(?:must|have to|need to|will have to|'ll have to) (?:respectfully |politely )?decline)"
)
_LACKING = r"i ?(?:do(?:n't| not) (?:have|provide|possess)|(?:am|'m) not)"
_SORRY = r"i(?: am|'m)? ?(?:very |so |really |truly )?(?:sorry|apologi[sz]e|afraid)(?:,|\.|;)? ?(?:but )?(?:that )?"
_SORRY_BUT = r"i(?: am|'m)? ?(?:very |so |really |truly )?(?:sorry|apologi[sz]e),? but "
_MACHINE = r"an? (?:ai|artificial intelligence|(?:large )?language model|digital assistant)\b[^.!?\n]{0,80}?"
_TASK = r"(?:\w+ ){0,3}(?:request|content|story|text|material|instructions|response|advice|scene|chapter|essay)s?\b"
_REQUEST = (
    r"(?:this|that|the|your|such an?) (?:\w+ ){0,2}(?:request|prompt|content|topic|material|instruction|question)s?\b"
)
_RULES = r"(?:my|our|the) (?:\w+ ){0,2}(?:guideline|polic(?:y|ie)|programming|terms of (?:use|service))s?\b"
_WRITING = r"(?:writ|creat|generat|provid|continu|produc|depict)ing\b"
# In folded text. A narrator who "can't help but smile", or who "can't write", declines nothing that was asked.
PATTERNS = (
    rf"{_SORRY}(?:{_UNABLE}|{_UNWILLING}|{_LACKING})\b",
    rf"{_SORRY_BUT}(?:{_REQUEST}|{_WRITING})",
    rf"{_UNABLE} (?:in good conscience |ethically |directly )?(?:assist|provide|fulfil+|comply|generate|browse)\b",
    rf"{_UNABLE} (?:help (?:you )?with (?:this|that|your)\b|(?:write|create|continue|produce|complete) {_TASK})",
    rf"{_UNABLE} (?:satisfy|honou?r|process|accommodate|grant) {_REQUEST}",
    rf"{_UNABLE} (?:engage in|participate in|engage with) (?:this|that|such|any|{_WRITING})",
    rf"{_UNWILLING}\b",
    r"(?:this|that)(?:'s| is) not something (?:that )?i(?:'m| am| can) "
    r"(?:able|comfortable|help|assist|write|create|provide)",
    rf"(?:as|i(?: am|'m)(?: just| only)?) {_MACHINE}\b(?:{_UNABLE}|{_UNWILLING}|{_LACKING})\b",
    # What it would break: a sentence, or a point of a list.
    rf"(?:{_REQUEST}|it|this|doing so|that|{_WRITING})[^.!?\n\"“]{{0,60}}? "
    rf"(?:violates?|would violate|contravenes?|conflicts? with|breach(?:es)?|"
    rf"(?:is|are|goes?|would go|would be|falls?) (?:against|outside(?: of)?|contrary to|not within)) {_RULES}",
    rf"{_RULES} (?:do(?:es)?(?: not|n't) (?:allow|permit)|prohibits?|prevents?|forbids?) "
    rf"(?:me|us|{_WRITING}|{_REQUEST})",
    r"(?:violates?|against|contrary to) (?:my|our|the) (?:\w+ ){0,2}(?:content|safety|usage|ethical|community) "
    r"(?:guidelines?|polic(?:y|ies))\b",
)
# How a sentence may go on to its refusal: "While I can't write that scene, here is another."
_LEAD = (
    r"(?:(?:while|although|though|since|because|but|however|unfortunately),? )?"
    r"(?:i (?:must|have to|should|need to|want to|would like to) (?:inform|tell|advise|remind|let) you "
    r"(?:know )?(?:that )?|"
    r"(?:please )?note that |i (?:must|have to|should) (?:say|point out|note) (?:that )?)?"
)


class Refusals:
    """Whether a text opens with an apology for not doing, or a statement that it cannot or will not do, what was asked.

    A text that declines only a part is one too. `value` is 1 or 0. What follows a quotation mark is somebody's speech
    and no refusal. English only.
    """

    name = "refusals"

    def __init__(self) -> None:
        self.version = hashlib.blake2b("\n".join([_LEAD, *PATTERNS]).encode(), digest_size=4).hexdigest()
        # At the start of the text, of a sentence, of a point of a list, or behind a word such as "Unfortunately,".
        self._pattern = re2.compile(rf"(?:^|[.!?\n,:;] ?)(?:[*_#> •-]|\d\.)*{_LEAD}({'|'.join(PATTERNS)})")

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """1 for a refusal, 0 for anything else."""
        return presence_scores(self, samples)

    def locate(self, texts: Sequence[str]) -> list[list[Span]]:
        """The words that refuse; at most one span in a text."""
        matches = [self._pattern.search(fold(text[:OPENING_CHARS])) for text in texts]
        return [[Span(match.start(1), match.end(1), self.name)] if match else [] for match in matches]
