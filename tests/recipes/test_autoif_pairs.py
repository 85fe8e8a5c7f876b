"""In every pair the chosen answer keeps what its prompt asks for, and the rejected one breaks it."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError
from planish.find.instructions import BrokenInstructions, ask, parse_constraint
from planish.models.language_model import LanguageModel
from planish.prove.evidence import score_all
from planish.prove.lift import Asked
from planish.recipes.autoif_pairs import by_lot, crossed, near_misses, paired, require_pairs, without_one
from planish.records.generation import Generation
from planish.records.preference import CompletionPreference
from planish.records.prompt import Prompt
from planish.train.pairing import PairingSettings

PLAIN = [Prompt(text=f"Tell of dog {number}.") for number in range(3)]
SHORT = 'at_most_words{"count": 3}'
KINDS = ["no_commas", "no_full_stops", SHORT, "question", "all_lowercase"]
SAID = [
    "Dogs bark.",
    "Dogs, cats and mice bark",
    "why, do dogs bark?",
    "dogs",
    "A long tale, which has no end.",
    "Why?",
    "...",
    "dogs bark, dogs bark, dogs bark",
]


def answers(prompt: Prompt, *said: str, lost: bool = False) -> list[Generation]:
    return [
        Generation(
            id=f"{prompt.id}-{number}",
            prompt_id=prompt.id,
            sample=number,
            seed=number,
            text=text,
            prompt_token_ids=(7, 8, 9),
            token_ids=tuple(text.encode()),
            char_ends=(),
            finish="failed" if lost else "stop",
            status="failed" if lost else "ok",
        )
        for number, text in enumerate(said)
    ]


def asked_for(*spelled: str, plain: Prompt = PLAIN[0]) -> Prompt:
    return ask(plain, [parse_constraint(each) for each in spelled])


def broken_of(prompts: Sequence[Prompt], texts: Sequence[Generation]) -> dict[str, float]:
    return {score.generation_id: score.value for score in score_all(BrokenInstructions(), prompts, texts)}


def kept(spelled: Sequence[str], text: object) -> list[bool]:
    return [parse_constraint(each).holds(str(text)) for each in spelled]


SPELLED = st.lists(st.sampled_from(KINDS), min_size=1, max_size=2, unique=True)
TEXTS = st.lists(st.sampled_from(SAID), max_size=6)


@given(st.lists(st.tuples(SPELLED, TEXTS), min_size=1, max_size=3), st.sampled_from([0.0, 0.5]))
def test_a_pair_is_of_one_prompt_and_says_how_much_each_side_keeps(
    given_texts: list[tuple[list[str], list[str]]], at_most: float
) -> None:
    prompts = [asked_for(*spelled, plain=plain) for plain, (spelled, _) in zip(PLAIN, given_texts, strict=False)]
    texts = [text for prompt, (_, said) in zip(prompts, given_texts, strict=True) for text in answers(prompt, *said)]
    found = paired(prompts, texts, broken_of(prompts, texts), {}, PairingSettings(rejected_at_most=at_most))
    by_prompt = {prompt.text: prompt for prompt in prompts}
    for pair in found:
        prompt = by_prompt[str(pair.prompt)]
        own = {text.text: text for text in texts if text.prompt_id == prompt.id}
        assert pair.verifiers == prompt.constraints
        shares = [sum(kept(pair.verifiers, side)) / len(pair.verifiers) for side in (pair.chosen, pair.rejected)]
        assert [*pair.scores] == pytest.approx(shares)
        assert shares[0] == 1
        assert shares[1] <= at_most
        # What the model read and wrote, and not the text again.
        assert pair.prompt_ids == (7, 8, 9)
        assert pair.chosen_ids == own[str(pair.chosen)].token_ids
        assert pair.rejected_ids == own[str(pair.rejected)].token_ids
    for prompt in prompts:
        own_texts = {text.text for text in texts if text.prompt_id == prompt.id}
        good = [text for text in own_texts if all(kept(prompt.constraints, text))]
        bad = [text for text in own_texts if sum(kept(prompt.constraints, text)) / len(prompt.constraints) <= at_most]
        assert sum(pair.prompt == prompt.text for pair in found) == min(len(good), len(bad))


def test_answers_that_failed_or_were_not_judged_are_in_no_pair() -> None:
    prompt = asked_for("no_commas")
    texts = answers(prompt, "One two", "One, two")
    broken = broken_of([prompt], texts)
    assert len(paired([prompt], texts, broken, {}, PairingSettings())) == 1
    assert not paired([prompt], texts, {texts[0].id: 0.0}, {}, PairingSettings())
    lost = answers(prompt, "One two", "One, two", lost=True)
    assert not paired([prompt], [texts[0], lost[1]], broken, {}, PairingSettings())
    # A prompt that fell away takes its answers with it.
    assert not paired([], texts, broken, {}, PairingSettings())


def test_the_better_of_passing_answers_is_taken_where_somebody_judged_them() -> None:
    prompt = asked_for("no_commas")
    texts = answers(prompt, "poor", "rich", "a, b")
    quality = {texts[0].id: 2.0, texts[1].id: 9.0}
    for liked, expected in ((quality, "rich"), ({texts[0].id: 9.0}, "poor")):
        [pair] = paired([prompt], texts, broken_of([prompt], texts), liked, PairingSettings())
        assert pair.chosen == expected


def crossed_pairs(tiny: LanguageModel, most: int = 3, seed: int = 0) -> list[CompletionPreference]:
    return crossed(tiny, {prompt: answers(prompt, *SAID) for prompt in PLAIN}, KINDS, most, seed)


def test_crossed_answers_are_set_against_each_other_in_both_orders(tiny: LanguageModel) -> None:
    found = crossed_pairs(tiny)
    groups = defaultdict(list)
    for pair in found:
        groups[pair.group].append(pair)
        [spelled] = pair.verifiers
        assert kept([spelled], pair.chosen) == [True]
        assert kept([spelled], pair.rejected) == [False]
        assert pair.scores == (1, 0)
    assert "" not in groups
    assert len(groups) > len(PLAIN)
    for first, second in groups.values():
        assert (first.chosen, first.rejected) == (second.rejected, second.chosen)
        assert (first.chosen_ids, first.rejected_ids) == (second.rejected_ids, second.chosen_ids)
        assert first.chosen_ids == tuple(str(first.chosen).encode())
        assert first.verifiers != second.verifiers
        assert first.prompt != second.prompt
    # Those of a group stand together.
    assert [one.group == other.group for one, other in pairwise(found)][::2] == [True] * len(groups)


def test_in_crossed_pairs_no_text_is_preferred_on_the_whole(tiny: LanguageModel) -> None:
    balance: Counter[object] = Counter()
    for pair in crossed_pairs(tiny):
        balance[pair.chosen] += 1
        balance[pair.rejected] -= 1
    assert set(balance.values()) == {0}


def test_a_crossed_pair_is_read_under_the_prompt_that_asks_and_not_under_that_it_was_written_for(
    tiny: LanguageModel,
) -> None:
    plain = {str(prompt.text): prompt for prompt in PLAIN}
    for pair in crossed_pairs(tiny):
        [own] = [text for text in plain if str(pair.prompt).startswith(text)]
        said = str(pair.prompt).removeprefix(own).strip()
        constraint = parse_constraint(pair.verifiers[0])
        assert said in {constraint.instruction(random.Random(seed)) for seed in range(50)}
        assert list(pair.prompt_ids) == tiny.encode(Prompt(text=str(pair.prompt)))


@pytest.mark.parametrize("most", [1, 2])
def test_a_crossed_answer_stands_in_so_many_couples(most: int, tiny: LanguageModel) -> None:
    uses = Counter(place for pair in crossed_pairs(tiny, most) for place in {*pair.group.split()})
    assert max(uses.values()) == 2 * most


def test_crossing_is_drawn_by_the_seed(tiny: LanguageModel) -> None:
    assert crossed_pairs(tiny) == crossed_pairs(tiny)
    assert crossed_pairs(tiny) != crossed_pairs(tiny, seed=1)


def test_where_all_answers_are_alike_nothing_is_crossed(tiny: LanguageModel) -> None:
    assert crossed(tiny, {prompt: answers(prompt, "dogs", "dogs", "cats") for prompt in PLAIN}, KINDS, 3, 0) == []
    assert crossed(tiny, {PLAIN[0]: []}, KINDS, 3, 0) == []


@given(SPELLED, TEXTS, st.integers(1, 3), st.integers(0, 9))
def test_a_near_miss_is_a_passing_answer_that_breaks_one_more(
    spelled: list[str], said: list[str], many: int, seed: int
) -> None:
    prompt = asked_for(*spelled)
    texts = answers(prompt, *said)
    found = near_misses([prompt], texts, broken_of([prompt], texts), many, seed)
    assert found == near_misses([prompt], texts, broken_of([prompt], texts), many, seed)
    for pair in found:
        assert pair.chosen in said
        assert pair.verifiers == prompt.constraints
        assert all(kept(prompt.constraints, pair.chosen))
        assert not all(kept(prompt.constraints, pair.rejected))
        assert pair.scores[0] == 1 > pair.scores[1]
    of_text = Counter(str(pair.chosen) for pair in found)
    repeats = Counter(said)
    assert all(count <= min(many, len(spelled)) * repeats[text] for text, count in of_text.items())


def test_every_passing_answer_has_its_near_misses() -> None:
    prompt = asked_for("no_commas", "no_full_stops")
    texts = answers(prompt, "Dogs and cats bark", "Dogs, cats")
    assert len(near_misses([prompt], texts, broken_of([prompt], texts), 1, 0)) == 1
    assert len(near_misses([prompt], texts, broken_of([prompt], texts), 9, 0)) == 2


@given(st.lists(SPELLED, min_size=1, max_size=3), st.integers(0, 9))
def test_a_relaxed_prompt_asks_for_all_but_one(spelled: list[list[str]], seed: int) -> None:
    asked = [Asked(asked_for(*own, plain=plain), plain) for plain, own in zip(PLAIN, spelled, strict=False)]
    fewer = without_one(asked, random.Random(seed))
    assert list(fewer) == [each.prompt.id for each in asked]
    for each in asked:
        relaxed = fewer[each.prompt.id]
        gone = Counter(each.prompt.constraints)
        gone.subtract(relaxed.constraints)
        assert sorted(gone.values()) == [0] * (len(each.prompt.constraints) - 1) + [1]
        assert relaxed.content.startswith(each.plain.content)
        if len(each.prompt.constraints) == 1:
            assert relaxed == each.plain


def test_which_constraint_goes_is_drawn() -> None:
    asked = [Asked(asked_for("no_commas", "question"), PLAIN[0])]
    left = {next(iter(without_one(asked, random.Random(seed)).values())).constraints for seed in range(20)}
    assert left == {("no_commas",), ("question",)}


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=12), st.integers(0, 9))
def test_by_lot_groups_turn_together_and_nothing_else_changes(groups: list[str], seed: int) -> None:
    prompt = asked_for("no_commas")
    pairs = [
        written(prompt, f"good {number}", f"bad, {number}").model_copy(update={"group": group})
        for number, group in enumerate(groups)
    ]
    drawn = by_lot(pairs, seed)
    assert drawn == by_lot(pairs, seed)
    turned = defaultdict(set)
    for number, (pair, lot) in enumerate(zip(pairs, drawn, strict=True)):
        assert lot in (pair, other_way_round(pair))
        turned[pair.group or str(number)].add(lot == pair)
    assert all(len(ways) == 1 for ways in turned.values())


def written(prompt: Prompt, chosen: str, rejected: str) -> CompletionPreference:
    good, bad = answers(prompt, chosen, rejected)
    return CompletionPreference.written(prompt, good, bad, (1.0, 0.25))


def other_way_round(pair: CompletionPreference) -> CompletionPreference:
    sides = {"chosen": pair.rejected, "rejected": pair.chosen}
    ids = {"chosen_ids": pair.rejected_ids, "rejected_ids": pair.chosen_ids}
    return pair.model_copy(update={**sides, **ids, "scores": pair.scores[::-1]})


def test_lots_turn_about_half_of_the_pairs() -> None:
    prompt = asked_for("no_commas")
    pairs = [written(prompt, f"good {number}", "bad") for number in range(200)]
    turned = sum(lot != pair for lot, pair in zip(by_lot(pairs, 0), pairs, strict=True))
    assert 60 < turned < 140


def test_without_a_pair_there_is_nothing_to_train_on() -> None:
    with pytest.raises(DataError, match="no prompt got both") as caught:
        require_pairs([])
    assert "--samples" in caught.value.hint
