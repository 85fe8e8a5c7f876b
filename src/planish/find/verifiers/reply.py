"""What a model replied when it was asked for verifiers, cases or both.

Two forms are read. Ours has separate fenced blocks: Python, and JSON with cases, as a list or one a line. AutoIF's is
one object {"func": …, "cases": [{"input": …, "output": …}]}. Separate blocks need no source inside a JSON string, which
is where most replies break.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from textwrap import dedent
from typing import Any, NamedTuple

from planish.find.verifiers.lenient_json import read_lenient
from planish.find.verifiers.screening import takes_one
from planish.find.verifiers.verifier import Case, CaseOrigin, parsed

# How the text of a case, and whether it holds, are called: by us, by AutoIF, by its first reimplementation.
CASE_KEYS = (("text", "holds"), ("input", "output"), ("response", "result"))
BOOLEANS = {"true": True, "false": False}
# Longer replies are a model that does not stop.
MOST_CHARS = 200_000
_FENCE = re.compile(r"^[ \t]*```[ \t]*(\w*)[^\n]*$", re.MULTILINE)
_CODE_LINE = re.compile(r"(?:from \w|import \w|def \w+\(|@\w)")
_MORE_CODE = re.compile(r"(?:from |import |def |class |@|#|[ \t)\]}]|[A-Za-z_]\w* ?=|$)")


class ParsedReply(NamedTuple):
    """What could be read. Repairs and losses are counted by kind; `error` says why there is nothing at all."""

    sources: tuple[str, ...]
    cases: tuple[Case, ...]
    repairs: Mapping[str, int]
    losses: Mapping[str, int]
    error: str = ""


class _Block(NamedTuple):
    """What stands between two fences, and the language that the first one names."""

    language: str
    text: str


def parse_reply(reply: str, origin: CaseOrigin = "beside", instruction_id: str = "") -> ParsedReply:
    """Read sources and cases; nothing is run, and what is off with a part loses that part only.

    Args:
        reply: what the model wrote.
        origin: where the cases come from.
        instruction_id: what they are for.
    """
    if len(reply) > MOST_CHARS:
        return ParsedReply((), (), {}, {}, f"the reply has {len(reply)} characters, more than {MOST_CHARS}")
    reading = _Reading(origin, instruction_id)
    for block in _blocks(_whole(reply), reading.repairs):
        reading.read(block)
    return reading.outcome()


class _Reading:
    """What has been read so far."""

    def __init__(self, origin: CaseOrigin, instruction_id: str) -> None:
        self.origin, self.instruction_id = origin, instruction_id
        self.sources: list[str] = []
        self.cases: list[Case] = []
        self.repairs: Counter[str] = Counter()
        self.losses: Counter[str] = Counter()
        self.error = ""

    def outcome(self) -> ParsedReply:
        error = "" if self.sources or self.cases else self.error or "the reply has neither a source nor a case"
        return ParsedReply(tuple(self.sources), tuple(self.cases), +self.repairs, +self.losses, error)

    def read(self, block: _Block) -> None:
        text, language = dedent(block.text).strip(), block.language.lower()
        if language.startswith("py") or (not language and text[:1] not in ("{", "[")):
            self._source(text)
            return
        if not language.startswith("json") and text[:1] not in ("{", "["):
            self.losses["other_language"] += 1
            return
        try:
            values = list(self._values(text))
        except ValueError as error:
            self.error = f"a block is no JSON: {error}"
            self.losses["json"] += 1
            return
        for value in values:
            self._value(value)

    def _values(self, text: str) -> Iterator[Any]:
        try:
            yield self._json(text)
        except ValueError:
            lines = [line.strip().removesuffix(",") for line in text.splitlines() if line.strip()]
            if len(lines) < 2 or not all(line[0] == "{" and line[-1] == "}" for line in lines if line):
                raise
            for line in lines:
                yield self._json(line)

    def _json(self, text: str) -> Any:
        value, repairs = read_lenient(text)
        self.repairs += repairs
        return value

    def _value(self, value: Any) -> None:
        if isinstance(value, list):
            for case in value:
                self._case(case)
        elif isinstance(value, dict) and ("func" in value or "cases" in value):
            if isinstance(source := value.get("func"), str):
                self._source(_whole(source))
            cases = value.get("cases", [])
            self._value(cases if isinstance(cases, list) else [cases])
        else:
            self._case(value)

    def _case(self, value: Any) -> None:
        named = value if isinstance(value, dict) else {}
        text, holds = next(((named[key], named.get(says)) for key, says in CASE_KEYS if key in named), (None, None))
        if isinstance(holds, str) and (known := BOOLEANS.get(holds.strip().lower())) is not None:
            holds = known
            self.repairs["string_boolean"] += 1
        if not isinstance(text, str):
            self.losses["case_without_text"] += 1
        elif not isinstance(holds, bool):
            self.losses["case_without_boolean"] += 1
        else:
            if self.repairs["illegal_escape"]:
                # Kept for the sake of sources; in prose it is a quote.
                text = text.replace(r"\'", "'")
            text = self._with_new_lines(_whole(text))
            case = Case(text=text, holds=holds, origin=self.origin, instruction_id=self.instruction_id)
            self.cases.append(case)

    def _with_new_lines(self, text: str) -> str:
        r"""The text with the new lines that were spelled `\n`; where it has real ones, those were meant as they are."""
        if "\n" in text or r"\n" not in text:
            return text
        self.repairs["literal_newline"] += 1
        return text.replace(r"\n", "\n")

    def _source(self, source: str) -> None:
        if not source.strip():
            self.losses["empty_source"] += 1
            return
        try:
            tree = parsed(source)
        except SyntaxError:
            # Whatever is wrong with it, its screening says so; a source in one line may only need its lines back.
            self.sources.append(self._with_new_lines(source))
            return
        functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        if len(functions) == 1 and functions[0].name != "evaluate" and takes_one(functions[0]):
            self.repairs["function_name"] += 1
            source = f"{source}\n\n\ndef evaluate(response):\n    return {functions[0].name}(response)\n"
        self.sources.append(source)


def _blocks(reply: str, repairs: Counter[str]) -> Iterator[_Block]:
    """The fenced blocks, or where there are none, what looks like one."""
    fences = list(_FENCE.finditer(reply))
    if not fences:
        if bare := _bare(reply):
            repairs["no_fence"] += 1
            repairs["chatter"] += bare.text.strip() != reply.strip()
            yield bare
        return
    outside = reply[: fences[0].start()]
    for opening in range(0, len(fences), 2):
        start, fence = fences[opening].end(), fences[opening]
        closed = opening + 1 < len(fences)
        end = fences[opening + 1].start() if closed else len(reply)
        repairs["closing_fence"] += not closed
        following = fences[opening + 2].start() if opening + 2 < len(fences) else len(reply)
        outside += reply[fences[opening + 1].end() : following] if closed else ""
        yield _Block(fence[1], reply[start:end])
    repairs["chatter"] += bool(outside.strip())


def _bare(reply: str) -> _Block | None:
    """A block without its fence: from the first line of code to the last, or from the first bracket to the last."""
    lines = reply.splitlines()
    first_code = next((place for place, line in enumerate(lines) if _CODE_LINE.match(line)), None)
    bracket = re.search(r"[\[{]", reply)
    if first_code is not None and (bracket is None or reply[: bracket.start()].count("\n") >= first_code):
        last = next((at for at in range(first_code, len(lines)) if not _MORE_CODE.match(lines[at])), len(lines))
        return _Block("python", "\n".join(lines[first_code:last]))
    if bracket is None:
        return None
    return _Block("json", reply[bracket.start() : max(reply.rfind("}"), reply.rfind("]")) + 1])


def _whole(text: str) -> str:
    """The text with halves of characters joined, and those that stay alone replaced: no file can hold them."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
