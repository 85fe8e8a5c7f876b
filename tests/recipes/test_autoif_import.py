import json
from pathlib import Path

import pytest

from planish.errors import DataError
from planish.models.reply_store import ReplyStore
from planish.recipes.asking import Asker
from planish.recipes.autoif_import import import_autoif
from planish.recipes.calls import Calls

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "autoif_sample_data"
CALLS = Calls("recorded")
ROW = {
    "instruction": "Shout.",
    "eval_func": [["def evaluate(response):\n    return response.isupper()", 1.0]],
    "cases": [["HEY", True], ["hey", False]],
    "prompt": "Follow it.\n[instruction] Shout.\n[Query] Why?",
    "gpt-answer": ["BECAUSE", "because", "BECAUSE"],
}


@pytest.fixture
def store(tmp_path: Path) -> ReplyStore:
    return ReplyStore(tmp_path / "replies.jsonl")


def test_replies_become_samples_and_parts_that_are_repeated_count_once(tmp_path: Path, store: ReplyStore) -> None:
    lines = [json.dumps(ROW), json.dumps(ROW), "{torn", json.dumps({"instruction": "Shout."})]
    (tmp_path / "query_rft.jsonl").write_text("\n".join(lines))
    counts = import_autoif(tmp_path, store, CALLS)
    assert counts == {"answer": 6, "write_verifier": 1, "write_cases_blind": 1, "skipped": 2}
    answers, [verifier], [cases] = Asker(store).ask(
        [CALLS.answer("Why?", "Shout.", 6), CALLS.write_verifier("Shout.", 1), CALLS.write_cases_blind("Shout.", 6, 1)]
    )
    assert [reply.text for reply in answers] == ["BECAUSE", "because", "BECAUSE"] * 2
    assert verifier.text == "```python\ndef evaluate(response):\n    return response.isupper()\n```"
    assert [json.loads(line) for line in cases.text.splitlines()] == [
        {"response": "HEY", "result": True},
        {"response": "hey", "result": False},
    ]


def test_a_folder_without_any_recorded_output_is_refused(tmp_path: Path, store: ReplyStore) -> None:
    with pytest.raises(DataError, match="holds no outputs of AutoIF"):
        import_autoif(tmp_path, store, CALLS)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded outputs are not here")
def test_all_that_the_project_recorded_is_replayed(store: ReplyStore) -> None:
    counts = import_autoif(RECORDED, store, CALLS)
    # Five times 8 whole replies, 22 + 5 + 1 programs; 20 * 16 + 21 * 8 + 20 * 8 answers; 3 translations of 5.
    assert counts == {
        "rewrite_instructions": 1,
        "write_verifier": 40 + 28,
        "write_cases_blind": 7,
        "back_translate": 15,
        "answer": 320 + 168 + 160,
        "judge_quality": 20,
    }
    assert len(store) == counts.total()
    size_bytes = store.path.stat().st_size
    again = ReplyStore(store.path)
    import_autoif(RECORDED, again, CALLS)
    assert store.path.stat().st_size == size_bytes
    for row in map(json.loads, (RECORDED / "eval_func_rft.jsonl").read_text().splitlines()):
        [replies] = Asker(again).ask([CALLS.write_verifier(row["instruction"], samples=8)])
        assert [reply.text for reply in replies] == row["gpt-answer"]
