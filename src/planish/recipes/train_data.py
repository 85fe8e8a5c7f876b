"""The rows that a training reads: from a file of planish, from one of other tools, or from a run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from planish.errors import DataError, ModelError, UsageError
from planish.models.language_model import LanguageModel
from planish.records.preference import CompletionPreference, TokenPreferences
from planish.records.record import Fault, Record, fault_of
from planish.runs.catalogue import LATEST, find_run
from planish.runs.disk import digest_of_file
from planish.runs.layout import DONE, is_run, resume_command, stage_folders, stage_name
from planish.runs.run import Run
from planish.train.ftpo_import import Occurrences, import_ftpo
from planish.train.token_pairs import prompt_of

Kind = Literal["points", "pairs", "ftpo rows"]
Row = TokenPreferences | CompletionPreference
# The stage of a run that holds what can be trained on, and the recipe that has it.
STAGE = "mine"
MINING = "antislop"
# By which columns a file is told.
COLUMNS: Mapping[Kind, frozenset[str]] = {
    "points": frozenset({"token_ids", "points"}),
    "pairs": frozenset({"chosen", "rejected"}),
    "ftpo rows": frozenset({"context_with_chat_template", "rejected_decoded"}),
}
# Without which a row is none; two conversations have their prompt in themselves.
NEEDED = {
    "points": ("generation_id", "token_ids", "prompt_length", "points"),
    "pairs": ("prompt", "chosen", "rejected"),
}
KNOWN = (
    "a row has prompt, chosen and rejected, or generation_id, token_ids, prompt_length and points, or is an FTPO row "
    "of another tool"
)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
JSON_OBJECT = TypeAdapter(dict[str, Any])


class LeftOut(Record):
    """Something in a file that could not be used: how often, in which line first, and what was off with that one."""

    what: Literal["row", "chosen text"]
    reason: str
    times: int
    first_line: int


class TrainData(NamedTuple):
    """The rows of a file, all of one kind; what of it could not be used; what tells apart its content."""

    rows: Sequence[TokenPreferences] | Sequence[CompletionPreference]
    left_out: Sequence[LeftOut]
    digest: str
    note: str


def data_file(name: str, root: Path) -> Path:
    """The file that a user names: itself, or what a run mined (its folder, its name under `root`, or `latest`).

    Raises:
        UsageError: there is no such run, or it has mined nothing yet, or never will.
        DataError: there is no such file.
    """
    is_other = Path(name).exists() or (name != LATEST and not is_run(root / name))
    if is_other and not is_run(Path(name)):
        return Path(name)
    run = find_run(name, root)
    for stage in stage_folders(run):
        if stage_name(stage) == STAGE and (stage / DONE).is_file():
            return stage / "rows.jsonl"
    config = Run.read_config(run)
    recipe = config.get("recipe")
    if recipe == MINING:
        raise UsageError(f"the run {run} has mined no preferences yet", resume_command(run))
    own = f"what it was trained on ({config['data']}), " if "data" in config else ""
    raise UsageError(
        f"{run} is a run of `planish {recipe}`, which mines no preferences",
        f"give {own}a run of planish {MINING}, or a file of rows",
    )


def read_data(path: Path, model: LanguageModel, tuner: str) -> TrainData:
    """Read what a tuner is to learn from. A row that cannot be used is left out and counted.

    Args:
        path: the file; of which kind it is its first row of a known kind says.
        model: whose tokens are meant.
        tuner: ftpo, dpo or sft.

    Raises:
        DataError: the file is not there or is empty, no row of it can be used, or it was made for another model.
        UsageError: the tuner does not learn from such rows.
    """
    kind = _kind(path)
    _refuse_other_kind(path, kind, tuner)
    rows: Sequence[Row]
    if kind == "ftpo rows":
        imported = import_ftpo(path, model)
        rows = imported.preferences
        for number, row in enumerate(rows, start=1):
            _refuse_strangers(path, number, row, model)
        left_out = [*_left_out("row", imported.dropped), *_left_out("chosen text", imported.left_out)]
    else:
        rows, left_out = _read(path, kind, model)
    points = [row for row in rows if isinstance(row, TokenPreferences)]
    pairs = [row for row in rows if isinstance(row, CompletionPreference)]
    paths = f"{sum(len(row.points) for row in points)} points on {len(points)} paths"
    counted = f"{len(pairs)} pairs" if pairs else paths
    return TrainData(pairs or points, left_out, digest_of_file(path), f"data: {counted}{_why(left_out)}")


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | Fault]]:
    """Every line that is not empty, with its number from 1: what it holds, or why that is nothing."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.removeprefix(BYTE_ORDER_MARK).strip()
                if not text:
                    continue
                try:
                    yield number, JSON_OBJECT.validate_json(text)
                except ValidationError as error:
                    yield number, fault_of(error)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the path") from error


