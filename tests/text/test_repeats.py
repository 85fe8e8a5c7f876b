from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from planish.text.repeats import maximal, repeats, strings

WORDS = st.sampled_from("abc")
RUNS = st.lists(st.lists(WORDS, max_size=8), max_size=3)
TEXTS = st.lists(RUNS, max_size=5)
ENTRIES = st.lists(WORDS, min_size=1, max_size=4).map(tuple)


def brute_force(texts: list[list[list[str]]], longest: int, least_texts: int) -> set[tuple[str, ...]]:
    every = {
        tuple(run[start:end])
        for text in texts
        for run in text
        for start in range(len(run))
        for end in range(start + 1, min(len(run), start + longest) + 1)
    }

    def has(text: list[list[str]], entry: tuple[str, ...]) -> bool:
        return any(tuple(run[at : at + len(entry)]) == entry for run in text for at in range(len(run)))

    return {entry for entry in every if sum(has(text, entry) for text in texts) >= least_texts}


@given(TEXTS, st.integers(1, 6), st.integers(1, 4))
def test_repeats_are_those_of_a_brute_force_search(
    texts: list[list[list[str]]], longest: int, least_texts: int
) -> None:
    assert repeats(texts, longest, least_texts) == brute_force(texts, longest, least_texts)


@given(st.dictionaries(ENTRIES, st.integers(1, 10), max_size=12), st.floats(0.1, 1))
def test_maximal_are_those_that_no_extension_nearly_replaces(
    counts: dict[tuple[str, ...], int], almost_all: float
) -> None:
    def extends(longer: tuple[str, ...], entry: tuple[str, ...]) -> bool:
        return len(longer) == len(entry) + 1 and entry in (longer[1:], longer[:-1])

    assert maximal(counts, almost_all) == {
        entry
        for entry in counts
        if not any(extends(longer, entry) and counts[longer] >= almost_all * counts[entry] for longer in counts)
    }


def test_a_phrase_that_always_stands_whole_leaves_no_pieces() -> None:
    runs = [["in", "once", "upon", "a", "time"], ["once", "upon", "a", "time", "there"]]
    counts = Counter(entry for run in runs for length in (2, 3, 4) for entry in strings(run, length))
    repeated = {entry: count for entry, count in counts.items() if count > 1}
    assert maximal(repeated, 0.9) == {("once", "upon", "a", "time")}
