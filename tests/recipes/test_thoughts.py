from pathlib import Path
from typing import Any

import pytest
from scripted_author import Author, Script

from planish.errors import DataError
from planish.models.reply_store import ReplyStore
from planish.recipes.asking import Asker
from planish.recipes.calls import Calls
from planish.recipes.prompt_template import seed_instructions
from planish.recipes.thoughts import Thought, seeds_of, think
from planish.recipes.written_settings import WrittenSettings
from planish.records.prompt import writing_prompt
from planish.runs.run import Run

QUERIES = [writing_prompt(f"What is query {number}?") for number in range(5)]
SEEDS = [f"Say the word number{number}." for number in range(40)]


def thought(folder: Path, script: Script, **settings: Any) -> tuple[list[Thought], Author]:
    author = Author({"new_instruction": script, "rewrite_instructions": script})
    asker = Asker(ReplyStore(folder / "replies.jsonl"), author)
    with Run.start(folder, "test", {}, {}) as run:
        return think(run, asker, Calls("m"), QUERIES, SEEDS, WrittenSettings(**settings), seed=1), author


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("Use no commas.", "Use no commas."),
        ("\n  - Use no commas.  \nIt is easy.", "Use no commas."),
        ("3. Use no commas.", "Use no commas."),
        ("(3) Use no commas.", "Use no commas."),
        ("**Instruction:** Use no commas.", "Use no commas."),
        ("**Instruction: Use no commas.**", "Use no commas."),
        ("1. **Use no commas.**", "Use no commas."),
        ("* **Bold** the first word.", "**Bold** the first word."),
        ("New demand: “Use no commas.”", "Use no commas."),
        ('"Use no commas."', "Use no commas."),
        ('"Yes" or "no" is the first word.', '"Yes" or "no" is the first word.'),
        ("3 words, no more.", "3 words, no more."),
        ("", ""),
    ],
)
def test_a_thought_is_the_first_line_without_what_stands_around_it(tmp_path: Path, reply: str, text: str) -> None:
    [found], _ = thought(tmp_path, lambda request, number: reply, instructions=1)
    assert found == Thought(text=text, prompt_id=QUERIES[0].id, error="" if text else "the reply is empty")


def test_each_query_is_asked_once_or_as_often_as_it_takes_and_no_more_than_needed(tmp_path: Path) -> None:
    few, author = thought(tmp_path / "few", lambda request, number: "Be short.", instructions=3)
    assert [each.prompt_id for each in few] == [query.id for query in QUERIES[:3]]
    assert author.count("new_instruction") == 3
    many, _ = thought(tmp_path / "many", lambda request, number: f"Use {number} words.", instructions=12, block=2)
    assert [each.prompt_id for each in many] == [QUERIES[place // 3].id for place in range(12)]
    assert [each.text for each in many[:3]] == ["Use 0 words.", "Use 1 words.", "Use 2 words."]


def test_so_many_seeds_are_shown_others_with_each_query(tmp_path: Path) -> None:
    _, author = thought(tmp_path, lambda request, number: "Be short.", instructions=5, examples=6)
    shown = [{seed for seed in SEEDS if seed in draw.request.messages[0].content} for draw in author.asked]
    assert {len(each) for each in shown} == {6}
    assert len(set(map(frozenset, shown))) == 5


def test_a_reply_that_fails_is_a_thought_without_a_text(tmp_path: Path) -> None:
    def script(request: str, number: int) -> str:
        if "query 1?" in request:
            raise LookupError("lost")
        return "Be short."

    found, _ = thought(tmp_path, script, instructions=3)
    assert [(each.text, bool(each.error)) for each in found] == [("Be short.", False), ("", True), ("Be short.", False)]


def test_others_are_thought_of_a_line_each_until_there_are_enough(tmp_path: Path) -> None:
    def script(request: str, number: int) -> str:
        return "\n\n".join(f"{line + 1}. Use {100 * number + line} words." for line in range(25))

    found, author = thought(tmp_path, script, source="rewriting", instructions=45, examples=len(SEEDS))
    # All seeds are shown each time, so that these are three samples of one request.
    assert author.count("rewrite_instructions") == 3
    assert [each.text for each in found] == [f"Use {100 * (at // 20) + at % 20} words." for at in range(45)]
    assert {each.prompt_id for each in found} == {""}
    _, author = thought(tmp_path / "drawn", script, source="rewriting", instructions=45, examples=5)
    assert len({draw.request.key for draw in author.asked}) == 3


def test_the_last_line_of_a_reply_that_was_cut_off_is_none(tmp_path: Path) -> None:
    calls, settings = Calls("m"), WrittenSettings(source="rewriting", instructions=20, examples=len(SEEDS))
    store = ReplyStore(tmp_path / "replies.jsonl")
    [draw] = calls.rewrite_instructions(SEEDS).draws()
    store.add([draw.reply("Use no commas.\nWrite in capi", "length")])
    with Run.start(tmp_path / "run", "test", {}, {}) as run:
        found = think(run, Asker(store), calls, QUERIES, SEEDS, settings)
    assert [(each.text, each.error) for each in found] == [
        ("Use no commas.", ""),
        ("Write in capi", "the reply was cut off"),
    ]


def test_seeds_come_from_a_file_or_are_our_own(tmp_path: Path) -> None:
    assert seeds_of(WrittenSettings()) == seed_instructions()
    path = tmp_path / "seeds.txt"
    path.write_text("Be short.\n\n  Be long.  \n")
    assert seeds_of(WrittenSettings(seeds=str(path))) == ["Be short.", "Be long."]
    path.write_text("\n")
    with pytest.raises(DataError, match="holds no instruction"):
        seeds_of(WrittenSettings(seeds=str(path)))
