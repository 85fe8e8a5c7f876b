"""How much likelier each token of a text became between two models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from markupsafe import Markup
from torch import Tensor

from planish.diff.shifted_token import Likely, ShiftedToken
from planish.diff.text_shifts_html import CLIP_NATS, shifts_html
from planish.errors import DataError, UsageError
from planish.models.language_model import LanguageModel
from planish.models.scoring import continuation_states
from planish.models.tokens import UNFINISHED, Tokens
from planish.records.generation import Generation
from planish.records.prompt import opening, writing_prompt

# All logits are made for so many positions at once.
POSITIONS = 128
# What a token looks like depends on some of the tokens before it.
WINDOW = 8


@dataclass(frozen=True)
class TextShifts:
    """A row a token of the texts, and a page of them; a notebook shows it as it is."""

    before: str
    after: str
    rows: list[ShiftedToken]

    def html(self, clip_nats: float = CLIP_NATS) -> Markup:
        """The texts with their tokens coloured, as a piece of a page that needs nothing else.

        Args:
            clip_nats: a change of so much or more, either way, has the full colour.

        Raises:
            UsageError: the clip is not above 0.
        """
        return shifts_html(self.rows, self.before, self.after, clip_nats)

    def _repr_html_(self) -> str:
        return str(self.html())


def text_shifts(
    before: LanguageModel,
    after: LanguageModel,
    texts: Sequence[str | Generation],
    prompts: Sequence[str] | None = None,
    *,
    with_prompts: bool = False,
    top: int = 5,
) -> TextShifts:
    """Read texts with two models, and compare the log-probabilities that they give each token.

    Args:
        before: one model.
        after: the other; it must have the same tokenizer.
        texts: whole texts, or generations with the prompts that they were written for; what failed is passed over.
        prompts: a request for each text, which is then read as the answer to it.
        with_prompts: the tokens of the prompts are compared too.
        top: so many of the likeliest tokens of both models are kept at each place.

    Raises:
        UsageError: the two models have different tokenizers, or there are not as many prompts as texts.
        DataError: a text is too long for a model, or none has any token.
    """
    before.require_same_tokenizer(after)
    read = _readable(before, texts, prompts, with_prompts)
    if not read:
        raise DataError("there is no text to compare: none has a token", "give some text")
    for text in read:
        _check_length(text, before, after)
    # One may have tags beyond the vocabulary of the other; they are never sampled.
    common = min(before.vocabulary, after.vocabulary)
    views = (_views(model, [text.tokens for text in read], common, min(top, common)) for model in (before, after))
    rows = [row for text, *seen in zip(read, *views, strict=True) for row in _rows(before, text, *seen)]
    return TextShifts(before.name, after.name, rows)


class _Text(NamedTuple):
    """A text to be read: its tokens, and how many of these are the prompt's."""

    number: int
    tokens: Generation
    prompt_length: int


class _View(NamedTuple):
    """What a model makes of one token of a text."""

    log_prob: float
    rank: int
    top: list[tuple[int, float]]


def _readable(
    model: LanguageModel, texts: Sequence[str | Generation], prompts: Sequence[str] | None, with_prompts: bool
) -> list[_Text]:
    if prompts is not None and len(prompts) != len(texts):
        raise UsageError(f"there are {len(texts)} texts and {len(prompts)} prompts", "give one prompt for each text")
    read = []
    for number, given in enumerate(texts):
        prompt = None if prompts is None else prompts[number]
        text = _as_generation(model, given, prompt) if isinstance(given, str) else given
        if text.status == "ok" and text.token_ids:
            # Nothing stands before the very first token, so it has no probability.
            shown = text.prompt_token_ids[1:] if with_prompts else ()
            hidden = text.prompt_token_ids[: len(text.prompt_token_ids) - len(shown)]
            update = {"prompt_token_ids": hidden, "token_ids": (*shown, *text.token_ids)}
            read.append(_Text(number, text.model_copy(update=update), len(shown)))
    return read


