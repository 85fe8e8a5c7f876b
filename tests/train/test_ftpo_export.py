import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.models.bundled import openings
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.tiny import tiny_llama
from planish.records.preference import Point, TokenPreferences
from planish.train.ftpo_export import CONTEXT, NO_CHOSEN, REJECTED, export_ftpo
from planish.train.ftpo_import import import_ftpo

STORY = " Lily saw a big red ball in the park. Zoë’s café was under a tree, and she ran to it at once."
FIELDS = (
    "prompt_raw generation_raw context_with_chat_template chosen_decoded chosen_raw rejected_decoded rejected_raw "
    "multi_chosen_decoded multi_chosen_raw multi_rejected_decoded multi_rejected_raw validator stats"
)
Said = list[tuple[tuple[int, ...], int, tuple[int, ...], str]]


def said(paths: list[TokenPreferences]) -> Said:
    return sorted(
        (path.token_ids[: point.position], point.rejected, point.chosen, point.rule)
        for path in paths
        for point in path.points
    )


def path_of(ids: list[int], points: list[tuple[int, int, tuple[int, ...]]], prompt_length: int = 1) -> TokenPreferences:
    return TokenPreferences(
        generation_id="g",
        token_ids=tuple(ids),
        prompt_length=prompt_length,
        points=tuple(
            Point(position=at, rejected=rejected, chosen=chosen, chosen_probs=(), rule="a cat")
            for at, rejected, chosen in points
        ),
    )


@given(st.text(min_size=1, max_size=12), st.data())
def test_what_text_can_say_comes_back_and_the_rest_is_counted(text: str, data: st.DataObject) -> None:
    """The tiny tokenizer has a token a byte, so a point can stand within a character, and a token be a part of one."""
    tiny = tiny_llama()
    ids = tiny.tokenizer(text)["input_ids"]
    token = st.sampled_from(tiny.tokenizer(" abé", add_special_tokens=False)["input_ids"])
    points = data.draw(
        st.lists(
            st.tuples(st.integers(1, len(ids)), token, st.lists(token, min_size=1, unique=True).map(tuple)).filter(
                lambda point: point[1] not in point[2]
            ),
            min_size=1,
            unique_by=lambda point: point[:2],
        )
    )
    wholes = {len(text[:end].encode()) for end in range(len(text) + 1)}
    parts = set(tiny.tokenizer("é")["input_ids"])
    expected: Said = []
    for at, rejected, chosen in points:
        kept = tuple(token for token in chosen if token not in parts)
        if at in wholes and rejected not in parts and kept:
            expected.append((tuple(ids[:at]), rejected, kept, "a cat"))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        result = export_ftpo(file, [path_of(ids, points)], tiny)
        assert result.rows == len(expected) == len(points) - sum(result.dropped.values())
        assert result.chosen_left_out == sum(token in parts for _, _, chosen in points for token in chosen)
        if expected:
            again = import_ftpo(file, tiny)
            assert said(again.preferences) == sorted(expected)
            assert (again.dropped, again.left_out) == ({}, {})


