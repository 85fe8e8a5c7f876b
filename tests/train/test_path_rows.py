from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from planish.errors import DataError
from planish.records.preference import Point, TokenPreferences
from planish.train.ftpo_loss import Points, pack_points
from planish.train.path_rows import PathRows, collated


@st.composite
def paths(draw: st.DrawFn) -> TokenPreferences:
    """Of 1 to 40 tokens, with points anywhere behind the first, at one position twice as well."""
    length = draw(st.integers(1, 40))
    points = draw(
        st.lists(
            st.builds(
                Point,
                position=st.integers(1, length),
                rejected=st.integers(0, 9),
                chosen=st.lists(st.integers(10, 19), min_size=1, max_size=4, unique=True).map(tuple),
                chosen_probs=st.just(()),
                rule=st.just("r"),
            ),
            min_size=1,
            max_size=6,
        )
    )
    return TokenPreferences(
        generation_id=draw(st.sampled_from("ab")),
        token_ids=tuple(draw(st.lists(st.integers(1, 250), min_size=length, max_size=length))),
        prompt_length=draw(st.integers(0, length)),
        points=tuple(points),
    )


def ids_at(inputs: dict[str, Tensor]) -> list[int]:
    found: list[int] = inputs["input_ids"][inputs["rows"], inputs["positions"]].tolist()
    return found


@given(st.lists(paths(), min_size=1, max_size=6), st.integers(0, 8))
def test_places_and_references_stand_beside_their_points(given_paths: list[TokenPreferences], watched: int) -> None:
    rows = PathRows(given_paths, watched)
    watched_before = [list(rows[at].watched) for at in range(len(rows))]
    # As its reference, each place gets a state that names path and place.
    rows.states = [
        torch.tensor(
            [[float(number), float(place)] for place in [*(point.position - 1 for point in path.points), *places]]
        )
        for number, (path, places) in enumerate(zip(given_paths, watched_before, strict=True))
    ]
    inputs = collated([rows[at] for at in range(len(rows))])
    owed = [(number, point.position - 1) for number, path in enumerate(given_paths) for point in path.points]
    owed += [(number, place) for number, places in enumerate(watched_before) for place in places]
    assert list(zip(inputs["rows"].tolist(), inputs["positions"].tolist(), strict=True)) == owed
    assert inputs["reference"].tolist() == [[float(number), float(place)] for number, place in owed]
    assert ids_at(inputs) == [given_paths[number].token_ids[place] for number, place in owed]
    points = [point for path in given_paths for point in path.points]
    for name, value in pack_points(points)._asdict().items():
        assert torch.equal(inputs[name], value)
    assert len(inputs["labels"]) == len(points)
    assert not (inputs["labels"] == -100).any(), "a point is not counted"


@given(st.lists(paths(), min_size=1, max_size=6))
def test_padding_is_on_the_right_and_at_no_place(given_paths: list[TokenPreferences]) -> None:
    inputs = collated([PathRows(given_paths, 4)[at] for at in range(len(given_paths))])
    assert inputs["input_ids"].shape == (len(given_paths), max(len(path.token_ids) for path in given_paths))
    for row, path in zip(inputs["input_ids"].tolist(), given_paths, strict=True):
        assert tuple(row[: len(path.token_ids)]) == path.token_ids
    for row, place in zip(inputs["rows"].tolist(), inputs["positions"].tolist(), strict=True):
        assert 0 <= place < len(given_paths[row].token_ids)


@given(paths(), st.integers(1, 40))
def test_what_is_watched_was_written_and_is_no_point(path: TokenPreferences, most: int) -> None:
    watched = list(PathRows([path], most)[0].watched)
    free = [
        place
        for place in range(max(0, path.prompt_length - 1), len(path.token_ids) - 1)
        if place not in {point.position - 1 for point in path.points}
    ]
    assert len(watched) <= most
    assert set(watched) <= set(free)
    assert sorted(set(watched)) == watched
    assert bool(watched) == bool(free)
    if len(free) <= most:
        assert watched == free
    assert PathRows([path])[0].watched == []


def test_two_points_at_one_position_are_two_points() -> None:
    points = tuple(
        Point(position=2, rejected=rejected, chosen=(7, 8), chosen_probs=(), rule="r") for rejected in (4, 5)
    )
    path = TokenPreferences(generation_id="a", token_ids=(1, 2, 3), prompt_length=1, points=points)
    inputs = collated([PathRows([path])[0]])
    assert inputs["positions"].tolist() == [1, 1]
    assert inputs["rejected"].tolist() == [4, 5]


def test_no_rows_are_one_token_and_no_point() -> None:
    """A process that has nothing to read goes through the model all the same."""
    inputs = collated([])
    assert inputs["input_ids"].shape == (1, 1)
    assert (inputs["rows"].tolist(), inputs["positions"].tolist()) == ([0], [0])
    assert len(Points(*(inputs[name] for name in Points._fields)).rejected) == 0
    assert inputs["labels"].ne(-100).sum() == 0
    assert PathRows([]).alike(100) == []


def test_points_of_a_path_and_rows_of_a_dataset_are_the_same_rows() -> None:
    path = TokenPreferences(
        generation_id="a",
        token_ids=(1, 2, 3),
        prompt_length=1,
        points=(Point(position=3, rejected=4, chosen=(5,), chosen_probs=(0.5,), rule="r"),),
    )
    assert PathRows([path.model_dump(mode="json")]).paths == [path]


@pytest.mark.parametrize("position", [0, -1, 4, 9])
def test_a_point_that_no_token_stands_before_is_refused(position: int) -> None:
    """Read on, it would be trained on another place: the last one of its path, or padding of a longer one."""
    point = {"position": position, "rejected": 4, "chosen": [5], "chosen_probs": [], "rule": "r"}
    row: dict[str, Any] = {"generation_id": "a", "token_ids": [1, 2, 3], "prompt_length": 1, "points": [point]}
    with pytest.raises(DataError, match=str(position)) as caught:
        PathRows([row])
    assert caught.value.hint
