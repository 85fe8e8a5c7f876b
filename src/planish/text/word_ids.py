"""Texts as arrays with a number for each word: what can be counted by the million."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from planish.text.words import WORD, fold, is_alone

# No word: stands where anything but one space parts two words, and behind each text.
BREAK = 0
# Pieces of a text that are joined with spaces fall into words, the spaces, and what else there is.
_TOKEN = re.compile(rf"{WORD.pattern}|.", re.DOTALL)
_JOINT = -1

Numbers = NDArray[np.int64]


class NumberedTexts(NamedTuple):
    """Texts in a row, as `word_runs` reads them: a run of words is what stands between two breaks.

    Attributes:
        words: the word of each number, folded; none for `BREAK`.
        ids: (N,) the number of each word, and breaks.
        texts: (N,) the number of the text in which it stands, ascending.
        capital: (N,) whether the word begins with a capital.
    """

    words: list[str]
    ids: NDArray[np.int32]
    texts: NDArray[np.int32]
    capital: NDArray[np.bool_]


class _Pieces(NamedTuple):
    """Different pieces of texts one after the other, each with what its words are, and where in `ids` it stands."""

    words: list[str]
    ids: NDArray[np.int32]
    capital: NDArray[np.bool_]
    starts: Numbers
    lengths: Numbers


class _Numbered(dict[str, int]):
    """Numbers whatever is looked up, from 0 in order."""

    def __missing__(self, key: str) -> int:
        self[key] = number = len(self)
        return number


def number_words(texts: Sequence[str]) -> NumberedTexts:
    """Number the words of texts.

    A text is cut at its spaces, and each different piece is read only once: there are far fewer of them than words.
    """
    cut = pl.Series([_readable(text) + " " for text in texts], dtype=pl.String).str.split(" ")
    pieces = cut.explode().cast(pl.Categorical)
    codes = pieces.to_physical().to_numpy()
    different = pieces.unique()
    read = _read(different.cast(pl.String).to_list())
    piece_of_code = np.zeros(codes.max(initial=0) + 1, np.int64)
    piece_of_code[different.to_physical().to_numpy()] = np.arange(len(different))
    piece = piece_of_code[codes]
    lengths = read.lengths[piece]
    ends = np.cumsum(lengths)
    at = np.repeat(read.starts[piece] - (ends - lengths), lengths) + np.arange(lengths.sum())
    text_of_piece = np.repeat(np.arange(len(texts), dtype=np.int32), cut.list.len().to_numpy())
    return NumberedTexts(read.words, read.ids[at], np.repeat(text_of_piece, lengths), read.capital[at])


def _read(pieces: Sequence[str]) -> _Pieces:
    """Read pieces without spaces; between two spaces stands an empty one, which is a break like a line feed."""
    tokens = _TOKEN.findall(" ".join(piece or "\n" for piece in pieces))
    different = _Numbered()
    token = np.fromiter(map(different.__getitem__, tokens), np.int64, len(tokens))
    # Folded together, which says the same: no word has a space.
    said = [each for each in different if WORD.match(each)]
    number = _Numbered({"": BREAK})
    id_of_word = dict(zip(said, map(number.__getitem__, fold(" ".join(said)).split(" ")), strict=False))
    id_of = [_JOINT if each == " " else id_of_word.get(each, BREAK) for each in different]
    ids = np.array(id_of, dtype=np.int32)[token]
    capital = np.array([each[0].isupper() for each in different], dtype=bool)[token]
    # A space beside a word that stands without spaces is a break.
    alone = np.pad(np.array([is_alone(each) for each in different], dtype=bool)[token], 1)
    edges = np.flatnonzero(np.diff(ids == _JOINT, prepend=True, append=True))
    between = edges[alone[edges] | alone[edges + 1]]
    ids, capital = np.insert(ids, between, BREAK), np.insert(capital, between, False)
    joints = np.flatnonzero(ids == _JOINT)
    starts = np.concatenate([[0], joints + 1])
    lengths = np.concatenate([joints, [len(ids)]]) - starts
    return _Pieces(list(number), ids, capital, starts, lengths)


def _readable(text: str) -> str:
    """The text itself, but for halves of characters, which no word has and UTF-8 cannot say."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text
