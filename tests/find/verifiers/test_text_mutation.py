from hypothesis import given
from hypothesis import strategies as st

from planish.find.verifiers.mutation import KINDS, mutants

STORY = 'He said: "Go home." She stayed, of course.\nIt rained all night.'
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)


@given(TEXTS, st.integers(0, 12), st.integers(0, 3))
def test_mutants_are_other_texts_and_no_two_are_the_same(text: str, count: int, seed: int) -> None:
    found = [mutant.text for mutant in mutants(text, count, seed)]
    assert text not in found
    assert len(found) == len(set(found)) <= count


def test_a_seed_names_its_mutants() -> None:
    assert mutants(STORY, 6, seed=1) == mutants(STORY, 6, seed=1)
    assert len({tuple(mutants(STORY, 6, seed)) for seed in range(5)}) == 5


def test_every_kind_of_change_comes_up() -> None:
    found = mutants(STORY.replace("rained", "Rained"), 100)
    assert {mutant.kind for mutant in found} == set(KINDS)


def test_few_mutants_are_of_different_kinds() -> None:
    found = mutants(STORY, 8)
    assert len({mutant.kind for mutant in found}) == len(found) == 8


def test_each_kind_does_what_it_says() -> None:
    by_kind = {mutant.kind: mutant.text for mutant in mutants(STORY.replace("rained", "Rained"), 100)}
    words = STORY.split()
    assert len(by_kind["word_dropped"].split()) == len(words) - 1
    assert len(by_kind["word_doubled"].split()) == len(words) + 1
    assert sorted(by_kind["words_swapped"].lower().split()) == sorted(STORY.lower().split())
    assert by_kind["comma_added"].count(",") == STORY.count(",") + 1
    assert len(by_kind["mark_dropped"]) == len(STORY) - 1
    assert by_kind["sentences_joined"].count(".") == STORY.count(".") - 1
    assert by_kind["sentence_split"].count(".") == STORY.count(".") + 1
    assert by_kind["quotes_swapped"].count("'") == 2
    assert by_kind["all_in_capitals"].isupper()
    assert by_kind["said_twice"].count("rained".capitalize()) == 2
    assert len(by_kind["cut"].split()) == len(words) // 2
    assert "\n" not in by_kind["lines_joined"]
    assert by_kind["line_added"].count("\n") == by_kind["line_before"].count("\n") == 2
