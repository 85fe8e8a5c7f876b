import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.tiny import tiny_llama
from planish.models.tokens import Tokens
from planish.records.preference import TokenPreferences
from planish.train.ftpo_import import AGAIN, BOTH, CHOSEN, NO_CHOSEN, REJECTED, Imported, import_ftpo

# With the tiny tokenizer a character is a token.
CONTEXTS = st.text("ab", min_size=1, max_size=6)
ROWS = st.lists(
    st.tuples(CONTEXTS, st.sampled_from("abc"), st.text("def", min_size=1, max_size=3)),
    min_size=1,
    max_size=14,
    unique_by=lambda row: row[:2],
)
STORY = " Lily saw a big red ball in the park. It was under a tree, and she ran to it at once."


def row(context: str, rejected: str, chosen: Sequence[str], **fields: Any) -> dict[str, Any]:
    return {
        "context_with_chat_template": context,
        "rejected_decoded": rejected,
        "multi_chosen_decoded": list(chosen),
        **fields,
    }


def imported(tokens: Tokens, rows: Sequence[Mapping[str, Any] | str]) -> Imported:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        lines = [line if isinstance(line, str) else json.dumps(line) for line in rows]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return import_ftpo(path, tokens)


def places(paths: Sequence[TokenPreferences]) -> list[tuple[tuple[int, ...], int, tuple[int, ...]]]:
    """What each point says, without the path that it lies on."""
    return sorted(
        (path.token_ids[: point.position], point.rejected, point.chosen) for path in paths for point in path.points
    )


@given(ROWS)
def test_every_row_becomes_one_point_on_as_few_paths_as_there_can_be(rows: list[tuple[str, str, str]]) -> None:
    tiny = tiny_llama()

    def ids(text: str) -> tuple[int, ...]:
        return tuple(tiny.tokenizer(text)["input_ids"])

    result = imported(tiny, [row(*each) for each in rows])
    expected = [
        (ids(context), *ids(rejected), ids("".join(dict.fromkeys(chosen)))) for context, rejected, chosen in rows
    ]
    assert places(result.preferences) == sorted(expected)
    contexts = {context for context, _, _ in rows}
    ends = {end for end in contexts if not any(other != end and other.startswith(end) for other in contexts)}
    assert sorted(path.token_ids for path in result.preferences) == sorted(map(ids, ends))
    assert (result.rows, result.dropped, result.left_out) == (len(rows), {}, {})

    rejected_texts = {context + rejected for context, rejected, _ in rows}
    for path in result.preferences:
        text = tiny.decode(path.token_ids)
        assert path.is_branch == any(text.startswith(begun) for begun in rejected_texts)
        for point in path.points:
            before = text[: point.position]
            assert point.after_rejected == any(before.startswith(begun) for begun in rejected_texts)


@pytest.mark.parametrize("name", ["tiny", "bundled", "stories"])
def test_the_rows_of_one_text_share_one_path(name: str, request: pytest.FixtureRequest) -> None:
    tokens: LanguageModel = load_model(name) if name == "bundled" else request.getfixturevalue(name)
    ids = tokens.tokenizer(STORY, add_special_tokens=False)["input_ids"]
    contexts = [tokens.decode(ids[:end]) for end in range(3, len(ids) + 1)]
    if name == "stories":
        contexts = [f"<s>{context.removeprefix(' ')}" for context in contexts]
    rows = [row(context, ".", [",", "\n"]) for context in reversed(contexts)]
    (path,) = imported(tokens, rows).preferences
    assert len(path.points) == len(rows) > 20
    assert path.token_ids == tuple(tokens.tokenizer(contexts[-1], add_special_tokens=False)["input_ids"])


def test_a_context_says_itself_where_it_begins(stories: LanguageModel) -> None:
    for context, begun in (("<s>Once upon", True), ("Once upon", False)):
        (path,) = imported(stories, [row(context, ".", [","])]).preferences
        assert (path.token_ids[0] == stories.tokenizer.bos_token_id, len(path.token_ids)) == (begun, 2 + begun)