@pytest.mark.parametrize("name", ["bundled", "stories", "tiny"])
def test_points_of_a_text_come_back_on_one_path(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model: LanguageModel = load_model(name) if name == "bundled" else request.getfixturevalue(name)
    prompt = model.encode(openings()[0])
    ids = [*prompt, *model.tokenizer(STORY, add_special_tokens=False)["input_ids"]]
    words = [model.tokenizer(text, add_special_tokens=False)["input_ids"][-1] for text in ("x.", "x,", "xa")]
    places = [at for at in range(len(prompt), len(ids)) if "\ufffd" not in model.decode(ids[:at])]
    path = path_of(ids, [(at, words[0], tuple(words[1:])) for at in places], len(prompt))
    result = export_ftpo(tmp_path / "rows.jsonl", [path], model)
    assert result == (len(places), {}, 0, 0)
    (again,) = import_ftpo(tmp_path / "rows.jsonl", model).preferences
    assert said([again]) == said([path])
    assert again.prompt_length == len(prompt)
    assert again.token_ids == path.token_ids[: places[-1]]


def test_a_row_has_every_field_that_others_read(tmp_path: Path) -> None:
    model = load_model("bundled")
    prompt = model.encode(openings()[0])
    rejected, first, second = (model.tokenizer(text)["input_ids"] for text in (" she", " the", " it"))
    likelier = Point(
        position=len(prompt), rejected=rejected[0], chosen=(*first, *second), chosen_probs=(0.1, 0.4), rule="her"
    )
    path = path_of([*prompt, *first], [], len(prompt)).model_copy(update={"points": (likelier,)})
    export_ftpo(tmp_path / "rows.jsonl", [path], model)
    (line,) = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(line)
    assert set(row) == set(FIELDS.split())
    assert (row["rejected_decoded"], row["multi_rejected_decoded"]) == (" she", [" she"])
    assert (row["chosen_decoded"], row["multi_chosen_decoded"]) == (" it", [" the", " it"])
    assert (row["rejected_raw"], row["chosen_raw"]) == ("Ġshe", "Ġit")
    assert (row["multi_rejected_raw"], row["multi_chosen_raw"]) == (["Ġshe"], ["Ġthe", "Ġit"])
    assert row["validator"]["rule"] == "her"
    assert (row["generation_raw"], row["prompt_raw"]) == ("", model.decode(prompt))
    assert model.tokenizer(row["context_with_chat_template"], add_special_tokens=False)["input_ids"] == prompt


def test_a_context_that_was_not_written_as_it_is_read_keeps_its_text(tmp_path: Path) -> None:
    model = load_model("bundled")
    word, ending, rejected, chosen = (model.tokenizer(text)["input_ids"][0] for text in (" dream", "s", " she", " the"))
    prompt = model.encode(openings()[0])
    ids = [*prompt, word, ending]
    assert model.tokenizer(model.decode([word, ending]))["input_ids"] != [word, ending]
    path = path_of(ids, [(at, rejected, (chosen,)) for at in (len(ids) - 1, len(ids))], len(prompt))
    assert export_ftpo(tmp_path / "rows.jsonl", [path], model) == (2, {}, 0, 1)
    again = import_ftpo(tmp_path / "rows.jsonl", model).preferences
    assert {model.decode(context) for context, *_ in said(again)} == {model.decode(ids), model.decode(ids[:-1])}
    assert {point.rejected for path in again for point in path.points} == {rejected}


def test_letters_that_look_like_a_control_token_are_not_written_as_one(tiny: LanguageModel, tmp_path: Path) -> None:
    letters = tiny.tokenizer("a<s>", split_special_tokens=True)["input_ids"]
    assert len(letters) == 4
    result = export_ftpo(tmp_path / "rows.jsonl", [path_of(letters, [(4, letters[0], (letters[2],))])], tiny)
    assert result.dropped == {CONTEXT: 1}


@pytest.mark.parametrize("is_branch", [True, False])
def test_what_is_known_of_a_branch_comes_back(tiny: LanguageModel, tmp_path: Path, is_branch: bool) -> None:
    ids = tiny.tokenizer("abc")["input_ids"]
    path = path_of(ids, [(1, ids[1], (ids[2],)), (2, ids[0], (ids[1],))])
    points = tuple(
        point.model_copy(update={"after_rejected": is_branch == (at == 0)}) for at, point in enumerate(path.points)
    )
    path = path.model_copy(update={"is_branch": is_branch, "points": points})
    export_ftpo(tmp_path / "rows.jsonl", [path], tiny)
    (again,) = import_ftpo(tmp_path / "rows.jsonl", tiny).preferences
    assert (again.is_branch, again.points) == (is_branch, points)


def test_every_reason_for_leaving_a_point_out_is_given(tiny: LanguageModel, tmp_path: Path) -> None:
    ids = tiny.tokenizer("aé")["input_ids"]
    plain, part, end = ids[0], ids[1], 2
    points = [(2, plain, (end,)), (1, part, (plain,)), (1, end, (plain,)), (1, plain, (part, end))]
    result = export_ftpo(tmp_path / "rows.jsonl", [path_of(ids, points)], tiny)
    assert (result.rows, result.dropped) == (0, {CONTEXT: 1, REJECTED: 2, NO_CHOSEN: 1})
    assert (tmp_path / "rows.jsonl").read_text() == ""
