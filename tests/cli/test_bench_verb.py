"""`planish bench`."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from in_process import Planish
from torch import nn

from planish.api import bench
from planish.models.tiny import tiny_llama
from planish.recipes import bench as recipe
from planish.train.adapter import AdapterSettings, with_adapter

IFEVAL = ["ifeval_prompt_strict", "ifeval_instruction_strict", "ifeval_prompt_loose", "ifeval_instruction_loose"]
PROMPTS = [
    {"prompt": "Write without commas.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    {
        "prompt": "Write of tea in quotes and without commas.",
        "instruction_id_list": ["startend:quotation", "punctuation:no_comma"],
        "kwargs": [{}, {}],
    },
]
ENDINGS = ["sits.", "runs away.", "eats it all.", "is cold."]


def lines(path: str, rows: list[dict[str, Any]]) -> str:
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def responses(path: str, *texts: str) -> str:
    return lines(path, [{"prompt": row["prompt"], "response": text} for row, text in zip(PROMPTS, texts, strict=False)])


def endings(count: int) -> str:
    rows = [{"ctx": f"Dogs: There are {at}. The last", "endings": ENDINGS, "label": at % 4} for at in range(count)]
    return lines("endings.jsonl", rows)


@pytest.fixture
def data(planish: Planish) -> str:  # in its working directory
    return lines("prompts.jsonl", PROMPTS)


def test_responses_that_are_there_already_are_scored(planish: Planish, data: str) -> None:
    given = responses("given.jsonl", "Tea", '"Tea, hot"')
    ended = planish("bench", "ifeval", "--responses", given, "--data", data, "--json")
    assert ended.code == 0
    found = json.loads(ended.out)
    values = {figure["name"]: figure["value"] for figure in found["figures"]}
    by_prompt, by_instruction = 1 / 2, 2 / 3
    assert values == pytest.approx(
        {
            **dict(zip(IFEVAL, [by_prompt, by_instruction] * 2, strict=True)),
            "ifeval_average": (by_prompt + by_instruction) / 2,
        }
    )
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in found["figures"])
    assert found["evidence"] == []


def test_prompts_without_a_response_are_told(planish: Planish, data: str) -> None:
    ended = planish("bench", "ifeval", "--responses", responses("given.jsonl", "Tea"), "--data", data)
    assert ended.code == 0
    assert "1 of 2 prompts have no response: left out" in ended.out


def test_a_model_is_compared_with_another_ones_responses_and_all_of_it_is_saved(planish: Planish, data: str) -> None:
    given = responses("given.jsonl", "a, b", "a, b")
    ended = planish(
        *("bench", "ifeval", "tiny", "--against", given, "--data", data),
        *("--max-tokens", 4, "--out", "made", "--quiet", "--device", "cpu"),
    )
    assert ended.code == 0
    evidence = [json.loads(line) for line in Path("made/evidence.jsonl").read_text().splitlines()]
    assert [line["name"] for line in evidence] == [*IFEVAL, "ifeval_average"]
    assert {(line["before"], line["n"], line["better"]) for line in evidence} == {(0.0, 2, "higher")}
    again = planish("bench", "ifeval", "--responses", "made/scores.jsonl", "--data", data, "--json")
    figures = [json.loads(line) for line in Path("made/figures.jsonl").read_text().splitlines()]
    assert json.loads(again.out)["figures"] == figures


def test_a_model_chooses_among_endings(planish: Planish) -> None:
    ended = planish("bench", "hellaswag", "tiny", "--data", endings(6), "--limit", 5, "--quiet", "--device", "cpu")
    assert ended.code == 0
    assert "hellaswag_acc_norm" in ended.out
    assert "5 of 5 rows have no ctx_a" in " ".join(ended.out.split())


def test_an_adapter_is_on_the_model_and_not_on_the_one_it_is_compared_with(planish: Planish, data: str) -> None:
    adapted = with_adapter(tiny_llama(), AdapterSettings(), seed=0)
    command = ["bench", "ifeval", "tiny", "--against", "tiny", "--data", data, "--max-tokens", 8, "--device", "cpu"]

    adapted.save(Path("nothing"))  # a new adapter adds nothing
    planish(*command, "--adapter", "nothing", "--out", "same")
    assert Path("same/scores.jsonl").read_text() == Path("same/scores_before.jsonl").read_text()

    for name, weight in adapted.adapter.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight)
    adapted.save(Path("much"))
    planish(*command, "--adapter", "much", "--out", "other")
    assert Path("other/scores_before.jsonl").read_text() == Path("same/scores_before.jsonl").read_text()
    assert Path("other/scores.jsonl").read_text() != Path("other/scores_before.jsonl").read_text()


def test_a_run_stands_for_the_model_it_made(planish: Planish, tiny: Any, data: str) -> None:
    tiny.save(Path("runs/mine/model"))
    found = planish.fails(2, "bench", "ifeval", "latest", "--data", data)
    assert "there is no run" in found or "no model" in found
    ended = planish("bench", "ifeval", "runs/mine", "--data", data, "--max-tokens", 3, "--json", "--device", "cpu")
    assert ended.code == 0


def test_from_python_it_is_one_call(data: str) -> None:
    benched = bench("ifeval", responses=responses("given.jsonl", "a", '"b"'), data=data)
    assert [figure.value for figure in benched.figures] == pytest.approx([1.0] * 5)


def test_what_cannot_be_scored_is_refused_in_one_line(planish: Planish, data: str) -> None:
    given = responses("given.jsonl", "Tea", "Tea")
    assert "did you mean ifeval?" in planish.fails(2, "bench", "ifevl", "tiny", "--data", data)
    assert "--responses FILE" in planish.fails(2, "bench", "ifeval", "--data", data)
    assert "leave one" in planish.fails(2, "bench", "ifeval", "tiny", "--responses", given, "--data", data)
    assert "there is no file none.jsonl" in planish.fails(1, "bench", "ifeval", "tiny", "--data", "none.jsonl")
    assert "no responses" in planish.fails(2, "bench", "hellaswag", "--responses", given)
    assert "adapter_config.json" in planish.fails(2, "bench", "ifeval", "tiny", "--adapter", ".", "--data", data)
    assert "--adapter" in planish.fails(2, "bench", "ifeval", "--responses", given, "--adapter", ".", "--data", data)
    assert "line 1: response is missing" in planish.fails(1, "bench", "ifeval", "--responses", data, "--data", data)
    assert "line 1: endings is missing" in planish.fails(1, "bench", "hellaswag", "tiny", "--data", data)
    assert "cannot load the model" in planish.fails(1, "bench", "ifeval", "./none", "--data", data)
    lines("other.jsonl", [{"prompt": "another", "response": "a"}])
    assert "answers none" in planish.fails(1, "bench", "ifeval", "--responses", "other.jsonl", "--data", data)


def test_an_adapter_of_another_model_is_refused(planish: Planish, data: str) -> None:
    Path("adapter").mkdir()
    Path("adapter/adapter_config.json").write_text('{"peft_type": "LORA", "target_modules": ["nowhere"]}')
    assert "does not fit" in planish.fails(1, "bench", "ifeval", "tiny", "--adapter", "adapter", "--data", data)


def test_without_the_extra_the_line_that_installs_it_is_shown(
    planish: Planish, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "find_spec", lambda name: None if name == "lm_eval" else find_spec(name))
    assert "pip install 'planish[bench]'" in planish.fails(1, "bench", "ifeval", "tiny", "--data", data)
