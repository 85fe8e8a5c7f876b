"""A program that says whether a text follows an instruction, and the cases that say whether the program is right."""

import ast
import hashlib
import warnings
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from planish.records.record import Record

Status = Literal["new", "kept", "rejected"]
# Who says whether the text of a case follows its instruction: somebody who knew the instruction alone, the author of a
# verifier beside it, whoever judged a response, or the kept verifiers on a small change of a text that passes.
CaseOrigin = Literal["blind", "beside", "response", "mutation"]


class Reason(Record):
    """Why something was rejected: a code to count by, and words to read."""

    code: str
    words: str


class Verifier(Record):
    """Python that defines `evaluate(response: str) -> bool`, and what vetting found.

    `id` is a hash of the source, filled in where it is empty; layout, comments and the names of variables do not
    change it. `origin` says where the source was read. Verifiers of one `cluster` answered alike on everything they
    were asked; `agreement` is the share of kept cases on which it is right, `mutation_score` the share of small
    changes that break the instruction which it noticed.
    """

    id: str = ""
    instruction_id: str
    source: str
    origin: str = ""
    status: Status = "new"
    reason: Reason | None = None
    cluster: int | None = None
    agreement: float | None = None
    mutation_score: float | None = None
    repairs: Mapping[str, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fill_id(self) -> Self:
        if not self.id:
            object.__setattr__(self, "id", _hash(normalised(self.source)))
        return self

    def rejected(self, code: str, words: str) -> Self:
        """The same verifier, not to be used."""
        return self.model_copy(update={"status": "rejected", "reason": Reason(code=code, words=words)})


class Case(Record):
    """A text, and whether it follows the instruction. `agreement` is the share of votes that say so too."""

    text: str
    holds: bool
    origin: CaseOrigin
    instruction_id: str = ""
    status: Status = "new"
    reason: Reason | None = None
    agreement: float | None = None

    def rejected(self, code: str, words: str) -> Self:
        """The same case, not to be used."""
        return self.model_copy(update={"status": "rejected", "reason": Reason(code=code, words=words)})


def parsed(source: str) -> ast.Module:
    """The tree of a source that nobody has looked at; it is not run.

    Raises:
        SyntaxError: it is no Python, or nested too deep to be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error) or type(error).__name__) from error


def normalised(source: str) -> str:
    """The source without what changes nothing: comments, docstrings, layout, the names of variables and helpers."""
    try:
        tree = parsed(source)
        _drop_docstrings(tree)
        _rename(tree)
        return ast.unparse(tree)
    except (SyntaxError, RecursionError):
        return source.strip()


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
            if isinstance(node, ast.FunctionDef):
                node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None


def _rename(tree: ast.Module) -> None:
    """Call everything that the source itself names after the order in which it is first named."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        name = _bound_name(node)
        if name is not None and name != "evaluate":
            bound.setdefault(name, f"name_{len(bound)}")
    for node in ast.walk(tree):
        match node:
            case ast.Name():
                node.id = bound.get(node.id, node.id)
            case ast.arg() | ast.keyword():
                node.arg = bound.get(node.arg, node.arg) if node.arg is not None else None
            case ast.FunctionDef():
                node.name = bound.get(node.name, node.name)


def _bound_name(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
            return str(name)
    return None


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
