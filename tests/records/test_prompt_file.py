import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError, MissingPackageError, PlanishError, UsageError
from planish.records.prompt import Message, Prompt, opening, writing_prompt
from planish.records.prompt_file import read_prompts
from planish.records.record import write_records

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
SAID = WORDS.filter(lambda text: bool(text.strip()))
LINE = SAID.filter(lambda text: not set("\n\r\ufeff") & set(text))
OWN = st.builds(Prompt, text=WORDS, constraints=st.lists(WORDS, max_size=2).map(tuple), source=WORDS) | st.builds(
    Prompt,
    messages=st.lists(st.builds(Message, role=WORDS, content=WORDS), max_size=3).map(tuple),
    tag=st.none() | WORDS,
)
SYSTEM = Message(role="system", content="Be brief.")
ROLES = [("role", "content", "user"), ("from", "value", "human")]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        polars.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def error_of(source: Path | str, **options: Any) -> PlanishError:
    with pytest.raises(PlanishError) as caught:
        read_prompts(source, **options)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


@given(st.lists(LINE, min_size=1, max_size=5), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_each_line_of_a_text_file_is_a_prompt_once(lines: list[str], end: str, as_opening: bool) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "prompts.txt"
        path.write_text(end.join([*lines, " \t", "", *lines]), encoding="utf-8", newline="")
        made = opening if as_opening else writing_prompt
        distinct = dict.fromkeys(line.strip() for line in lines)
        assert read_prompts(path, as_opening=as_opening) == [made(line, "prompts.txt") for line in distinct]


@given(st.lists(OWN, min_size=1, max_size=4, unique_by=lambda prompt: prompt.id), st.booleans())
def test_rows_of_our_own_are_taken_as_they_are(prompts: list[Prompt], as_opening: bool) -> None:
    with TemporaryDirectory() as folder:
        lines, table = Path(folder) / "prompts.jsonl", Path(folder) / "prompts.parquet"
        write_records(lines, prompts)
        assert read_prompts(lines, as_opening=as_opening) == prompts
        polars.read_ndjson(lines, infer_schema_length=None).write_parquet(table)
        assert read_prompts(table, as_opening=as_opening) == prompts


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("field", ["prompt", "text"])
def test_a_text_in_a_row_is_a_request_or_an_opening(suffix: str, field: str) -> None:
    @given(st.lists(SAID, min_size=1, max_size=4, unique=True))
    def check(texts: list[str]) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"rows{suffix}"
            write_rows(path, [{"id": number, field: text} for number, text in enumerate(texts)])
            assert read_prompts(path) == [writing_prompt(text, path.name) for text in texts]
            assert read_prompts(path, as_opening=True) == [opening(text, path.name) for text in texts]

    check()


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("field", ["messages", "conversations", "prompt"])
@pytest.mark.parametrize(("role", "content", "user"), ROLES)
def test_the_first_user_turn_and_the_system_turns_before_it_are_kept(
    tmp_path: Path, suffix: str, field: str, role: str, content: str, user: str
) -> None:
    said = [("system", "Be brief."), ("assistant", "Hello."), (user, "A story."), ("gpt", "Once."), (user, "More.")]
    turns = [{role: who, content: text} for who, text in said]
    path = write_rows(tmp_path / f"rows{suffix}", [{field: turns}, {field: turns[2:]}])
    request = Message(role="user", content="A story.")
    assert [prompt.messages for prompt in read_prompts(path)] == [(SYSTEM, request), (request,)]


def test_the_fullest_field_that_is_filled_counts(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "turns"}]
    rows: list[dict[str, Any]] = [
        {"text": "a", "prompt": "b", "messages": turns},
        {"text": "a", "prompt": "b", "messages": None},
    ]
    for suffix in (".jsonl", ".parquet"):
        prompts = read_prompts(write_rows(tmp_path / f"rows{suffix}", rows))
        assert [prompt.content for prompt in prompts] == ["turns", "b"]


def test_other_people_s_constraints_do_not_make_a_row_ours(tmp_path: Path) -> None:
    row = {"id": "7", "prompt": "A story.", "constraints": ["no commas"]}
    for suffix in (".jsonl", ".parquet"):
        path = write_rows(tmp_path / f"rows{suffix}", [row])
        assert read_prompts(path) == [writing_prompt("A story.", path.name)]


def test_separators_inside_json_do_not_end_a_row(tmp_path: Path) -> None:
    text = "one\u2028two\u2029three\x85four"
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"prompt": "{text}"}}\r\n  \r\n', encoding="utf-8-sig", newline="")
    assert [prompt.content for prompt in read_prompts(path)] == [text]


def test_system_and_template_go_around_each_prompt(tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "Be long."}, {"role": "user", "content": "{prompt} {other}"}]
    path = write_rows(tmp_path / "rows.jsonl", [{"messages": turns}])
    (prompt,) = read_prompts(path, system="Be brief.", template="<{prompt}> {again} {prompt}")
    request = "<{prompt} {other}> {again} {prompt} {other}"
    assert prompt.messages == (SYSTEM, Message(role="user", content=request))


