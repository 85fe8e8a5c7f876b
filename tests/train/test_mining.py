import copy
from itertools import product
from string import ascii_lowercase, punctuation

import pytest
import torch
from torch import Tensor

from planish.find.slop import Slop
from planish.models.bundled import openings
from planish.models.language_model import LanguageModel
from planish.records.generation import Event, Generation
from planish.records.preference import TokenPreferences
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.train.adapter import copy_of
from planish.train.mining import LEAST_LIKELY, MOST_CHOSEN, ban_paths, mine_points, span_paths

PROMPT = (1, 60, 61)
FINAL = (70, 71, 72, 73, 74, 75)
BRANCH = (70, 71, 80, 81)


def plain_probabilities(model: LanguageModel, context: tuple[int, ...]) -> Tensor:
    """What the plain model says next, the context read alone."""
    with torch.no_grad():
        logits: Tensor = model.model(input_ids=torch.tensor([context])).logits
    return logits[0, -1].softmax(-1)


def likeliest(model: LanguageModel, context: tuple[int, ...], rank: int) -> int:
    return int(plain_probabilities(model, context).argsort(descending=True)[rank])


def generation(*events: Event, name: str = "g", tokens: tuple[int, ...] = FINAL) -> Generation:
    return Generation(
        id=name,
        prompt_id="p",
        sample=0,
        seed=0,
        text="",
        prompt_token_ids=PROMPT,
        token_ids=tokens,
        char_ends=(),
        finish="length",
        events=events,
        branches=(BRANCH,),
    )


@pytest.fixture
def ending_early(tiny: LanguageModel) -> LanguageModel:
    """The tiny model made surer, with the third likeliest token at the first spot below one that ends a text."""
    model = copy_of(tiny)
    model.decoder.get_submodule("norm").get_parameter("weight").data *= 3
    model.model.generation_config = copy.deepcopy(tiny.model.generation_config)
    assert model.model.generation_config is not None
    model.model.generation_config.eos_token_id = [2, likeliest(tiny, (*PROMPT, *FINAL[:1]), 2)]
    return model


@pytest.fixture
def mined(ending_early: LanguageModel) -> list[TokenPreferences]:
    """Two tokens rejected at one spot, one let pass, one rejected on a branch: always the likeliest there."""
    first, second = (likeliest(ending_early, (*PROMPT, *FINAL[:1]), rank) for rank in (0, 1))
    passed = likeliest(ending_early, (*PROMPT, *FINAL[:4]), 0)
    branched = likeliest(ending_early, (*PROMPT, *BRANCH[:2]), 0)
    events = [
        Event(rule="lily", position=1, rejected=first),
        Event(rule="luna", position=1, rejected=second, replacement=71),
        Event(rule="lily", position=4, rejected=passed, replacement=passed),
        Event(rule="rose", position=2, rejected=branched, replacement=80, path=1),
    ]
    return mine_points(ending_early, ban_paths([generation(*events)]))


def test_points_stand_where_tokens_were_rejected_on_their_own_path(
    mined: list[TokenPreferences], ending_early: LanguageModel
) -> None:
    found = {(path.token_ids, point.position, point.rejected, point.rule) for path in mined for point in path.points}
    assert found == {
        ((*PROMPT, *FINAL), 4, likeliest(ending_early, (*PROMPT, *FINAL[:1]), 0), "lily"),
        ((*PROMPT, *FINAL), 4, likeliest(ending_early, (*PROMPT, *FINAL[:1]), 1), "luna"),
        ((*PROMPT, *BRANCH), 5, likeliest(ending_early, (*PROMPT, *BRANCH[:2]), 0), "rose"),
    }
    assert sum(len(path.points) for path in mined) == 3
    assert all((path.generation_id, path.prompt_length) == ("g", len(PROMPT)) for path in mined)


def test_only_what_stands_on_an_abandoned_path_is_on_a_branch(mined: list[TokenPreferences]) -> None:
    assert {(path.token_ids, path.is_branch) for path in mined} == {
        ((*PROMPT, *FINAL), False),
        ((*PROMPT, *BRANCH), True),
    }


@pytest.mark.parametrize(
    ("rejection", "is_after"),
    [
        (Event(rule="lily", position=1, rejected=BRANCH[1]), True),
        (Event(rule="lily", position=2, rejected=BRANCH[2]), False),  # after other tokens than the branch's
        (Event(rule="lily", position=1, rejected=BRANCH[1] + 100), False),
        (Event(rule="lily", position=0, rejected=BRANCH[0], replacement=BRANCH[0]), False),  # let pass
        (Event(rule="lily", position=2, rejected=BRANCH[2], path=1), True),
    ],
)
def test_a_point_on_a_branch_is_after_what_was_rejected_there(
    tiny: LanguageModel, rejection: Event, is_after: bool
) -> None:
    final = (*FINAL[:1], 77, *FINAL[2:])
    last = Event(rule="rose", position=3, rejected=BRANCH[3], path=1)
    mined = mine_points(tiny, ban_paths([generation(rejection, last, tokens=final)]))
    (branch,) = (path for path in mined if path.is_branch)
    assert {point.position - 3: point.after_rejected for point in branch.points}[3] is is_after


