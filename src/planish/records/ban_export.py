"""Ban rules for other tools."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from planish.errors import DataError
from planish.records.ban_file import can_be_line, plain_line
from planish.records.ban_formats import NGRAMS, PHRASES, REGEXES, Format, LeftOut
from planish.records.rule import BanRule

NAMES = {"text": "plain text", "koboldcpp": "koboldcpp", "tabbyapi": "tabbyAPI", "antislop": "Auto-Antislop"}
# What a rule with an option asks for.
ASKS_FOR = {
    "strength": "strengths",
    "case_sensitive": "upper and lower case",
    "inflections": "inflections",
    "whole_words": "phrases inside words",
}
# To find inside words is what these do anyway.
INSIDE_WORDS = ("koboldcpp", "tabbyapi")


def export_rules(path: Path, rules: Sequence[BanRule], to: Format) -> list[LeftOut]:
    """Write the rules that a format can hold, and return the others.

    For koboldcpp a `.txt` file is SillyTavern's. Whole phrases become strings that koboldcpp and tabbyAPI find inside
    words too. Only planish's own format keeps the reasons.

    Raises:
        DataError: the file or the folder cannot be written.
    """
    why_not = [_why_not(rule, to, is_lines=path.suffix.lower() == ".txt") for rule in rules]
    held = [rule for rule, reason in zip(rules, why_not, strict=True) if not reason]
    try:
        if to == "antislop":
            path.mkdir(exist_ok=True)
        for file, text in _files(path, held, to).items():
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}", "name another place") from error
    return [LeftOut(rule.text, reason) for rule, reason in zip(rules, why_not, strict=True) if reason]


def _why_not(rule: BanRule, to: Format, is_lines: bool) -> str:
    """Why a format cannot hold a rule; empty where it can."""
    if to == "planish":
        return ""
    unknown = [ASKS_FOR[option] for option in rule.options if not (option == "whole_words" and to in INSIDE_WORDS)]
    if rule.kind != "phrase" and to in INSIDE_WORDS:
        return f"{NAMES[to]} has phrases only"
    if unknown:
        return f"{NAMES[to]} has no {' and no '.join(unknown)}"
    if to == "text" and not can_be_line(rule):
        return "no line of plain text says that"
    if is_lines and {"\n", "\r"} & set(rule.text):
        return "it has more than one line"
    return ""


def _files(path: Path, rules: Sequence[BanRule], to: Format) -> Mapping[Path, str]:
    """What is to be written where."""
    texts = {kind: [rule.text for rule in rules if rule.kind == kind] for kind in ("phrase", "ngram", "regex")}
    if to == "planish":
        return {path: "".join(f"{rule.model_dump_json()}\n" for rule in rules)}
    if to == "text":
        return {path: "".join(f"{plain_line(rule)}\n" for rule in rules)}
    if to == "koboldcpp" and path.suffix.lower() == ".txt":
        return {path: "".join(f'"{text}"\n' for text in texts["phrase"])}
    if to == "koboldcpp":
        return {path: _json({"banned_tokens": texts["phrase"]})}
    if to == "tabbyapi":
        return {path: _json({"banned_strings": texts["phrase"]})}
    return {
        path / PHRASES: _json([[text, 1] for text in texts["phrase"]]),
        path / NGRAMS: _json(texts["ngram"]),
        path / REGEXES: _json(texts["regex"]),
    }


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