def test_a_token_with_a_space_is_found_where_the_tokenizer_would_make_two_of_its_text(stories: LanguageModel) -> None:
    (path,) = imported(stories, [row("<s>Once upon", " the", [" a", "ed", " she"])]).preferences
    names = stories.tokenizer.convert_ids_to_tokens
    assert names(path.points[0].rejected) == "▁the"
    assert names(list(path.points[0].chosen)) == ["▁a", "ed", "▁she"]


def test_what_cannot_be_used_is_counted_by_reason_and_placed(tiny: LanguageModel) -> None:
    good = row("ab", "c", ["d"], validator={"class": "slop_phrase", "rule": "a cat"})
    result = imported(
        tiny,
        [
            row("ab", "xy", ["d"]),
            good,
            row("ab", "q", ["long", "e", "q", "f", "more"]),
            "{broken",
            row("ab", "é", ["d"]),
            good,
            row("ab", "c", ["long"]),
            row("ab", "c", []),
            {"rejected_decoded": "c", "multi_chosen_decoded": ["d"]},
            "[]",
        ],
    )
    assert result.rows == 10
    assert {reason: tuple(seen) for reason, seen in result.dropped.items()} == {
        REJECTED: (2, 1),
        "no JSON object": (2, 4),
        AGAIN: (1, 6),
        NO_CHOSEN: (2, 7),
        "context_with_chat_template: Field required": (1, 9),
    }
    assert {reason: tuple(seen) for reason, seen in result.left_out.items()} == {CHOSEN: (3, 3), BOTH: (1, 3)}
    (path,) = result.preferences
    assert [tiny.decode([point.rejected]) for point in path.points] == ["c", "q"]
    assert [tiny.decode(point.chosen) for point in path.points] == ["d", "ef"]
    assert [point.rule for point in path.points] == ["a cat", "q"]


@pytest.mark.parametrize("lines", [[], ["{broken"], [row("ab", "xy", ["d"])]])
def test_a_file_without_a_usable_row_is_refused(tiny: LanguageModel, lines: list[Any]) -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl has no FTPO row"):
        imported(tiny, lines)


def test_the_prompt_ends_where_the_model_began_to_write(tiny: LanguageModel) -> None:
    def length(*rows: dict[str, Any]) -> int:
        (path,) = imported(tiny, rows).preferences
        return path.prompt_length

    written = {"generation_raw": "she sat"}
    assert length(row("Story: she sat", "x", ["y"], **written)) == len("Story: ")
    assert length(row("Story: she sat", "x", ["y"])) == len("Story: she sat")
    assert length(row("Story: she", "x", ["y"]), row("Story: she sat", "x", ["y"])) == len("Story: she")


def test_what_rows_say_of_their_branch_is_taken_from_them(tiny: LanguageModel) -> None:
    rows = [row("ab", "c", ["d"]), row("abcd", "e", ["f"]), row("abcde", "f", ["g"])]
    (path,) = imported(tiny, rows).preferences
    assert (path.is_branch, [point.after_rejected for point in path.points]) == (True, [False, True, True])
    known = [each | {"stats": {"is_branch": False, "after_rejected": True}} for each in rows]
    (path,) = imported(tiny, known).preferences
    assert (path.is_branch, [point.after_rejected for point in path.points]) == (False, [True, True, True])


def test_texts_for_one_prompt_go_by_one_name(tiny: LanguageModel) -> None:
    rows = [
        row("one she", "x", ["y"], prompt_raw="one"),
        row("one he", "x", ["y"], prompt_raw="one"),
        row("two she", "x", ["y"], prompt_raw="two"),
        row("three", "x", ["y"]),
        row("four", "x", ["y"]),
    ]
    names = {tiny.decode(path.token_ids): path.generation_id for path in imported(tiny, rows).preferences}
    assert names["one she"] == names["one he"]
    assert len(set(names.values())) == 4
