from typing import Any

import yaml  # type: ignore[import-untyped]
from evidence_lines import HOSTILE, lines

from planish.prove.card import model_card
from planish.prove.wording import got_worse, plain_name


def card(base: str = "someone/a-model") -> tuple[dict[str, Any], str]:
    """The metadata and the text of a card."""
    _, metadata, text = model_card(base, "antislop", lines(), "planish antislop someone/a-model", "As before.").split(
        "---\n", 2
    )
    return yaml.safe_load(metadata), text


def test_the_metadata_is_what_the_hub_reads() -> None:
    metadata, _ = card()
    assert metadata == {
        "library_name": "transformers",
        "base_model": "someone/a-model",
        "base_model_relation": "finetune",
        "tags": ["planish", "antislop"],
    }


def test_a_folder_is_neither_named_as_base_model_nor_by_its_path() -> None:
    for folder in ("/home/me/secret/my-model", "/home/me/secret/my-model/", "C:\\secret\\my-model"):
        metadata, text = card(folder)
        assert "base_model" not in metadata
        assert "secret" not in text
        assert "my-model" in text


def test_the_table_comes_first_then_what_got_worse_then_how_to_reproduce() -> None:
    _, text = card()
    parts = ["| figure", "## What got worse", "## How to reproduce", "planish antislop someone/a-model", "As before."]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    worse = text[places[1] : places[2]]
    for line in lines():
        assert (plain_name(line) in worse) == (line in got_worse(lines()))


def test_every_row_of_the_table_has_every_column() -> None:
    _, text = card()
    rows = [row for row in text.splitlines() if row.startswith("|")]
    assert len(rows) == 2 + len(lines())
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
    for line in lines()[:-1]:
        assert any(f"`{line.name}`" in row and line.verdict in row for row in rows)


def test_hostile_text_is_neither_markdown_nor_html() -> None:
    named = model_card("a", "antislop", lines(), "x", HOSTILE + " | [a](b)\n# heading")
    assert "<script" not in named.replace("\\<", "")
    assert "\n# heading" not in named
    assert "](" not in named.replace("\\]", "")


def test_a_command_cannot_leave_its_block() -> None:
    text = model_card("a/b", "antislop", [], "```\n# out", "x")
    assert "````\n```\n# out\n````" in text
