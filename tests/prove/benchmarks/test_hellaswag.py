from pathlib import Path
from typing import Any

import polars
import pytest
from datasets import Dataset
from hellaswag_rows import hellaswag_row
from ifeval_rows import write_lines
from lm_eval import evaluator
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from lm_eval.tasks.hellaswag import utils

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.prove.benchmarks.figures import figure
from planish.prove.benchmarks.hellaswag import HellaswagRow, notes_of_scoring, read_hellaswag, score, scored

ROWS = [hellaswag_row(number) for number in range(24)]


def test_a_row_is_read_as_the_harness_reads_it(tmp_path: Path) -> None:
    rows = read_hellaswag(write_lines(tmp_path / "rows.jsonl", ROWS))
    theirs = utils.process_docs(Dataset.from_list(ROWS))
    for own, wanted in zip(rows, theirs, strict=True):
        document = own.document()
        assert (document["query"], document["choices"]) == (wanted["query"], wanted["choices"])
        assert document["label"] == wanted["gold"]
    assert notes_of_scoring(rows) == []


def test_a_model_scores_as_by_the_harness_itself(
    tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_lines(tmp_path / "rows.jsonl", ROWS)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    original = Path(utils.__file__).with_name("hellaswag.yaml")
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "local.yaml").write_text(
        f"include: {original}\ntask: local\ntag: []\ndataset_path: json\ntraining_split: null\n"
        f"dataset_kwargs:\n  data_files:\n    validation: {data}\n  cache_dir: {tmp_path / 'cache'}\n"
    )
    theirs = evaluator.simple_evaluate(
        model=HFLM(pretrained=tiny.model, tokenizer=tiny.tokenizer, batch_size=4),
        tasks=["local"],
        task_manager=TaskManager(include_path=str(tmp_path / "task"), include_defaults=False),
        bootstrap_iters=0,
    )["results"]["local"]
    numbers = {each.name: figure(each, "rows", "judge") for each in scored(score(tiny, read_hellaswag(data)))}
    assert numbers["hellaswag_acc"].value == pytest.approx(theirs["acc,none"])
    assert numbers["hellaswag_acc_norm"].value == pytest.approx(theirs["acc_norm,none"])
    assert {number.n for number in numbers.values()} == {len(ROWS)}


def test_scoring_leaves_the_tokenizer_as_it_was(tiny: LanguageModel) -> None:
    before = tiny.tokenizer.pad_token_id, len(tiny.tokenizer)
    score(tiny, [HellaswagRow.model_validate(ROWS[0])])
    assert (tiny.tokenizer.pad_token_id, len(tiny.tokenizer)) == before


def test_a_table_with_whole_beginnings_is_read_and_that_is_said(tmp_path: Path) -> None:
    given = [{"ctx": "Baking: A man is in a kitchen. he", "label": 2, "endings": ["a", "b", "c", "d"]}] * 3
    polars.DataFrame(given).write_parquet(tmp_path / "rows.parquet")
    rows = read_hellaswag(tmp_path / "rows.parquet", limit=2)
    assert [row.document()["query"] for row in rows] == ["Baking: A man is in a kitchen. he"] * 2
    assert notes_of_scoring(rows)[0].startswith("2 of 2 rows have no ctx_a")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"label": "4"}, "row 2: .*label 4 is none of 4 endings"),
        ({"label": ""}, 'row 2: label is "", not a whole number'),
        ({"endings": None}, "row 2: endings is null, not a list"),
        ({"ctx_a": None, "ctx": ""}, "row 2: .*neither ctx_a nor ctx"),
    ],
)
def test_a_row_that_has_no_answer_is_refused_by_its_place(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    rows = [ROWS[0], {**ROWS[1], **wrong}]
    polars.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=said):
        read_hellaswag(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=said.replace("row", "line", 1)):
        read_hellaswag(write_lines(tmp_path / "rows.jsonl", rows))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_text("no table")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_hellaswag(tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl").touch()
    with pytest.raises(DataError, match="holds no row"):
        read_hellaswag(tmp_path / "rows.jsonl")
