import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from statistics import fmean
from typing import Any

import nltk
import polars
import pytest
from ifeval_rows import EXAMPLES, row, write_lines
from langdetect import DetectorFactory
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.prove.benchmarks.checkers import asks_for_sign
from planish.prove.benchmarks.figures import figure
from planish.prove.benchmarks.ifeval import (
    IfevalPrompt,
    notes_of_scoring,
    read_ifeval,
    read_responses,
    respond,
    score,
    scored,
)

# Imported by name, and so only once planish has kept it from downloading.
instructions_util = import_module("lm_eval.tasks.ifeval.instructions_util")
utils = import_module("lm_eval.tasks.ifeval.utils")

DATA = Path(__file__).parents[4] / "shared" / "data"
Process = Callable[[dict[str, Any], list[str]], dict[str, Any]]


@pytest.fixture(autouse=True)
def _without_nltks_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on every machine, whatever data NLTK has there."""
    monkeypatch.setattr(nltk.data, "path", [])


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Process]:
    """The harness's own function, unchanged, on data of NLTK that know no abbreviation."""
    english = tmp_path / "nltk" / "tokenizers" / "punkt_tab" / "english"
    english.mkdir(parents=True, mode=0o700)
    for name in ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab"):
        (english / name).touch(mode=0o600)
    caches = (instructions_util._get_sentence_tokenizer, nltk.tokenize._get_punkt_tokenizer)

    def process(document: dict[str, Any], results: list[str]) -> dict[str, Any]:
        with monkeypatch.context() as patched:
            patched.setattr(nltk.data, "path", [str(tmp_path / "nltk")])
            patched.setattr(DetectorFactory, "seed", 0)
            found: dict[str, Any] = utils.process_results(document, results)
            return found

    yield process
    for cache in caches:
        cache.cache_clear()


def assert_scored_as_by(harness: Process, rows: list[dict[str, Any]], responses: list[str]) -> None:
    """What the harness draws by chance is no yardstick: those prompts are left out on both sides."""
    fixed = [
        (each, response)
        for each, response in zip(rows, responses, strict=True)
        if not any(asks_for_sign(*pair) for pair in zip(each["instruction_id_list"], each["kwargs"], strict=True))
    ]
    assert len(fixed) >= len(rows) - 2
    prompts = [IfevalPrompt.model_validate(each) for each, _ in fixed]
    scores = score(prompts, {each["prompt"]: response for each, response in fixed})
    theirs = [harness(each, [response]) for each, response in fixed]
    assert [list(each.strict) for each in scores] == [each["inst_level_strict_acc"] for each in theirs]
    assert [list(each.loose) for each in scores] == [each["inst_level_loose_acc"] for each in theirs]
    numbers = {each.name: figure(each, "prompts", "judge").value for each in scored(scores)}
    assert numbers == pytest.approx(averages(theirs))


def averages(found: list[dict[str, Any]]) -> dict[str, float]:
    """The four numbers as the harness forms them, and their mean."""
    numbers = {}
    for way in ("strict", "loose"):
        numbers[f"ifeval_prompt_{way}"] = fmean(each[f"prompt_level_{way}_acc"] for each in found)
        each_alone = [each[f"inst_level_{way}_acc"] for each in found]
        numbers[f"ifeval_instruction_{way}"] = utils.agg_inst_level_acc(each_alone)
    return {**numbers, "ifeval_average": fmean(numbers.values())}


def test_every_type_scores_as_by_the_harness_itself(harness: Process) -> None:
    single = [row(example) for example in EXAMPLES]
    pairs = [row(*two) for two in zip(EXAMPLES, EXAMPLES[7:], strict=False)]
    for responses in (
        [*(example.good for example in EXAMPLES), *(example.good for example in EXAMPLES[:-7])],
        [*(example.bad for example in EXAMPLES), *(example.bad for example in EXAMPLES[7:])],
        [f"Sure:\n*{example.good}*\nThat is it, Dr. Who." for example in [*EXAMPLES, *EXAMPLES[7:]]],
    ):
        assert_scored_as_by(harness, [*single, *pairs], responses)


