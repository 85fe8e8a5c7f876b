"""What is read from a file that a user trains on: every row that can be used, and of the others how many and why."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from train_rows import some_pairs, some_points

from planish.errors import DataError, PlanishError, UsageError
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.recipes.train_data import TrainData, data_file, read_data
from planish.records.preference import CompletionPreference
from planish.records.prompt import Message
from planish.train.token_pairs import token_pairs

POINTS: list[dict[str, Any]] = [row.model_dump(mode="json") for row in some_points(4)]
PAIRS: list[dict[str, Any]] = [{"prompt": f"{n}: ", "chosen": "The dog slept.", "rejected": "A sea!"} for n in range(4)]
ASKED, YES, NO = (
    {"role": role, "content": text} for role, text in [("user", "?"), ("assistant", "y"), ("assistant", "n")]
)
# What no row of any kind is.
BROKEN = ["{", "7", "[]", "null", '{"prompt": "a", "choosen": "b", "rejected": "c"}', "\udcff"]


def with_point(**changed: Any) -> dict[str, Any]:
    """A row of a path of 24 tokens, 3 of them the prompt's, with one point changed."""
    first, *others = POINTS[0]["points"]
    return {**POINTS[0], "points": [{**first, **changed}, *others]}


def read(path: Path, *rows: dict[str, Any] | str, tuner: str = "dpo", model: LanguageModel | None = None) -> TrainData:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")
    return read_data(path, model or tiny_llama(), tuner)


