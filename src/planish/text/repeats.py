"""Word strings that stand in text after text."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

Run = Sequence[str]
Entry = tuple[str, ...]


def repeats(texts: Sequence[Sequence[Run]], longest: int, least_texts: int) -> set[Entry]:
    """Every string of 1 to `longest` words that stands in at least `least_texts` texts.

    Args:
        texts: each as runs of words; a string never reaches from one run into the next.
        longest: words in a string.
        least_texts: texts that have it.
    """
    found: set[Entry] = set()
    for length in range(1, longest + 1):
        texts_with: Counter[Entry] = Counter()
        for text in texts:
            # A string is no more frequent than its parts, so most need not be counted.
            texts_with.update(
                {
                    entry
                    for entry in (entry for run in text for entry in strings(run, length))
                    if length == 1 or (entry[1:] in found and entry[:-1] in found)
                }
            )
        found |= {entry for entry, count in texts_with.items() if count >= least_texts}
    return found


def strings(run: Run, length: int) -> Iterator[Entry]:
    """Every string of `length` words in a run, in order, overlapping."""
    return zip(*(run[start:] for start in range(length)), strict=False)


def maximal(counts: Mapping[Entry, int], almost_all: float) -> set[Entry]:
    """The entries that mean something by themselves: none that is one word longer has almost all their occurrences.

    Args:
        counts: occurrences of entries.
        almost_all: the share of its occurrences with which an entry is only a part of the longer one.
    """
    parts = {
        part
        for entry, count in counts.items()
        for part in (entry[1:], entry[:-1])
        if part in counts and count >= almost_all * counts[part]
    }
    return counts.keys() - parts
