"""Preference points from the FTPO rows of other tools."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, takewhile
from pathlib import Path
from typing import NamedTuple

from planish.errors import DataError
from planish.models.tokens import Tokens
from planish.records.ftpo_file import FtpoRow, ftpo_lines
from planish.records.preference import Point, TokenPreferences
from planish.train.token_texts import TokenTexts

# Why a row is dropped, beside what its line lacks.
NO_CONTEXT = "nothing stands before the rejected text"
REJECTED = "the rejected text is no single token"
NO_CHOSEN = "no chosen text is left"
AGAIN = "another row says the same"
# Why a chosen text is left out.
CHOSEN = "the chosen text is no single token"
BOTH = "the chosen text is the rejected one"


class Occurrences(NamedTuple):
    """How often something happened, and in which line first."""

    times: int
    first_line: int


class Imported(NamedTuple):
    """What a file of `rows` rows holds.

    `dropped` counts rows by reason, and `left_out` chosen texts, those of dropped rows included.
    """

    preferences: list[TokenPreferences]
    rows: int
    dropped: Mapping[str, Occurrences]
    left_out: Mapping[str, Occurrences]


class _Row(NamedTuple):
    """A row in ids."""

    context: tuple[int, ...]
    rejected: int
    chosen: tuple[int, ...]
    source: FtpoRow


class _Place(NamedTuple):
    """A context with its rows. `root` is a row with the shortest context that this one goes on from."""

    context: tuple[int, ...]
    rows: Sequence[_Row]
    root: _Row
    after_rejected: bool


def import_ftpo(path: Path, tokens: Tokens) -> Imported:
    """The preference points in a file of FTPO rows, for a model with this tokenizer.

    A context that is the beginning of another one shares its path. What rows do not say is worked out: a path is a
    branch where a token on it was itself rejected there, and texts for one prompt go by one generation's id.
    Probabilities of chosen tokens stay unknown.

    Raises:
        DataError: the file is not there or cannot be read, or no row in it can be used.
    """
    dropped: dict[str, Occurrences] = {}
    left_out: dict[str, Occurrences] = {}
    texts = TokenTexts(tokens)
    rows: dict[tuple[tuple[int, ...], int], _Row] = {}
    count = 0
    for number, source, reason in ftpo_lines(path):
        count += 1
        row = reason if source is None else _row(source, tokens, texts, left_out, number)
        if isinstance(row, str):
            _add(dropped, row, number)
        elif (row.context, row.rejected) in rows:
            _add(dropped, AGAIN, number)
        else:
            rows[row.context, row.rejected] = row
    if not rows:
        reasons = "; ".join(f"{seen.times} × {reason}" for reason, seen in dropped.items()) or "it is empty"
        raise DataError(
            f"{path} has no FTPO row for {tokens.name!r}: {reasons}", "give a file that this model's tokens are in"
        )
    paths = [_preferences(places, tokens) for places in _packed(_places(rows.values()))]
    return Imported(paths, count, dropped, left_out)


def _add(so_far: dict[str, Occurrences], reason: str, line: int) -> None:
    known = so_far.get(reason, Occurrences(0, line))
    so_far[reason] = known._replace(times=known.times + 1)


def _row(source: FtpoRow, tokens: Tokens, texts: TokenTexts, left_out: dict[str, Occurrences], line: int) -> _Row | str:
    """A row in ids, or why it cannot be one."""
    rejected = texts.token(source.rejected_decoded)
    chosen = []
    for text in source.chosen:
        token = texts.token(text)
        if token is None:
            _add(left_out, CHOSEN, line)
        elif token == rejected:
            _add(left_out, BOTH, line)
        else:
            chosen.append(token)
    context = _ids(source.context_with_chat_template, tokens)
    if rejected is None:
        return REJECTED
    if not chosen:
        return NO_CHOSEN
    return _Row(context, rejected, tuple(chosen), source) if context else NO_CONTEXT


def _ids(text: str, tokens: Tokens) -> tuple[int, ...]:
    """A rendered text, in which control tokens are what they say."""
    return tuple(tokens.tokenizer(text, add_special_tokens=False)["input_ids"])


def _places(rows: Iterable[_Row]) -> Iterator[_Place]:
    """The contexts in order, in which each stands before all that go on from it."""
    above: list[_Place] = []
    ordered = sorted(rows, key=lambda row: (row.context, row.rejected))
    for context, group in groupby(ordered, key=lambda row: row.context):
        here = list(group)
        while above and not _begins(above[-1], context):
            above.pop()
        if above:
            last = above[-1]
            was_rejected = context[len(last.context)] in {row.rejected for row in last.rows}
            above.append(_Place(context, here, last.root, last.after_rejected or was_rejected))
        else:
            above.append(_Place(context, here, here[0], after_rejected=False))
        yield above[-1]


def _begins(place: _Place, context: tuple[int, ...]) -> bool:
    return context[: len(place.context)] == place.context


def _packed(places: Iterable[_Place]) -> Iterator[list[_Place]]:
    """The places of each path, the shortest context first."""
    path: list[_Place] = []
    for place in places:
        if path and not _begins(path[-1], place.context):
            yield path
            path = []
        path.append(place)
    yield path


def _preferences(places: Sequence[_Place], tokens: Tokens) -> TokenPreferences:
    last, root = places[-1], places[-1].root
    stated = last.rows[0].source.stats
    points = [
        Point(
            position=len(place.context),
            rejected=row.rejected,
            chosen=row.chosen,
            chosen_probs=(),
            rule=row.source.rule,
            after_rejected=_after_rejected(row, place),
        )
        for place in places
        for row in place.rows
    ]
    prompt = root.source.prompt_raw or root.source.context_with_chat_template
    return TokenPreferences(
        generation_id=hashlib.blake2b(prompt.encode(), digest_size=8).hexdigest(),
        token_ids=last.context,
        prompt_length=_prompt_length(last, tokens),
        points=tuple(points),
        is_branch=last.after_rejected if stated is None or stated.is_branch is None else stated.is_branch,
    )


def _after_rejected(row: _Row, place: _Place) -> bool:
    stated = row.source.stats
    return place.after_rejected if stated is None or stated.after_rejected is None else stated.after_rejected


def _prompt_length(place: _Place, tokens: Tokens) -> int:
    """How much of a path is the prompt; where no row says it, all up to the first point."""
    prompt = place.rows[0].source.prompt_text
    ids = place.root.context if prompt is None else _ids(prompt, tokens)
    # A token that is partly the prompt's is not.
    return sum(1 for _ in takewhile(bool, (one == other for one, other in zip(ids, place.context, strict=False))))