@pytest.mark.skipif(not DATA.is_dir(), reason="the data set is not here")
@pytest.mark.parametrize("start", [0, 2000])
def test_the_whole_data_set_scores_as_by_the_harness_itself(harness: Process, start: int) -> None:
    rows = [json.loads(line) for line in (DATA / "ifeval" / "ifeval_input_data.jsonl").read_text().splitlines()]
    texts = polars.read_parquet(DATA / "model_outputs.parquet")["output"].to_list()
    good = {example.name: example.good for example in EXAMPLES}
    responses = [
        texts[start + number] if number % 2 else "\n".join(good[name] for name in each["instruction_id_list"])
        for number, each in enumerate(rows)
    ]
    assert len(rows) == 541
    assert_scored_as_by(harness, rows, responses)


@pytest.mark.skipif(not DATA.is_dir(), reason="the data set is not here")
def test_of_the_whole_data_set_nothing_is_left_out_and_every_fallback_is_said() -> None:
    prompts, notes = read_ifeval(DATA / "ifeval" / "ifeval_input_data.jsonl")
    assert (len(prompts), notes) == (541, [])
    fallback, sign = notes_of_scoring(prompts)
    assert fallback.startswith("77 of 834 instructions scored with a fallback")
    assert sign.startswith("2 of 834 instructions count the sign")


def test_a_prompt_that_cannot_be_checked_is_left_out_and_named(tmp_path: Path) -> None:
    halved = {**row(EXAMPLES[1], prompt="halved"), "kwargs": [{"keyword": "tea"}]}
    rows = [row(EXAMPLES[0]), halved, row(EXAMPLES[0]), row(EXAMPLES[-1])]
    prompts, (first, second) = read_ifeval(write_lines(tmp_path / "rows.jsonl", rows))
    assert [each.prompt for each in prompts] == [rows[0]["prompt"], rows[3]["prompt"]]
    assert first == "prompt 2 left out: keywords:frequency has no 'frequency'"
    assert second.startswith("prompt 3 left out: ")


def test_as_many_prompts_are_read_as_are_asked_for(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [row(example) for example in EXAMPLES])
    assert len(read_ifeval(path, 7)[0]) == 7


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompt": "a"}, "line 2: instruction_id_list is missing"),
        ({**row(EXAMPLES[0]), "kwargs": []}, "line 2: .*one length"),
        ({**row(EXAMPLES[0]), "prompt": 3}, "line 2: prompt is 3, not a text"),
    ],
)
def test_a_row_with_wrong_columns_is_refused_by_its_line(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_ifeval(write_lines(tmp_path / "rows.jsonl", [row(EXAMPLES[0]), wrong]))


def test_where_no_prompt_can_be_checked_the_first_reason_is_said(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [{**row(EXAMPLES[0]), "kwargs": [{}]}])
    with pytest.raises(DataError, match="prompt 1 left out: keywords:existence has no 'keywords'"):
        read_ifeval(path)


def test_two_answers_to_one_prompt_are_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "given.jsonl", [{"prompt": "a", "response": text, "key": 3} for text in "xy"])
    with pytest.raises(DataError, match="line 1: the prompt is answered 2 times"):
        read_responses(path)


@pytest.mark.parametrize("name", ["bundled", "stories"])
def test_a_model_answers_as_the_harness_lets_it_answer(request: pytest.FixtureRequest, name: str) -> None:
    model = load_model("bundled") if name == "bundled" else request.getfixturevalue(name)
    prompts = [IfevalPrompt.model_validate(row(example)) for example in EXAMPLES[:4]]
    answers, _ = respond(model, prompts, 30)
    reader = HFLM(pretrained=model.model, tokenizer=deepcopy(model.tokenizer), batch_size=1)
    # As the harness's task of IFEval asks.
    settings = {"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": 30}
    asked = [
        reader.apply_chat_template([{"role": "user", "content": each.prompt}]) if model.is_chat else each.prompt
        for each in prompts
    ]
    instances = [Instance("generate_until", {}, (text, dict(settings)), at) for at, text in enumerate(asked)]
    # A space before the first word is lost where the response is decoded without what stands before it.
    theirs = [text.removeprefix(" ") for text in reader.generate_until(instances)]
    assert [answers[each.prompt].removeprefix(" ") for each in prompts] == theirs


def test_a_model_without_a_chat_template_is_said_to_have_none_and_a_cut_response_to_be_cut(
    tiny: LanguageModel,
) -> None:
    answers, notes = respond(tiny, [IfevalPrompt.model_validate(row(EXAMPLES[0]))], 5)
    assert len(answers) == 1
    assert [("no chat template" in note, "cut" in note) for note in notes] == [(True, False), (False, True)]