def _as_generation(model: LanguageModel, text: str, prompt: str | None) -> Generation:
    # An empty text is read as nothing but the beginning of a document.
    before = model.encode(opening("")) if prompt is None else model.encode(writing_prompt(prompt))
    ids = model.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return Generation(
        id="",
        prompt_id="",
        sample=0,
        seed=0,
        text=text,
        prompt_token_ids=tuple(before),
        token_ids=tuple(ids),
        char_ends=(),
        finish="length",
    )


def _check_length(text: _Text, *models: LanguageModel) -> None:
    length = len(text.tokens.prompt_token_ids) + len(text.tokens.token_ids)
    for model in models:
        if length > model.context:
            raise DataError(
                f"text {text.number + 1} has {length} tokens with its prompt, and {model.name!r} reads {model.context}",
                "give a part of it",
            )


@torch.no_grad()
def _views(model: LanguageModel, texts: Sequence[Generation], vocabulary: int, top: int) -> Iterator[list[_View]]:
    """Of each text what a model makes of each of its tokens."""
    for item, states in continuation_states(model, texts):
        ids = torch.tensor(item.token_ids, device=states.device)
        views: list[_View] = []
        for some, chosen in zip(states.split(POSITIONS), ids.split(POSITIONS), strict=True):
            views += _views_of(model.head(some)[:, :vocabulary].log_softmax(-1), chosen, top)
        yield views


def _views_of(log_probs: Tensor, chosen: Tensor, top: int) -> Iterator[_View]:
    """`log_probs` is (T, V), and `chosen` the ids of the tokens there, (T,)."""
    own = log_probs.gather(1, chosen[:, None])
    ranks = 1 + (log_probs > own).sum(1)
    values, ids = log_probs.topk(top)
    for log_prob, rank, *likeliest in zip(
        own[:, 0].tolist(), ranks.tolist(), ids.tolist(), values.tolist(), strict=True
    ):
        yield _View(log_prob, rank, list(zip(*likeliest, strict=True)))


def _rows(tokens: Tokens, text: _Text, before: Sequence[_View], after: Sequence[_View]) -> Iterator[ShiftedToken]:
    item = text.tokens
    special = set(tokens.tokenizer.all_special_ids)
    pieces = _pieces(tokens, item.prompt_token_ids, item.token_ids)
    for position, (token, piece, was, now) in enumerate(zip(item.token_ids, pieces, before, after, strict=True)):
        yield ShiftedToken(
            text_number=text.number,
            position=position,
            token_id=token,
            text=piece,
            is_special=token in special,
            is_prompt=position < text.prompt_length,
            change=now.log_prob - was.log_prob,
            log_prob_before=was.log_prob,
            log_prob_after=now.log_prob,
            rank_before=was.rank,
            rank_after=now.rank,
            top_before=tuple(_likely(tokens, *each) for each in was.top),
            top_after=tuple(_likely(tokens, *each) for each in now.top),
        )


def _likely(tokens: Tokens, token: int, log_prob: float) -> Likely:
    return Likely(token_id=token, text=_alone(tokens, token), log_prob=log_prob)


def _alone(tokens: Tokens, token: int) -> str:
    """A token by itself: its text, or its name where it is special or no whole character."""
    text = tokens.decode([token])
    return text if text and UNFINISHED not in text else str(tokens.tokenizer.convert_ids_to_tokens(token))


def _pieces(tokens: Tokens, before: Sequence[int], ids: Sequence[int]) -> Iterator[str]:
    """The characters that each token adds: none while a character is not whole. A special token adds its name."""
    special = set(tokens.tokenizer.all_special_ids)
    ids, first = [*before, *ids], len(before)
    settled = first
    for end in range(first + 1, len(ids) + 1):
        start = max(0, settled - WINDOW)
        if ids[end - 1] in special:
            piece = str(tokens.tokenizer.convert_ids_to_tokens(ids[end - 1]))
        else:
            piece = tokens.newest_text(ids[start:end], settled - start)
            if not piece and end == len(ids):  # nothing will complete it
                piece = tokens.decode(ids[start:end])[len(tokens.decode(ids[start:settled])) :]
        settled = end if piece else settled
        yield piece
