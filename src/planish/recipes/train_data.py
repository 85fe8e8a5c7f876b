"""The rows that a training reads: from a file of planish, from one of other tools, or from a run."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from planish.errors import DataError, UsageError
from planish.models.language_model import LanguageModel
from planish.records.preference import CompletionPreference, TokenPreferences
from planish.records.record import Record, read_records
from planish.records.text_file import numbered_lines
from planish.runs.catalogue import LATEST, find_run
from planish.runs.disk import digest_of_file
from planish.runs.layout import DONE, is_run, resume_command, stage_folders, stage_name
from planish.train.ftpo_import import Occurrences, import_ftpo

Kind = Literal["points", "pairs", "ftpo rows"]
# The stage of a run that holds what can be trained on.
STAGE = "mine"
# By which fields a file is told.
FIELDS: Mapping[Kind, frozenset[str]] = {
    "points": frozenset({"token_ids", "points"}),
    "pairs": frozenset({"prompt", "chosen", "rejected"}),
    "ftpo rows": frozenset({"context_with_chat_template", "rejected_decoded"}),
}
KNOWN = "a row has token_ids and points, or prompt, chosen and rejected, or is an FTPO row of another tool"


class LeftOut(Record):
    """Something in a file that could not be used: how often, and in which line first."""

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
        UsageError: there is no such run, or it has mined nothing yet.
        DataError: there is no such file.
    """
    is_other = Path(name).exists() or (name != LATEST and not is_run(root / name))
    if is_other and not is_run(Path(name)):
        return Path(name)
    run = find_run(name, root)
    for stage in stage_folders(run):
        if stage_name(stage) == STAGE and (stage / DONE).is_file():
            return stage / "rows.jsonl"
    raise UsageError(f"the run {run} has mined no preferences yet", resume_command(run))


def read_data(path: Path, model: LanguageModel, tuner: str) -> TrainData:
    """Read what a tuner is to learn from.

    Args:
        path: the file; of which kind it is its first row says.
        model: whose tokens are meant.
        tuner: ftpo, dpo or sft.

    Raises:
        DataError: the file is not there, is empty, or has a row that is off or for another model.
        UsageError: the tuner does not learn from such rows.
    """
    kind = _kind(path)
    _refuse_other_kind(path, kind, tuner)
    left_out: list[LeftOut] = []
    rows: Sequence[TokenPreferences] | Sequence[CompletionPreference]
    if kind == "pairs":
        rows = pairs = read_records(path, CompletionPreference)
        counted = f"{len(pairs)} pairs"
    else:
        if kind == "points":
            points = read_records(path, TokenPreferences)
        else:
            imported = import_ftpo(path, model)
            points = imported.preferences
            left_out = [*_left_out("row", imported.dropped), *_left_out("chosen text", imported.left_out)]
        rows = points
        counted = f"{sum(len(row.points) for row in points)} points on {len(points)} paths"
    _refuse_strangers(path, rows, model)
    return TrainData(rows, left_out, digest_of_file(path), f"data: {counted}{_why(left_out)}")


def _kind(path: Path) -> Kind:
    """What the first row is."""
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            for kind, fields in FIELDS.items():
                if fields <= row.keys():
                    return kind
        raise DataError(f"{path}, line {number} is no row that can be learned from", KNOWN)
    raise DataError(f"{path} is empty", f"give a file with a row a line: {KNOWN}")


def _refuse_other_kind(path: Path, kind: Kind, tuner: str) -> None:
    if kind == "pairs" and tuner == "ftpo":
        raise UsageError(f"{path} holds pairs of texts, and ftpo learns from points", f"planish train dpo {path} MODEL")
    if kind != "pairs" and tuner == "sft":
        raise UsageError(f"{path} holds points, and sft learns from texts", f"planish train ftpo {path} MODEL")


def _refuse_strangers(
    path: Path, rows: Sequence[TokenPreferences | CompletionPreference], model: LanguageModel
) -> None:
    """Ids mean something only to the model whose tokens they are."""
    for number, row in enumerate(rows, start=1):
        strange = [token for ids in _ids(row) for token in ids if not 0 <= token < model.vocabulary]
        if strange:
            raise DataError(
                f"{path}, row {number}: there is no token {strange[0]}: {model.name!r} has {model.vocabulary}",
                "give rows that were made with this model's tokenizer",
            )
        if isinstance(row, TokenPreferences):
            _refuse_outside(path, number, row)


def _refuse_outside(path: Path, number: int, row: TokenPreferences) -> None:
    """No point stands anywhere but on its path."""
    for point in row.points:
        if not 0 < point.position <= len(row.token_ids):
            raise DataError(
                f"{path}, row {number}: a point stands at {point.position}, on a path of {len(row.token_ids)} tokens",
                f"mend row {number}",
            )


def _ids(row: TokenPreferences | CompletionPreference) -> Iterator[Sequence[int]]:
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
    reasons = [f"{each.times} × {each.what} ({each.reason}; first in line {each.first_line})" for each in left_out]
    return f"; left out: {', '.join(reasons)}" if reasons else ""
