"""The model card: what a reader on the Hub must know before he downloads."""

import json
import re
from collections.abc import Sequence

from planish.prove.wording import (
    PLAIN_NAMES,
    change,
    got_worse,
    interval,
    number,
    plain_name,
    verdict_sentence,
    worse_sentence,
)
from planish.records.evidence import Evidence

# The Hub refuses anything else as a base model, and a folder's path is nobody's business.
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
NOTHING_MEASURED = "What it does was not measured: `planish prove BEFORE AFTER` compares it with the model before."
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")


def model_card(base: str, recipe: str, evidence: Sequence[Evidence], reproduce: str, licence: str) -> str:
    """The card as Markdown, with the Hub's metadata before it.

    Args:
        base: the model before: a Hub id, or a folder, which is not named.
        recipe: what was done to it.
        evidence: the table, headline first; where there is none, the card says so.
        reproduce: the command.
        licence: a sentence on the licence.
    """
    is_on_hub = _HUB_ID.fullmatch(base) is not None
    named = base if is_on_hub else base.replace("\\", "/").rstrip("/").rpartition("/")[2]
    parts = [
        _metadata(base if is_on_hub else None, recipe),
        f"# {_plain(named)}, after planish {_plain(recipe)}",
        *(_measured(evidence) if evidence else [NOTHING_MEASURED]),
        "## How to reproduce",
        _code(reproduce),
        "## Licence",
        _plain(licence),
    ]
    return "\n\n".join(parts) + "\n"


def _measured(evidence: Sequence[Evidence]) -> list[str]:
    worse = [f"- {_plain(worse_sentence(line))}" for line in got_worse(evidence)]
    return [
        _plain(verdict_sentence(evidence)),
        _table(evidence),
        "n counts what stands under “on”. Prompts, seeds and sampling are the same before and after; the intervals are "
        "paired bootstraps.",
        "## What got worse",
        "\n".join(worse) or "None of these figures surely got worse or left its margin.",
    ]


def _metadata(base: str | None, recipe: str) -> str:
    # A JSON string is a YAML string.
    lines = ["---", "library_name: transformers"]
    if base is not None:
        lines += [f"base_model: {json.dumps(base, ensure_ascii=False)}", "base_model_relation: finetune"]
    return "\n".join([*lines, "tags:", "- planish", f"- {json.dumps(recipe, ensure_ascii=False)}", "---"])


def _table(evidence: Sequence[Evidence]) -> str:
    headings = ["figure", "before", "after", "difference (95 %)", "change", "n", "on", "verdict"]
    rows = [headings, ["---", *["--:"] * 5, "---", "---"], *map(_cells, evidence)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(line: Evidence) -> list[str]:
    name = _plain(plain_name(line)) + (f" `{line.name}`" if line.name in PLAIN_NAMES else "")
    figures = [number(line.before), number(line.after), interval(line), change(line), str(line.n)]
    return [name, *figures, _plain(line.group), line.verdict]


def _code(command: str) -> str:
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", command)), default=0))
    return f"{fence}\n{command}\n{fence}"


def _plain(text: str) -> str:
    """The text in one line, with nothing in it taken for Markdown or HTML."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
