import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import Planish

from planish.models.language_model import LanguageModel
from planish.records.generation import Generation
from planish.records.prompt import Prompt, opening
from planish.records.record import read_records
from planish.runs.run import Run
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

SHORT = ["--max-tokens", 9, "--device", "cpu"]


def generated(model: LanguageModel, *prompts: Prompt, samples: int = 1, seed: int = 0) -> list[Generation]:
    return Engine(model, sampling=Sampling(max_tokens=9)).generate(prompts, samples, seed)


def test_one_prompt_prints_its_text_and_nothing_else(planish: Planish, tiny: LanguageModel) -> None:
    ended = planish("generate", "tiny", "Once", *SHORT)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == generated(tiny, opening("Once"))[0].text + "\n"


def test_several_texts_have_their_prompts_as_headings_in_order(planish: Planish, tiny: LanguageModel) -> None:
    prompts = ["Once upon a time " * 9, "Then"]
    out = planish("generate", "tiny", *prompts, "--samples", 2, *SHORT).out
    texts = [text.text for text in generated(tiny, *map(opening, prompts), samples=2)]
    places = [out.index(text) for text in texts]
    assert places == sorted(places)
    headings = [line for line in out.splitlines() if line.startswith("# ")]
    assert [heading.rpartition(" ")[2] for heading in headings] == ["(1)", "(2)"] * 2
    assert all(len(heading) < 80 for heading in headings)


def test_rows_are_printed_and_appended(planish: Planish, tiny: LanguageModel, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("Once\nThen\n", encoding="utf-8")
    wanted = generated(tiny, opening("Once"), opening("Then"), samples=2, seed=7)
    for times in (1, 2):
        arguments = ["--prompts", "prompts.txt", "--samples", 2, "--seed", 7, "--json", "--out", "rows.jsonl"]
        out = planish("generate", "tiny", *arguments, *SHORT).out
        assert [Generation.model_validate_json(line) for line in out.splitlines()] == wanted
        rows = read_records(tmp_path / "rows.jsonl", Generation)
        assert sorted(row.id for row in rows) == sorted(row.id for row in wanted * times)


def test_a_trace_has_the_likeliest_of_each_token(planish: Planish) -> None:
    row = Generation.model_validate_json(planish("generate", "tiny", "Once", "--trace", 3, "--json", *SHORT).out)
    assert [entry.token for entry in row.trace] == list(row.token_ids)
    assert all(len(entry.top) == 3 for entry in row.trace)
    plain = planish("generate", "tiny", "Once", "--trace", 3, *SHORT).out
    assert all(f"{entry.probability:.3f}" in plain for entry in row.trace)


def test_a_prompt_may_be_piped_in(planish: Planish, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Once\nupon"))
    assert planish("generate", "tiny", *SHORT).out == generated(tiny, opening("Once\nupon"))[0].text + "\n"


def test_without_a_prompt_it_says_how_to_give_one(planish: Planish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(" \n"))
    assert "no prompt" in planish.fails(2, "generate", "tiny")


def test_a_model_with_a_template_is_asked_unless_openings_are_given(
    planish: Planish, tiny: LanguageModel, tmp_path: Path
) -> None:
    tiny.save(tmp_path / "chat")
    template = "{% for turn in messages %}[{{ turn.content }}]{% endfor %}"
    (tmp_path / "chat" / "chat_template.jinja").write_text(template, encoding="utf-8")
    seen = []
    for extra in ([], ["--openings"]):
        row = json.loads(planish("generate", tmp_path / "chat", "Hi", "--json", *extra, *SHORT).out)
        seen.append(tiny.decode(row["prompt_token_ids"]))
    assert seen == ["[Hi]", "Hi"]


def test_what_is_banned_is_not_written(planish: Planish, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("re: [a-z]\n", encoding="utf-8")
    out = planish("generate", "tiny", "Once", "--ban", "list.txt", "--max-tokens", 40, "--device", "cpu").out
    assert not any(char.isascii() and char.isalpha() for char in out)


@pytest.mark.parametrize(
    ("code", "named", "arguments"),
    [
        (1, "none.txt", ["--ban", "none.txt"]),
        (1, "none.txt", ["--prompts", "none.txt"]),
        (2, "epsilon", ["--epsilon", 0.3]),
        (2, "epsilon", ["--cap", "head.safetensors", "--epsilon", 7]),
        (2, "top_q", ["--set", "top_q=1"]),
        (2, "nowhere", ["--out", "nowhere/rows.jsonl"]),
        (2, "latest", ["--contrast", "latest"]),
    ],
)
def test_what_cannot_be_is_named(planish: Planish, code: int, named: str, arguments: list[object]) -> None:
    assert named in planish.fails(code, "generate", "tiny", "Once", *arguments)


def test_a_prompt_that_is_too_long_is_named_and_the_others_are_written(planish: Planish, tiny: LanguageModel) -> None:
    too_long = "word " * 600
    assert "512 tokens" in planish.fails(1, "generate", "tiny", too_long)
    ended = planish("generate", "tiny", too_long, "Once", *SHORT)
    assert ended.code == 0
    assert "512 tokens" in ended.err
    assert ended.out.endswith(generated(tiny, opening("Once"))[0].text + "\n\n")


def test_a_run_stands_for_the_model_that_it_made(planish: Planish, tiny: LanguageModel, tmp_path: Path) -> None:
    with Run.start(tmp_path / "runs" / "mine", "antislop", {"model": "tiny"}, {}) as run:
        unfinished = planish.fails(2, "generate", "latest", "Once")
        assert "planish resume" in unfinished
        run.folder("model", tiny.save)
    wanted = generated(tiny, opening("Once"))[0].text + "\n"
    for name in ("latest", "mine", "runs/mine", "runs/mine/stages/1-model/made"):
        assert planish("generate", name, "Once", *SHORT).out == wanted


def test_in_a_terminal_one_text_comes_as_it_is_written_and_cannot_command_it(tmp_path: Path) -> None:
    code = """
import sys
from planish.cli import main
from planish.models.tokens import Tokens
Tokens.newest_text = lambda *_: "\\x1b[2J"
sys.argv = ["planish", "generate", "tiny", "Once", "--max-tokens", "5", "--device", "cpu", "--set", "min_tokens=5"]
main()
"""
    leader, follower = pty.openpty()
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code], stdout=follower, stdin=follower, check=True, cwd=tmp_path
    )
    os.close(follower)
    shown = os.read(leader, 10_000).decode()
    os.close(leader)
    assert ended.returncode == 0
    assert shown == "␛[2J" * 5 + "\r\n"
