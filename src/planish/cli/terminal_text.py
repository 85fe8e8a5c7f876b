"""Text that a model wrote, for a terminal: a terminal obeys some characters instead of showing them."""

import re

# All control characters but line feed and tab, and what turns the direction of writing around.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
PICTURES = 0x2400
DELETE = "\x7f"


def harmless(text: str) -> str:
    """The same text with signs in place of such characters: ␛ for escape, <U+202E> where there is no sign."""
    return OBEYED.sub(lambda match: _sign(match.group()), text)


def _sign(char: str) -> str:
    if ord(char) < ord(" "):
        return chr(PICTURES + ord(char))
    return "␡" if char == DELETE else f"<U+{ord(char):04X}>"