def _kind(path: Path) -> Kind:
    """What the first row is that is of a known kind."""
    first: tuple[int, str] | None = None
    for number, row in _lines(path):
        if isinstance(row, Fault):
            first = first or (number, row.words)
            continue
        for kind, columns in COLUMNS.items():
            if columns <= row.keys():
                return kind
        first = first or (number, f"it has only {', '.join(row) or 'no columns'}")
    if first is None:
        raise DataError(f"{path} is empty", f"give a file with a row a line: {KNOWN}")
    raise DataError(f"{path}, line {first[0]}: {first[1]}; and no other line is a row to learn from", KNOWN)


def _read(path: Path, kind: Literal["points", "pairs"], model: LanguageModel) -> tuple[list[Row], list[LeftOut]]:
    """The rows that can be used, and what is off with the others."""
    rows: list[Row] = []
    left_out: dict[str, LeftOut] = {}
    for number, columns in _lines(path):
        row = columns if isinstance(columns, Fault) else _row(kind, columns)
        if not isinstance(row, Fault):
            _refuse_strangers(path, number, row, model)
            row = row.fault() or _refused_prompt(row, model) or row
        if isinstance(row, Fault):
            same = left_out.get(row.kind) or LeftOut(what="row", reason=row.words, times=0, first_line=number)
            left_out[row.kind] = same.model_copy(update={"times": same.times + 1})
        else:
            rows.append(row)
    if not rows:
        first = next(iter(left_out.values()))
        raise DataError(f"{path} has no row to learn from; row {first.first_line}: {first.reason}", KNOWN)
    return rows, list(left_out.values())


def _row(kind: Literal["points", "pairs"], columns: Mapping[str, Any]) -> Row | Fault:
    """A row, or why it cannot be read."""
    lacking = [name for name in NEEDED[kind] if columns.get(name) is None]
    if lacking and not (lacking == ["prompt"] and isinstance(columns["chosen"], list)):
        return Fault(f"lacks {lacking}", f"it lacks {', '.join(lacking)}, and has {', '.join(columns)}")
    shape = TokenPreferences if kind == "points" else CompletionPreference
    try:
        return shape.of_columns(columns)
    except ValidationError as error:
        return fault_of(error)


def _refused_prompt(row: Row, model: LanguageModel) -> Fault | None:
    """Why the model's template cannot show it a conversation."""
    if isinstance(row, TokenPreferences) or row.has_ids or isinstance(row.prompt, str):
        return None
    try:
        model.encode(prompt_of(row))
    except ModelError as error:
        return Fault("template", error.message)
    return None


def _refuse_other_kind(path: Path, kind: Kind, tuner: str) -> None:
    if kind == "pairs" and tuner == "ftpo":
        raise UsageError(
            f"{path} holds pairs of texts, and ftpo learns from points",
            f"dpo and sft learn from pairs: planish train dpo {path} MODEL",
        )
    if kind != "pairs" and tuner == "sft":
        raise UsageError(
            f"{path} holds points, and sft learns from texts",
            f"ftpo and dpo learn from points: planish train ftpo {path} MODEL, or planish train dpo {path} MODEL",
        )


def _refuse_strangers(path: Path, number: int, row: Row, model: LanguageModel) -> None:
    """Ids mean something only to the model whose tokens they are: one that is none makes all others doubtful."""
    strange = [token for ids in _ids(row) for token in ids if not 0 <= token < model.vocabulary]
    if strange:
        raise DataError(
            f"{path}, row {number}: there is no token {strange[0]}: {model.name!r} has {model.vocabulary}",
            "give rows that were made with this model's tokenizer",
        )


def _ids(row: Row) -> Iterator[Sequence[int]]:
    if isinstance(row, CompletionPreference):
        yield from (row.prompt_ids, row.chosen_ids, row.rejected_ids)
        return
    yield row.token_ids
    for point in row.points:
        yield (point.rejected, *point.chosen)


def _left_out(what: Literal["row", "chosen text"], reasons: Mapping[str, Occurrences]) -> Iterator[LeftOut]:
    for reason, (times, line) in reasons.items():
        yield LeftOut(what=what, reason=reason, times=times, first_line=line)


def _why(left_out: Sequence[LeftOut]) -> str:
    reasons = [f"{each.times} × {each.what} (first in line {each.first_line}: {each.reason})" for each in left_out]
    return f"; left out: {', '.join(reasons)}" if reasons else ""