def test_chosen_are_the_likeliest_that_are_neither_rejected_there_nor_an_end(
    mined: list[TokenPreferences], ending_early: LanguageModel
) -> None:
    for path in mined:
        for point in path.points:
            rejected = {other.rejected for other in path.points if other.position == point.position}
            probabilities = plain_probabilities(ending_early, path.token_ids[: point.position])
            allowed = set(range(ending_early.vocabulary)) - rejected - ending_early.end_ids
            assert set(point.chosen) <= allowed
            assert torch.tensor(point.chosen_probs) == pytest.approx(probabilities[list(point.chosen)], rel=1e-4)
            best = max(float(probabilities[token]) for token in allowed)
            assert max(point.chosen_probs) == pytest.approx(best, rel=1e-4)
            assert min(point.chosen_probs) >= 0.999 * LEAST_LIKELY * best
            left_out = max(float(probabilities[token]) for token in allowed - set(point.chosen))
            assert left_out <= 1.001 * (
                min(point.chosen_probs) if len(point.chosen) == MOST_CHOSEN else LEAST_LIKELY * best
            )


def test_paths_of_different_lengths_read_together_give_what_they_give_alone(tiny: LanguageModel) -> None:
    together = [
        generation(
            Event(rule="lily", position=length - 1, rejected=9), name=str(length), tokens=tuple(range(50, 50 + length))
        )
        for length in (2, 40, 7, 90)
    ]
    alone = [preference for item in together for preference in mine_points(tiny, ban_paths([item]))]
    mined = {preference.generation_id: preference for preference in mine_points(tiny, ban_paths(together))}
    assert len(alone) == len(mined) == len(together)
    for preference in alone:
        (own,), (other,) = preference.points, mined[preference.generation_id].points
        assert own.model_dump(exclude={"chosen_probs"}) == other.model_dump(exclude={"chosen_probs"})
        assert own.chosen_probs == pytest.approx(other.chosen_probs, rel=1e-4)


def test_a_failed_generation_gives_no_point(tiny: LanguageModel) -> None:
    failed = generation(Event(rule="lily", position=1, rejected=9)).model_copy(update={"status": "failed"})
    assert mine_points(tiny, ban_paths([failed])) == []


def test_no_point_is_made_where_nothing_else_is_likely(tiny: LanguageModel) -> None:
    certain = copy_of(tiny)
    certain.decoder.get_submodule("norm").get_parameter("weight").data *= 1e4
    rejected = likeliest(certain, (*PROMPT, *FINAL[:1]), 0)
    assert mine_points(certain, ban_paths([generation(Event(rule="lily", position=1, rejected=rejected))])) == []


def test_everything_that_a_ban_rejected_becomes_a_point(tiny: LanguageModel) -> None:
    # Single marks, and pairs that begin before a mark that was put in another's place: so that branches come about.
    banned_texts = [*punctuation[::2], *map("".join, product(punctuation, punctuation + ascii_lowercase))]
    slop = Slop([BanRule(text=text) for text in banned_texts])
    banned = Engine(tiny, [Ban(slop)], Sampling(max_tokens=40)).generate(openings()[:20], samples=4)
    expected = [
        (
            item.id,
            (*item.prompt_token_ids, *(item.token_ids, *item.branches)[event.path]),
            event.position,
            event.rejected,
        )
        for item in banned
        for event in item.events
        if not event.let_pass
    ]
    assert len(expected) > 20
    assert any(event.path for item in banned for event in item.events)
    lengths = {item.id: len(item.prompt_token_ids) for item in banned}
    paths = mine_points(tiny, ban_paths(banned))
    mined = [
        (path.generation_id, path.token_ids, point.position - path.prompt_length, point.rejected)
        for path in paths
        for point in path.points
    ]
    assert sorted(mined) == sorted(expected)
    begun = {(name, *ids[: position + lengths[name]], token) for name, ids, position, token in expected}
    for path in paths:
        for point in path.points:
            befores = [(path.generation_id, *path.token_ids[:end]) for end in range(1, point.position + 1)]
            assert point.after_rejected == any(before in begun for before in befores)
    assert len({point.after_rejected for path in paths for point in path.points}) == 2


def test_every_span_in_a_plain_text_becomes_a_point_where_a_ban_would_turn_back(tiny: LanguageModel) -> None:
    texts = Engine(tiny, [], Sampling(max_tokens=60)).generate(openings()[:10], samples=3)
    slop = Slop([BanRule(text=mark) for mark in punctuation])
    mined = {path.generation_id: path for path in mine_points(tiny, span_paths(texts, slop))}
    for text, spans in zip(texts, slop.locate([text.text for text in texts]), strict=True):
        starts = {text.char_ends.index(next(end for end in text.char_ends if end > span.start)) for span in spans}
        points = mined[text.id].points if text.id in mined else ()
        assert {point.position - mined[text.id].prompt_length for point in points} <= starts
        for point in points:
            place = point.position - mined[text.id].prompt_length
            assert point.rejected == text.token_ids[place]
            assert point.rejected not in point.chosen
            assert point.after_rejected == (place > min(starts))
    assert len(mined) > 5
    assert not any(path.is_branch for path in mined.values())


def test_a_word_on_the_list_is_no_alternative_to_another(tiny: LanguageModel) -> None:
    texts = Engine(tiny, [], Sampling(max_tokens=60)).generate(openings()[:10], samples=3)
    paths = mine_points(tiny, span_paths(texts, Slop([BanRule(text=mark) for mark in punctuation])))
    rejected = {point.rejected for path in paths for point in path.points}
    assert rejected.isdisjoint(token for path in paths for point in path.points for token in point.chosen)
