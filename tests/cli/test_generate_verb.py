import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from in_process import Planish
from peft import LoraConfig, get_peft_model

from planish.cli.generate import SEARCHED_TOGETHER
from planish.models.adapter_off import AdapterOff, load_adapted
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.models.value_head import ValueHead
from planish.records.generation import Generation
from planish.records.prompt import Prompt, opening
from planish.records.record import read_records
from planish.runs.run import Run
from planish.steer.beam import BeamSearch
from planish.steer.contrast import (
    Amplified,
    Combination,
    Contrast,
    Interpolated,
    LogRatio,
    ProbabilityDifference,
    ProxyTuned,
    behind,
)
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

SHORT = ["--max-tokens", 9, "--device", "cpu"]
LONGER = ["--max-tokens", 30, "--device", "cpu"]
ONCE = opening("Once")


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
        (2, "amplified", ["--contrast", "no such model", "--contrast-mode", "amplify"]),
        (2, "'gate'", ["--contrast", "m", "--contrast-mode", "probability_difference", "--set", "contrast.gat=2"]),
        (2, "contrast", ["--contrast-prompt", "Be gloomy."]),
        (2, "contrast", ["--set", "contrast.plausible=0.5"]),
        (2, "itself", ["--contrast", "tiny"]),
        (1, "no adapter", ["--contrast", "base"]),
        (1, "nowhere", ["--adapter", "nowhere"]),
        (2, "--samples", ["--beams", 3, "--samples", 2]),
        (2, "--trace", ["--beams", 3, "--trace", 0]),
        (2, "--seed", ["--beams", 3, "--seed", 1]),
        (2, "--beams", ["--length-penalty", 2]),
        (2, "multiple", ["--beams", 3, "--groups", 2, "--diversity-penalty", 1]),
        (2, "temperature", ["--beams", 3, "--set", "temperature=0.5"]),
    ],
)
def test_what_cannot_be_is_named(planish: Planish, code: int, named: str, arguments: list[object]) -> None:
    assert named in planish.fails(code, "generate", "tiny", "Once", *arguments)


def test_a_cap_does_not_go_with_beams(planish: Planish, tiny: LanguageModel, tmp_path: Path) -> None:
    ValueHead(tiny.width, tiny.vocabulary).save(tmp_path / "head.safetensors")
    assert "beams cannot" in planish.fails(2, "generate", "tiny", "Once", "--cap", "head.safetensors", "--beams", 2)


# --- contrasts and adapters


@pytest.fixture
def others(tmp_path: Path) -> tuple[LanguageModel, LanguageModel]:
    """Two other models, saved as `other` and `third`."""
    models = tiny_llama(seed=1), tiny_llama(seed=2)
    for model, name in zip(models, ("other", "third"), strict=True):
        model.save(tmp_path / name)
    return models


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([], LogRatio()),
        (["--contrast-strength", 2, "--set", "contrast.plausible=0.9"], LogRatio(strength=2, plausible=0.9)),
        (
            ["--contrast-mode", "probability_difference", "--set", "contrast.gate=1"],
            ProbabilityDifference(gate=1),
        ),
        (["--contrast-mode", "amplified", "--contrast-strength", 2], Amplified(strength=2)),
        (["--contrast-mode", "interpolated", "--set", "contrast.share=0.8"], Interpolated(share=0.8)),
        (
            ["--contrast-mode", "proxy_tuned", "--contrast-plain", "third", "--contrast-strength", 2],
            ProxyTuned(strength=2),
        ),
    ],
)
def test_every_mode_of_contrast_writes_as_it_does_from_python(
    planish: Planish,
    tiny: LanguageModel,
    others: tuple[LanguageModel, LanguageModel],
    arguments: list[object],
    wanted: Combination,
) -> None:
    plain = others[1] if wanted.mode == "proxy_tuned" else None
    (text,) = Engine(tiny, [Contrast(others[0], wanted, plain=plain)], Sampling(max_tokens=30)).generate([ONCE])
    assert text.text != Engine(tiny, sampling=Sampling(max_tokens=30)).generate([ONCE])[0].text
    out = planish("generate", "tiny", "Once", "--contrast", "other", *arguments, *LONGER).out
    assert out == text.text + "\n"


