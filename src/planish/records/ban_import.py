"""Ban rules from the lists of other tools."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from planish.errors import DataError, UsageError
from planish.records.ban_file import read_rules
from planish.records.ban_formats import NGRAMS, PHRASES, REGEXES, LeftOut
from planish.records.rule import BanRule
from planish.records.text_file import numbered_lines
from planish.text.rules import RuleMatcher

TOKEN_IDS = "token ids mean nothing without their tokenizer"


class RuleList(NamedTuple):
    """What a file holds, and what of it cannot be a rule."""

    rules: list[BanRule]
    left_out: list[LeftOut]


def import_rules(path: Path) -> RuleList:
    """The rules of a list in any format, which is recognised by its content, or of a folder of Auto-Antislop.

    A JSON list of plain strings is one of phrases, unless the file's name says that they are n-grams or regexes. What
    other tools have and planish cannot match, as a regex with look-around, is left out.

    Raises:
        DataError: the file is not there or is no ban list, or an entry of it is no rule; the entry is named.
    """
    if path.is_dir():
        files = [path / name for name in (PHRASES, NGRAMS, REGEXES) if (path / name).is_file()]
        if not files:
            raise DataError(f"{path} has no {PHRASES}, {NGRAMS} or {REGEXES}", "name a file, or another folder")
        lists = [import_rules(file) for file in files]
        return RuleList(
            [rule for each in lists for rule in each.rules], [out for each in lists for out in each.left_out]
        )
    lines = [line for _, line in numbered_lines(path)]
    suffix = path.suffix.lower()
    if suffix not in (".jsonl", ".ndjson"):
        data = _json(path, "\n".join(lines))
        if data is not None:
            return _matchable(_from_json(path, data))
        if suffix != ".json" and _are_quoted(lines):
            return _matchable(_from_quoted(lines))
    return RuleList(read_rules(path), [])


def _json(path: Path, text: str) -> Any:
    """What the file holds if it is one JSON value of another tool, else None: planish has one a line."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        if path.suffix.lower() == ".json" and text.strip() and not error.msg.startswith("Extra data"):
            raise DataError(f"{path}, line {error.lineno}: {error.msg}", "mend the file, it is no JSON") from error
        return None
    is_a_row = isinstance(data, dict) and "text" in data
    return data if isinstance(data, (list, dict)) and not is_a_row else None


def _from_json(path: Path, data: Any) -> RuleList:
    if isinstance(data, dict):
        for key in ("banned_tokens", "banned_strings"):
            if data.get(key):
                return _from_request(path, key, data[key])
        if not {"banned_tokens", "banned_strings"} & data.keys():
            raise DataError(f"{path} has neither banned_tokens nor banned_strings", "name a list of what is banned")
        return RuleList([], [])
    strings: Callable[[str], BanRule] = _anywhere
    if "ngram" in path.stem:
        strings = _of_kind("ngram")
    elif "regex" in path.stem:
        strings = _of_kind("regex")
    return RuleList([_entry(path, number, entry, strings) for number, entry in enumerate(data, start=1)], [])


def _from_request(path: Path, key: str, value: Any) -> RuleList:
    if isinstance(value, str):
        return _from_quoted(value.split("\n")) if key == "banned_tokens" else RuleList([_anywhere(value)], [])
    if not isinstance(value, list):
        raise DataError(f"{path}: {key} is no list, but {value!r}", "give a list of strings")
    ids = [LeftOut(str(entry), TOKEN_IDS) for entry in value if isinstance(entry, int)]
    strings = ((number, entry) for number, entry in enumerate(value, start=1) if not isinstance(entry, int))
    return RuleList([_entry(path, number, entry, _anywhere) for number, entry in strings], ids)


def _entry(path: Path, number: int, entry: Any, of_string: Callable[[str], BanRule]) -> BanRule:
    match entry:
        case str(text) | [str(text), int() | float()] if not text.strip():
            raise DataError(f"{path}, entry {number} is empty", f"take entry {number} out")
        case str(text):
            return of_string(text)
        case [str(text), int() | float()]:
            return BanRule(text=text)
        case [str(), *_] if all(isinstance(word, str) for word in entry):
            return BanRule(text=" ".join(entry), kind="ngram")
    raise DataError(
        f"{path}, entry {number} is no rule: {json.dumps(entry)}",
        'an entry is a string, a pair like ["phrase", 1], or a list of words',
    )


def _are_quoted(lines: Sequence[str]) -> bool:
    """Whether most lines are in quotes, as SillyTavern has them; there may be a heading."""
    written = [line for line in lines if line.strip()]
    return 2 * sum(map(_is_quoted, written)) > len(written)


def _is_quoted(line: str) -> bool:
    return len(line.strip()) > 2 and line.strip()[0] == line.strip()[-1] == '"'


def _from_quoted(lines: Iterable[str]) -> RuleList:
    written = [line.strip() for line in lines if line.strip()]
    return RuleList(
        [_anywhere(line[1:-1]) for line in written if _is_quoted(line)],
        [LeftOut(line, f"not in quotes, and {TOKEN_IDS}") for line in written if not _is_quoted(line)],
    )


def _anywhere(text: str) -> BanRule:
    return BanRule(text=text, whole_words=False)


def _of_kind(kind: Literal["ngram", "regex"]) -> Callable[[str], BanRule]:
    return lambda text: BanRule(text=text, kind=kind)


def _matchable(found: RuleList) -> RuleList:
    """Without what no matcher of ours takes."""
    rules: list[BanRule] = []
    left_out = list(found.left_out)
    for rule in found.rules:
        try:
            RuleMatcher([rule.pattern])
        except UsageError as error:
            left_out.append(LeftOut(rule.text, error.message))
        else:
            rules.append(rule)
    return RuleList(rules, left_out)
