from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.recipes.benchmark_text import BenchmarkText
from planish.recipes.sifting import WrittenInstruction, instruction_id, sift
from planish.recipes.thoughts import Thought
from planish.recipes.written_settings import WrittenSettings
from planish.records.prompt import writing_prompt

QUERIES = [writing_prompt(line) for line in ("What is red?", "How do I bake bread at home?", "Who was first?")]


def sifted(
    *texts: str, seeds: Sequence[str] = (), benchmark: BenchmarkText | None = None, **settings: Any
) -> list[Any]:
    thoughts = [Thought(text=text, prompt_id=QUERIES[at % len(QUERIES)].id) for at, text in enumerate(texts)]
    return sift(thoughts, QUERIES, seeds, WrittenSettings(**settings), benchmark)


def codes(rows: Sequence[WrittenInstruction]) -> list[str]:
    assert all((row.status == "rejected") == (row.reason is not None) for row in rows)
    assert all(row.reason is None or row.reason.words for row in rows)
    return ["kept" if row.reason is None else row.reason.code for row in rows]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Use no commas.", "kept"),
        ("...", "empty"),
        ("word " * 61, "too_long"),
        ("word " * 60, "kept"),
        ("Keep a friendly tone.", "uncheckable"),
        ('Say "friendly tone" once.', "kept"),
        ("Don't let the tone of it's end be sad.", "uncheckable"),
    ],
)
def test_an_instruction_that_no_program_can_check_is_sorted_out(text: str, code: str) -> None:
    assert codes(sifted(text)) == [code]


def test_an_instruction_that_says_its_query_is_sorted_out() -> None:
    said = "Say how do I bake bread in three lines."
    assert codes(sifted("Use no commas.", said)) == ["kept", "kept"]
    said = "Say how do I bake bread at home, in three lines."
    assert codes(sifted("Use no commas.", said)) == ["kept", "quotes_query"]
    assert codes(sifted(said)) == ["kept"]


def test_a_failed_thought_says_why() -> None:
    [row] = sift([Thought(text="", prompt_id=QUERIES[0].id, error="lost")], QUERIES, [], WrittenSettings())
    assert row.reason is not None
    assert (row.reason.code, row.reason.words) == ("no_reply", "lost")


@given(st.lists(st.sampled_from(["use", "no", "commas", "or", "dots", "in", "your", "reply"]), min_size=1, max_size=9))
def test_case_spaces_and_punctuation_make_no_other_instruction(parts: list[str]) -> None:
    plain = " ".join(parts)
    other = f"  {',  '.join(parts).title()}!\n"
    assert instruction_id(plain) == instruction_id(other)
    first, second = sifted(plain, other)
    assert codes([first, second]) == ["kept", "duplicate"]
    assert (first.id, first.prompt_ids, second.prompt_ids) == (second.id, (QUERIES[0].id,), (QUERIES[1].id,))


def test_nearly_the_same_is_measured_by_runs_of_three_words() -> None:
    # Seven runs and six, of which six are in common: 6 of 7.
    one = "Write one line of text with three words only."
    other = "Write one line of text with three words."
    assert codes(sifted(one, other)) == ["kept", "near_duplicate"]
    assert codes(sifted(one, other, most_overlap=6 / 7)) == ["kept", "kept"]
    assert codes(sifted(one, "Begin the reply with a question.")) == ["kept", "kept"]
    # What was sorted out is nothing to be like.
    assert codes(sifted(f"{one} Be witty.", one)) == ["uncheckable", "kept"]


def test_a_longer_instruction_is_sorted_out_by_the_setting() -> None:
    assert codes(sifted("Use no commas at all.", most_words=4)) == ["too_long"]
    assert codes(sifted("Use no commas at all.", most_words=5)) == ["kept"]


def test_rewriting_may_not_copy_what_was_shown_and_draws_queries() -> None:
    thoughts = [Thought(text=text) for text in ("use no commas", "Use no full stops at all.")]
    settings = WrittenSettings(source="rewriting", queries_each=2)
    rows = sift(thoughts, QUERIES, ["Use no commas."], settings)
    assert codes(rows) == ["copies_seed", "kept"]
    assert len(set(rows[1].prompt_ids)) == 2
    assert rows == sift(thoughts, QUERIES, ["Use no commas."], settings)
    all_of_them = sift(thoughts, QUERIES, [], settings.model_copy(update={"queries_each": 9}))
    assert set(all_of_them[1].prompt_ids) == {query.id for query in QUERIES}
    drawn = {sift(thoughts, QUERIES, [], settings, seed=seed)[1].prompt_ids for seed in range(20)}
    assert len(drawn) > 1
    # With a query at hand, one that was shown may be just what goes with it.
    assert codes(sifted("Use no commas.", seeds=["Use no commas."])) == ["kept"]


def test_no_prompt_shares_thirteen_words_in_a_row_with_a_benchmark(tmp_path: Path) -> None:
    path = tmp_path / "benchmark.txt"
    tail = "list of just five short lines that all begin with one letter each"
    path.write_text(f"Tell me everything about cats as a {tail}\nWho was first?\n")
    benchmark = BenchmarkText(path)
    assert codes(sifted(f"Make it a {tail}.", benchmark=benchmark)) == ["benchmark"]
    # Twelve words in a row.
    assert codes(sifted(f"Make it the {tail.removesuffix(' each')}.", benchmark=benchmark)) == ["kept"]
    assert codes(sifted("Use no commas.", "Be short.", "Use a dot.", benchmark=benchmark)) == ["kept"] * 2 + [
        "benchmark"
    ]
    rewritten = sift(
        [Thought(text="Use no commas.")], QUERIES, [], WrittenSettings(source="rewriting", queries_each=3), benchmark
    )
    assert codes(rewritten) == ["kept"]
    assert set(rewritten[0].prompt_ids) == {query.id for query in QUERIES[:2]}
