"""Characters that are none: NUL, and what stands for a byte that is not UTF-8."""

import re
from collections import Counter

MENDED = "NUL or broken UTF-8, read with � in its place"
BYTE_ORDER_MARK = "\ufeff"
BROKEN = re.compile("[\0\ud800-\udfff]")


def mended(text: str, left_out: Counter[str]) -> str:
    """The text without a byte order mark, and with � where there was no character; that is counted."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    if "\0" not in text and _is_encodable(text):
        return text
    left_out[MENDED] += 1
    return BROKEN.sub("\N{REPLACEMENT CHARACTER}", text)


def _is_encodable(text: str) -> bool:
    # A search for surrogates takes ten times as long.
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
