"""What several corpora have in common: which tics are shared, which are one's own, and which lists are alike."""

from typing import Literal

from planish.records.corpus_profile import Rate
from planish.records.record import Record


class FamilyRule(Record):
    """Something that at least one corpus overuses most.

    `listed_by` are the corpora on whose lists it stands, `rates` how often it stands in each, in the order of
    `Family.names`. It is shared by "all", or by "most" (more than half of them); "private", where it is on one list
    only and surely more frequent there than in every other corpus; or listed by "some".
    """

    text: str
    listed_by: tuple[str, ...]
    rates: tuple[Rate, ...]
    shared_by: Literal["all", "most", "some", "private"]


class Merge(Record):
    """Two branches of the tree that become one at a distance, and how many corpora are on it then.

    `first` and `second` are numbers of `Family.names`, or, from `len(names)` on, of earlier merges.
    """

    first: int
    second: int
    distance: float
    leaves: int


class Family(Record):
    """Several corpora side by side, in the order of the alphabet, whatever order they were given in.

    `rules` are in order of how many lists have them, then of how frequent they are where they are most frequent. The
    distance of two lists is 1 minus their Jaccard overlap; `newick` is the same tree as `merges`.
    """

    names: tuple[str, ...]
    rules: tuple[FamilyRule, ...]
    merges: tuple[Merge, ...]
    newick: str