@pytest.mark.parametrize("good", [POINTS, PAIRS], ids=["points", "pairs"])
@given(data=st.data())
def test_broken_rows_change_nothing_but_what_is_left_out(
    good: list[dict[str, Any]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    broken = data.draw(st.lists(st.sampled_from(BROKEN), max_size=6))
    places = data.draw(st.permutations([*range(len(good)), *broken]))
    kept = [good[place] for place in places if isinstance(place, int)]
    found = read(path, *(good[place] if isinstance(place, int) else place for place in places))
    assert found.rows == read(path, *kept).rows
    assert len(found.rows) == len(good)
    assert sum(each.times for each in found.left_out) == len(broken)
    for each in found.left_out:
        assert each.reason in found.note
        assert isinstance(places[each.first_line - 1], str)
        assert f"line {each.first_line}" in found.note


POINT_FAULTS = [
    (with_point(rejected=60), "token 60 both chosen and rejected"),
    (with_point(chosen=[]), "nothing chosen"),
    (with_point(chosen_probs=[0.1]), "2 chosen tokens and 1 chosen_probs"),
    (with_point(chosen_probs=[float("nan"), 1]), "chosen_probs.0 is NaN, not a number"),
    ({**with_point(position=0), "prompt_length": 0}, "a point stands at 0"),
    (with_point(position=-1), "a point stands at -1"),
    (with_point(position=25), "a point stands at 25, on a path of 24 tokens"),
    (with_point(position=2), "a point stands at 2, in a prompt of 3 tokens"),
    (with_point(chosen="60"), 'points.0.chosen is "60", not a list'),
    ({**POINTS[0], "prompt_length": -1}, "prompt_length is -1"),
    ({**POINTS[0], "prompt_length": 25, "points": []}, "prompt_length is 25, on a path of 24 tokens"),
    ({**POINTS[0], "points": []}, "no points"),
    ({"token_ids": [1], "points": [], "id": 3}, "lacks generation_id, prompt_length, and has token_ids, points, id"),
    (PAIRS[0], "lacks generation_id"),
]
PAIR_FAULTS = [
    ({**PAIRS[0], "chosen": "A sea!"}, "chosen and rejected are the same"),
    ({**PAIRS[0], "chosen": ""}, "chosen is empty"),
    ({**PAIRS[0], "chosen": 7}, "chosen is 7, not a text"),
    ({**PAIRS[0], "prompt": None}, "lacks prompt, and has prompt, chosen, rejected"),
    ({"promt": "a", "chosen": "b", "rejected": "c"}, "lacks prompt, and has promt, chosen, rejected"),
    ({"prompt": "a", "choosen": "b", "rejected": "c"}, "lacks chosen, and has prompt, choosen, rejected"),
    ({"prompt": [ASKED], "chosen": [{**YES, "content": ""}], "rejected": [NO]}, "chosen is empty"),
    ({"prompt": [ASKED], "chosen": [YES], "rejected": [YES]}, "are the same"),
    ({"prompt": [ASKED], "chosen": [YES, ASKED, YES], "rejected": [NO]}, "chosen has 3 turns"),
    ({"chosen": [ASKED, YES], "rejected": [ASKED]}, "rejected has 0 turns"),
    ({"prompt": [ASKED], "chosen": [YES], "rejected": [ASKED]}, "rejected is a turn of 'user'"),
    ({"chosen": [YES], "rejected": [NO]}, "no turn stands before"),
    ({"chosen": [ASKED, {"role": "assistant"}], "rejected": [ASKED, NO]}, "chosen.1.content is missing"),
    ({"chosen": [{"from": "gpt", "value": "y"}], "rejected": [NO]}, "chosen.0.role is missing"),
]


@pytest.mark.parametrize(("row", "reason"), [*POINT_FAULTS, *PAIR_FAULTS])
def test_rows_that_make_no_sense_are_left_out_with_their_reason(
    row: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    good = POINTS[1:] if (row, reason) in POINT_FAULTS else PAIRS[1:]
    found = read(tmp_path / "rows.jsonl", good[0], row, good[1], row)
    assert found.rows == read(tmp_path / "rows.jsonl", *good[:2]).rows
    (left_out,) = found.left_out
    assert (left_out.what, left_out.times, left_out.first_line) == ("row", 2, 2)
    assert reason in left_out.reason
    assert "should" not in left_out.reason.lower()


def test_a_fault_is_counted_once_whatever_its_values(tmp_path: Path) -> None:
    found = read(tmp_path / "rows.jsonl", *(with_point(position=30 + more) for more in range(5)), POINTS[0])
    (left_out,) = found.left_out
    assert (left_out.times, left_out.first_line) == (5, 1)
    assert "stands at 30" in left_out.reason


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (BROKEN, r"line 1: .* is no JSON"),
        (BROKEN[4:], "line 1: it has only prompt, choosen, rejected"),
        ([with_point(position=99), with_point(chosen=[])], "row 1: a point stands at 99"),
        (["", {**PAIRS[0], "chosen": ""}], "row 2: chosen is empty"),
    ],
)
def test_a_file_of_bad_rows_alone_is_refused_by_the_first_fault(
    rows: list[dict[str, Any] | str], named: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=named) as caught:
        read(tmp_path / "rows.jsonl", *rows)
    assert "\n" not in caught.value.message
    assert "prompt, chosen and rejected" in caught.value.hint


def test_marks_and_line_ends_of_other_systems_belong_to_no_row(tmp_path: Path) -> None:
    found = read(tmp_path / "rows.jsonl", *("\ufeff" * (not n) + json.dumps(row) + "\r" for n, row in enumerate(PAIRS)))
    assert found.rows == read(tmp_path / "rows.jsonl", *PAIRS).rows
    assert not found.left_out


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl is empty"):
        read(tmp_path / "rows.jsonl", "", "")


def test_a_point_may_stand_where_the_path_ends_and_where_the_prompt_ends(tmp_path: Path) -> None:
    for position in (3, 24):
        assert not read(tmp_path / "rows.jsonl", with_point(position=position)).left_out


def test_other_columns_are_ignored(tmp_path: Path) -> None:
    others = {"id": 7, "source": "web", "score_chosen": 1.5, "scores": {"chosen": 2}, "verifiers": None, "x": [{}]}
    turn = {**YES, "name": "bot", "tool_calls": None}
    path = tmp_path / "rows.jsonl"
    assert read(path, *({**others, **row} for row in PAIRS)).rows == read(path, *PAIRS).rows
    assert read(path, {"chosen": [ASKED, turn], "rejected": [ASKED, NO], **others}).rows == [
        CompletionPreference(prompt=(Message(**ASKED),), chosen=(Message(**YES),), rejected=(Message(**NO),))
    ]
    with_others = [{**row, **others, "points": [{**point, **others} for point in row["points"]]} for row in POINTS]
    assert read(path, *with_others).rows == some_points(4)


def test_own_pairs_come_back_with_their_scores(tmp_path: Path) -> None:
    rows = [row.model_dump(mode="json") for row in some_pairs()]
    assert read(tmp_path / "rows.jsonl", *rows).rows == some_pairs()


@pytest.mark.parametrize("scores", ["[NaN, 1]", "[1]", '"high"'])
def test_what_others_call_scores_leaves_no_row_out(scores: str, tmp_path: Path) -> None:
    found = read(tmp_path / "rows.jsonl", json.dumps(PAIRS[0])[:-1] + f', "scores": {scores}}}')
    assert found.rows == read(tmp_path / "rows.jsonl", PAIRS[0]).rows


SYSTEM = {"role": "system", "content": "Be brief."}
AGAIN = {"role": "user", "content": "Sure?"}


@pytest.mark.parametrize("before", [[ASKED], [SYSTEM, ASKED], [ASKED, YES, AGAIN]])
def test_every_form_of_a_conversation_is_the_same_pair(before: list[dict[str, str]], tmp_path: Path) -> None:
    explicit = {"prompt": before, "chosen": [YES], "rejected": [NO]}
    whole = {"chosen": [*before, YES], "rejected": [*before, NO]}
    forms: list[dict[str, Any]] = [
        explicit,
        whole,
        {**whole, "prompt": before},
        {**whole, "prompt": "?"},
        {**whole, "prompt": before[:1]},
    ]
    found = read(tmp_path / "rows.jsonl", *forms).rows
    prompt = tuple(Message(**turn) for turn in before)
    pair = CompletionPreference(prompt=prompt, chosen=(Message(**YES),), rejected=(Message(**NO),))
    assert found == [pair] * len(forms)
    assert len(list(token_pairs(tiny_llama(), found))) == len(forms)


def test_a_text_before_turns_is_what_the_user_said(tmp_path: Path) -> None:
    first, second = read(
        tmp_path / "rows.jsonl",
        {"prompt": "?", "chosen": [YES], "rejected": [NO]},
        {"prompt": [ASKED], "chosen": [YES], "rejected": [NO]},
    ).rows
    assert first == second


def test_a_pair_with_ids_keeps_its_texts_and_ids(tmp_path: Path) -> None:
    pair = CompletionPreference(
        prompt=(),
        chosen=(Message(**YES),),
        rejected=(Message(**YES),),
        prompt_ids=(3,),
        chosen_ids=(4, 2),
        rejected_ids=(4,),
    )
    assert read(tmp_path / "rows.jsonl", pair.model_dump(mode="json")).rows == [pair]


def test_a_prompt_that_the_template_refuses_is_left_out(tiny: LanguageModel, tmp_path: Path) -> None:
    tokenizer = copy.deepcopy(tiny.tokenizer)
    tokenizer.chat_template = (
        "{% for turn in messages %}{% if turn.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ turn.content }}{% endfor %}"
    )
    model = LanguageModel(tiny.model, tokenizer, "chat")
    rows = [{"chosen": [*before, YES], "rejected": [*before, NO]} for before in ([SYSTEM, ASKED], [ASKED])]
    found = read(tmp_path / "rows.jsonl", *rows, model=model)
    assert len(found.rows) == 1
    assert "no system" in found.left_out[0].reason


@pytest.mark.parametrize("token", [-1, 10**6])
def test_a_token_that_the_model_does_not_have_refuses_the_whole_file(token: int, tmp_path: Path) -> None:
    ids = {"prompt_ids": [3], "chosen_ids": [4], "rejected_ids": [token]}
    for good, row in ((POINTS[1], with_point(rejected=token)), (PAIRS[1], {**PAIRS[0], **ids})):
        with pytest.raises(DataError, match=f"row 2: there is no token {token}"):
            read(tmp_path / "rows.jsonl", good, row)


def test_points_are_for_ftpo_and_dpo_and_pairs_for_dpo_and_sft(tmp_path: Path) -> None:
    takes = {"ftpo": [POINTS], "dpo": [POINTS, PAIRS], "sft": [PAIRS]}
    for tuner, kinds in takes.items():
        for rows in (POINTS, PAIRS):
            if rows in kinds:
                assert len(read(tmp_path / "rows.jsonl", *rows, tuner=tuner).rows) == len(rows)
                continue
            with pytest.raises(UsageError) as caught:
                read(tmp_path / "rows.jsonl", *rows, tuner=tuner)
            others = [other for other, known in takes.items() if rows in known]
            assert all(other in caught.value.hint for other in others)


def test_a_run_that_mines_nothing_is_not_to_be_resumed(tmp_path: Path) -> None:
    stage = tmp_path / "runs/tuned/stages/1-data"
    stage.mkdir(parents=True)
    (stage / "done.json").write_text("{}")
    (tmp_path / "runs/tuned/config.toml").write_text("recipe = 'train'\ndata = 'points.jsonl'\n")
    for name in ("tuned", "latest", str(tmp_path / "runs/tuned")):
        with pytest.raises(PlanishError, match="tuned is a run of `planish train`, which mines no") as caught:
            data_file(name, tmp_path / "runs")
        assert "points.jsonl" in caught.value.hint
        assert "antislop" in caught.value.hint
        assert "resume" not in caught.value.hint