def test_the_other_one_may_see_a_text_of_its_own(planish: Planish, tiny: LanguageModel) -> None:
    steer = Contrast(None, LogRatio(strength=3), other_prompt=behind("A gloomy night. "))
    (text,) = Engine(tiny, [steer], Sampling(max_tokens=30)).generate([ONCE])
    arguments = ["--contrast", "tiny", "--contrast-strength", 3, "--contrast-prompt", "A gloomy night. "]
    assert planish("generate", "tiny", "Once", *arguments, *LONGER).out == text.text + "\n"


def test_an_adapter_is_on_and_its_base_is_the_other_one(planish: Planish, tmp_path: Path) -> None:
    adapter = get_peft_model(tiny_llama().model, LoraConfig(r=4, target_modules=["q_proj", "up_proj"]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, weight in adapter.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight)
    adapter.save_pretrained(str(tmp_path / "adapter"))
    adapted = load_adapted("tiny", tmp_path / "adapter")
    amplifying = Contrast(AdapterOff(adapted), Amplified(strength=2))
    wanted = [
        Engine(adapted, steers, Sampling(max_tokens=30)).generate([ONCE])[0].text + "\n"
        for steers in ([], [amplifying])
    ]
    flags = ["--contrast", "base", "--contrast-mode", "amplified", "--contrast-strength", 2]
    shown = [planish("generate", "tiny", "Once", "--adapter", "adapter", *more, *LONGER).out for more in ([], flags)]
    assert shown == wanted
    assert len({*shown, planish("generate", "tiny", "Once", *LONGER).out}) == 3


# --- beams


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([], {}),
        (["--length-penalty", 0], {"length_penalty": 0.0}),
        (["--groups", 2, "--diversity-penalty", 1.5], {"groups": 2, "diversity_penalty": 1.5}),
    ],
)
def test_all_beams_are_printed_and_appended_best_first(
    planish: Planish, tiny: LanguageModel, tmp_path: Path, arguments: list[object], wanted: dict[str, float]
) -> None:
    prompts = [f"Once {number}" for number in range(SEARCHED_TOGETHER + 1)]
    search = BeamSearch(tiny, sampling=Sampling(max_tokens=9), beams=4, **wanted)  # type: ignore[arg-type]
    texts = [text for found in search.generate([*map(opening, prompts)]) for text in found]
    out = planish("generate", "tiny", *prompts, "--beams", 4, *arguments, "--json", "--out", "rows.jsonl", *SHORT).out
    assert [Generation.model_validate_json(line) for line in out.splitlines()] == texts
    assert read_records(tmp_path / "rows.jsonl", Generation) == texts


def test_of_beams_people_see_the_best(planish: Planish, tiny: LanguageModel, tmp_path: Path) -> None:
    (best, *rest) = BeamSearch(tiny, sampling=Sampling(max_tokens=9), beams=3).generate([ONCE])[0]
    ended = planish("generate", "tiny", "Once", "--beams", 3, "--out", "rows.jsonl", *SHORT)
    assert (ended.code, ended.out) == (0, best.text + "\n")
    assert read_records(tmp_path / "rows.jsonl", Generation) == [best, *rest]


def test_beams_are_steered(planish: Planish, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("re: [a-z]\n", encoding="utf-8")
    rows = planish("generate", "tiny", "Once", "--ban", "list.txt", "--beams", 3, "--json", *LONGER).out.splitlines()
    assert len(rows) > 1
    assert not any(char.isascii() and char.isalpha() for row in rows for char in json.loads(row)["text"])


def test_a_prompt_that_no_beam_can_follow_is_named(planish: Planish) -> None:
    assert "512 tokens" in planish.fails(1, "generate", "tiny", "word " * 600, "--beams", 2)


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
