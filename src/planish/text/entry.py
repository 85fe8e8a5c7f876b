"""What can be listed: a word, or words one after the other."""

from collections.abc import Iterator, Sequence

# Folded words.
Entry = tuple[str, ...]


def strings(words: Sequence[str], length: int) -> Iterator[Entry]:
    """Every string of so many words, in order, overlapping."""
    return zip(*(words[start:] for start in range(length)), strict=False)