@given(st.lists(LINE, min_size=1, max_size=5), st.integers(1, 6))
def test_first_words_cut_and_change_nothing_else(lines: list[str], count: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "stories.txt"
        path.write_text("\n".join(lines), encoding="utf-8")
        cut = [prompt.content for prompt in read_prompts(path, as_opening=True, first_words=count)]
    wanted = {" ".join(line.split()[:count]) for line in lines}
    assert {" ".join(text.split()) for text in cut} == wanted
    assert all(any(line.strip().startswith(text) for line in lines) for text in cut)


def test_the_template_goes_around_the_first_words(tmp_path: Path) -> None:
    path = tmp_path / "stories.txt"
    path.write_text("Once upon a  time there was\n", encoding="utf-8")
    (prompt,) = read_prompts(path, template="Go on: {prompt} …", first_words=4)
    assert prompt.content == "Go on: Once upon a  time …"


def test_a_limit_counts_distinct_prompts_and_reads_no_further(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": "a"}\n{"text": "b"}\nbroken\n', encoding="utf-8")
    assert [prompt.content for prompt in read_prompts(path, limit=2)] == ["a", "b"]
    assert "line 4" in error_of(path, limit=3).message


@pytest.mark.parametrize(
    "options",
    [
        {"template": "no place"},
        {"template": "{text}"},
        {"system": "Be brief.", "as_opening": True},
        {"first_words": 0},
        {"limit": 0},
    ],
    ids=str,
)
def test_impossible_options_are_refused_before_anything_is_read(options: dict[str, Any]) -> None:
    assert isinstance(error_of("missing.txt", **options), UsageError)


@pytest.mark.parametrize("options", [{"system": "a"}, {"template": "{prompt}"}, {"first_words": 3}], ids=str)
def test_options_that_rows_of_our_own_cannot_follow_are_not_ignored(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "prompts.jsonl"
    write_records(path, [opening("a")])
    assert "line 1" in error_of(path, **options).message


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    "content", [None, "folder", "below a file", b"", b" \n\n", b"\x89PNG\r\n\x00\xff", b"PAR1\0\0\0\0PAR1"], ids=str
)
def test_what_holds_no_prompts_is_named(tmp_path: Path, suffix: str, content: bytes | str | None) -> None:
    path = tmp_path / f"prompts{suffix}"
    if content == "folder":
        path.mkdir()
    elif content == "below a file":
        path.write_text("a file")
        path = path / f"prompts{suffix}"
    elif isinstance(content, bytes):
        path.write_bytes(content)
    error = error_of(path)
    assert isinstance(error, DataError)
    assert str(path) in error.message


def test_an_empty_table_holds_no_prompt(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    polars.DataFrame(schema={"prompt": polars.String}).write_parquet(path)
    assert f"{path} holds no prompt" in error_of(path).message


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("not json", "column"),
        ('{"text": "a"', "EOF"),
        ('["a"]', "not a JSON object"),
        ("[" * 100_000, "recursion"),
        ('{"text": "\\ud800"}', "column"),
        ("{}", "no fields"),
        ('{"question": "a", "answer": "b"}', "question, answer"),
        ('{"text": 7}', "text is neither"),
        ('{"text": null}', "text is neither"),
        ('{"text": " "}', "text is empty"),
        ('{"text": "a", "messages": []}', "messages has no user turn"),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', "messages has no user turn"),
        ('{"messages": [{"role": "user", "content": ""}]}', "messages is empty"),
        ('{"messages": [{"role": "user", "content": null}]}', "role and content"),
        ('{"messages": ["a"]}', "role and content"),
        ('{"text": 7, "constraints": []}', "text: "),
        ('{"text": "a", "messages": [], "constraints": []}', "either text or messages"),
    ],
    ids=lambda value: value[:40],
)
def test_a_malformed_line_is_named_with_its_reason(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n' * 36 + line + "\n", encoding="utf-8")
    error = error_of(path)
    assert isinstance(error, DataError)
    assert f"{path}, line 37: " in error.message
    assert reason in error.message


def test_a_table_without_prompts_is_answered_with_its_columns(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.parquet", [{"question": "a", "answer": "b"}])
    assert "question, answer" in error_of(path).message


def test_a_hundred_thousand_lines_are_as_many_prompts(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("".join(f"Tell story {number}.\n" for number in range(100_000)), encoding="utf-8")
    prompts = read_prompts(path)
    assert len(prompts) == 100_000
    assert prompts[-1] == writing_prompt("Tell story 99999.", "prompts.txt")


def test_a_data_set_of_the_hub_is_streamed_no_further_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows() -> Iterator[dict[str, str]]:
        yield from ({"prompt": text} for text in "aab")
        raise AssertionError("read beyond the limit")

    def load_dataset(name: str, split: str, streaming: bool) -> datasets.IterableDataset:
        assert (name, split, streaming) == ("owner/stories-v1.5", "train", True)
        return datasets.IterableDataset.from_generator(rows)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    for source in ("owner/stories-v1.5", Path("owner/stories-v1.5")):
        prompts = read_prompts(source, limit=2)
        assert prompts == [writing_prompt(text, "owner/stories-v1.5") for text in "ab"]


def test_a_data_set_that_cannot_be_read_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(name: str, **_: object) -> datasets.IterableDataset:
        raise ConnectionError(f"Couldn't reach {name}\nand much more")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    error = error_of("owner/name")
    assert isinstance(error, DataError)
    assert "Couldn't reach owner/name" in error.message


def test_a_data_set_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert isinstance(error_of("owner/name"), MissingPackageError)


def test_a_file_goes_before_a_data_set_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("owner").mkdir()
    Path("owner/name").write_text("A story.\n", encoding="utf-8")
    assert read_prompts("owner/name") == [writing_prompt("A story.", "name")]
    assert "there is no file owner/name.txt" in error_of("owner/name.txt").message
