"""Ban rules from a file: planish's own JSONL, or plain text with a rule a line."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from planish.errors import DataError
from planish.records.record import read_records, write_records
from planish.records.rule import BanRule
from planish.records.text_file import JSON_LINES, numbered_lines

COMMENT = "#"
# How a line of plain text begins that is no phrase.
PREFIXES: dict[str, Literal["regex", "ngram"]] = {"re:": "regex", "ng:": "ngram"}
# What cannot stand in a line, or at its beginning.
UNWRITABLE = "\n\r\0\ufeff"


def read_rules(path: Path) -> list[BanRule]:
    """The rules of a JSONL file of `BanRule` rows, or of plain text.

    In plain text `re: PATTERN` is a regex, `ng: WORDS` an n-gram, `# …` a comment, and any other line a phrase.
    Whether a pattern is valid is not asked here.

    Raises:
        DataError: the file is not there or is not text, or a line is no rule; the line is named.
    """
    if path.suffix.lower() in JSON_LINES:
        return read_records(path, BanRule)
    rules = []
    for number, line in numbered_lines(path):
        if not line.strip() or line.lstrip().startswith(COMMENT):
            continue
        rule = _rule(line.strip())
        if not rule.text:
            raise DataError(f"{path}, line {number}: {rule.kind} without a text", f"mend line {number}")
        rules.append(rule)
    return rules


def write_rules(path: Path, rules: Iterable[BanRule]) -> None:
    """Write what `read_rules` reads. Plain text keeps kinds and texts only, and no options; JSONL keeps everything.

    Raises:
        DataError: a rule cannot be written as a line of plain text; nothing is written then.
    """
    if path.suffix.lower() in JSON_LINES:
        write_records(path, rules)
        return
    lines = [plain_line(rule) for rule in rules]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _rule(line: str) -> BanRule:
    for prefix, kind in PREFIXES.items():
        if line.startswith(prefix):
            return BanRule(kind=kind, text=line.removeprefix(prefix).strip())
    return BanRule(text=line)


def plain_line(rule: BanRule) -> str:
    """A rule as a line of plain text.

    Raises:
        DataError: no line says that, or the rule has options, which only JSONL keeps.
    """
    if rule.options:
        raise DataError(
            f"the {rule.kind} {rule.text!r} has {' and '.join(rule.options)}, and a line of plain text has none",
            "write to a .jsonl file",
        )
    if not can_be_line(rule):
        raise DataError(f"the {rule.kind} {rule.text!r} cannot be a line of plain text", "write to a .jsonl file")
    return _prefixed(rule)


def can_be_line(rule: BanRule) -> bool:
    """Whether a line of plain text says what the rule looks for."""
    line = _prefixed(rule)
    again = _rule(line.strip())
    return (
        bool(rule.text)
        and (again.kind, again.text) == (rule.kind, rule.text)
        and not line.startswith(COMMENT)
        and not any(char in line for char in UNWRITABLE)
    )


def _prefixed(rule: BanRule) -> str:
    return next((f"{prefix} " for prefix, kind in PREFIXES.items() if kind == rule.kind), "") + rule.text
