"""Preference points as the FTPO rows of other tools."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from planish.models.tokens import UNFINISHED, Tokens
from planish.records.ftpo_file import FtpoRow, FtpoStats, write_ftpo_rows
from planish.records.preference import Point, TokenPreferences
from planish.train.token_texts import TokenTexts

# Why a point is dropped.
CONTEXT = "no text says its context"
REJECTED = "its rejected token reads back as another one"
NO_CHOSEN = "no chosen token is left"


class Exported(NamedTuple):
    """How many rows were written, how many points were dropped by reason, and how many chosen tokens were left out.

    The contexts of `respelled` rows are read as other tokens than they were written with: a model does not always
    take those that its tokenizer would.
    """

    rows: int
    dropped: Mapping[str, int]
    chosen_left_out: int
    respelled: int


class _Rendered(NamedTuple):
    """A text for some ids, and whether it is read as just these."""

    text: str
    is_exact: bool


def export_ftpo(path: Path, preferences: Iterable[TokenPreferences], tokens: Tokens) -> Exported:
    """Write a row for each point, what no text says, as a part of a character, left out.

    Text has neither probabilities nor the names of generations: these stay behind.

    Raises:
        DataError: the file cannot be written.
    """
    writer = _Writer(tokens)
    rows = write_ftpo_rows(path, writer.rows(preferences))
    return Exported(rows, writer.dropped, writer.chosen_left_out, writer.respelled)


class _Writer:
    """Turns points into rows, and counts what cannot be one."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._texts = TokenTexts(tokens)
        self._control = frozenset(tokens.tokenizer.added_tokens_decoder)
        self.dropped: Counter[str] = Counter()
        self.chosen_left_out = 0
        self.respelled = 0

    def rows(self, preferences: Iterable[TokenPreferences]) -> Iterator[FtpoRow]:
        """The rows of all points that can be one."""
        for path in preferences:
            prompt = self._rendered(path.token_ids[: path.prompt_length])
            for point in path.points:
                row = self._row(path, prompt, point)
                if isinstance(row, str):
                    self.dropped[row] += 1
                else:
                    yield row

    def _row(self, path: TokenPreferences, prompt: _Rendered | None, point: Point) -> FtpoRow | str:
        """The row of a point, or why it cannot be one."""
        context = self._rendered(path.token_ids[: point.position])
        rejected = self._text(point.rejected)
        texts = {token: text for token in point.chosen if (text := self._text(token)) is not None}
        self.chosen_left_out += len(point.chosen) - len(texts)
        if context is None:
            return CONTEXT
        if rejected is None:
            return REJECTED
        if not texts:
            return NO_CHOSEN
        self.respelled += not context.is_exact
        if prompt is not None and context.text.startswith(prompt.text):
            written = context.text.removeprefix(prompt.text)
        else:
            written = self._tokens.decode(path.token_ids[path.prompt_length : point.position])
        likeliest = next(token for token in _likeliest_first(point) if token in texts)
        return FtpoRow(
            prompt_raw=self._tokens.decode(path.token_ids[: path.prompt_length]),
            generation_raw=written,
            context_with_chat_template=context.text,
            chosen_decoded=texts[likeliest],
            chosen_raw=self._name(likeliest),
            rejected_decoded=rejected,
            rejected_raw=self._name(point.rejected),
            multi_chosen_decoded=tuple(texts.values()),
            multi_chosen_raw=tuple(map(self._name, texts)),
            multi_rejected_decoded=(rejected,),
            multi_rejected_raw=(self._name(point.rejected),),
            validator={"class": "planish", "rule": point.rule, "subtype": ""},
            stats=FtpoStats(is_branch=path.is_branch, after_rejected=point.after_rejected),
        )

    def _text(self, token: int) -> str | None:
        """What a token adds to a text; None where that text is not read as this token."""
        text = self._texts.text(token)
        return text if text is not None and self._texts.token(text) == token else None

    def _name(self, token: int) -> str:
        return str(self._tokens.tokenizer.convert_ids_to_tokens(token))

    def _rendered(self, ids: Sequence[int]) -> _Rendered | None:
        """The text that is read as these ids, or else one that says what they do; None where there is neither."""
        # Where a tokenizer puts a space after a control token, the parts between them decode better alone.
        parts = [list(part) for _, part in groupby(ids, key=self._control.__contains__)]
        whole = self._decoded(ids)
        rendered = None
        for text in (whole, "".join(map(self._decoded, parts))):
            again = list(self._tokens.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
            if again == list(ids):
                return _Rendered(text, is_exact=True)
            if (
                UNFINISHED not in text
                and self._decoded(again) == whole
                and self._controls(again) == self._controls(ids)
            ):
                rendered = _Rendered(text, is_exact=False)
        return rendered

    def _controls(self, ids: Sequence[int]) -> list[int]:
        return [token for token in ids if token in self._control]

    def _decoded(self, ids: Sequence[int]) -> str:
        """Control tokens included."""
        return str(
            self._tokens.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        )


def _likeliest_first(point: Point) -> Sequence[int]:
    if not point.chosen_probs:
        return point.chosen
    by_probability = sorted(zip(point.chosen_probs, point.chosen, strict=True), key=lambda pair: -pair[0])
    return [token for _, token in by_probability]
