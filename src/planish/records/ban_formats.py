"""How other tools keep their ban lists.

koboldcpp
    A request with `banned_tokens` (or `banned_strings`), a list of strings; or the box of the same name in SillyTavern:
    a line a string, in quotes. Found in any case, inside words too.
tabbyAPI
    A request with `banned_strings`, a list of strings or one. Found in any case, inside words too.
Auto-Antislop
    A folder with a list of phrases, each beside a number that says nothing, one of n-grams, and one of regexes. Phrases
    are found in any case, as whole words.
"""

from typing import Literal, NamedTuple

Format = Literal["planish", "text", "koboldcpp", "tabbyapi", "antislop"]

# Auto-Antislop's files.
PHRASES = "banned_slop_phrases.json"
NGRAMS = "banned_ngrams.json"
REGEXES = "user_defined_regex_blocklist.json"


class LeftOut(NamedTuple):
    """A rule that cannot come along, and why."""

    text: str
    reason: str
