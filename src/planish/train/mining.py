"""Preference points: where a model should have written something else, and what."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from planish.find.behaviour import Locatable
from planish.models.language_model import LanguageModel
from planish.models.scoring import ROWS, hidden_states
from planish.records.generation import Event, Generation
from planish.records.preference import Point, TokenPreferences
from planish.steer.ban import turning_point
from planish.text.words import words
from planish.train.float32_head import float32_logits

# A candidate is coherent when it is at least this fraction as likely as the likeliest one that is left.
LEAST_LIKELY = 0.1
MOST_CHOSEN = 8


class Path(NamedTuple):
    """Token ids, prompt included, and the tokens that were rejected on the way.

    `first_rejected` is the first position, counted in generated tokens, at which a rejected token stands.
    """

    generation: Generation
    token_ids: tuple[int, ...]
    events: list[Event]
    first_rejected: int | None = None
    is_branch: bool = False


def ban_paths(generations: Sequence[Generation]) -> list[Path]:
    """Where a ban turned back while it wrote. Hits that were let pass give nothing."""
    return [path for generation in generations if generation.status == "ok" for path in _paths(generation)]


def span_paths(generations: Sequence[Generation], behaviour: Locatable) -> list[Path]:
    """Where a ban would have turned back in texts that were written freely: no ban, and no second writing."""
    texts = [generation for generation in generations if generation.status == "ok"]
    paths = []
    for text, spans in zip(texts, behaviour.locate([text.text for text in texts]), strict=True):
        places = {turning_point(behaviour, span, text.text, text.char_ends): span.rule for span in spans}
        events = [
            Event(rule=rule, position=place, rejected=text.token_ids[place])
            for place, rule in sorted(places.items())
            if place < len(text.token_ids)
        ]
        if events:
            ids = (*text.prompt_token_ids, *text.token_ids)
            paths.append(Path(text, ids, events, first_rejected=events[0].position))
    return paths


@torch.no_grad()
def mine_points(model: LanguageModel, paths: Sequence[Path]) -> list[TokenPreferences]:
    """The preference points of some paths, by one pass of the plain model over each.

    At each position where tokens were rejected, the alternatives are the likeliest others, with the model's own
    probabilities; a position without a coherent alternative gives no point. Give all paths at once: what was rejected
    as a word on the list in one is no alternative in another.
    """
    paths = sorted(paths, key=lambda path: len(path.token_ids))  # rows of like length share a pass
    # Of a phrase this does not hold: its token leads into it only where it does.
    listed = {event.rejected for path in paths for event in path.events if len(words(event.rule)) <= 1}
    preferences = []
    for start in range(0, len(paths), ROWS):
        block = paths[start : start + ROWS]
        states = hidden_states(model, [path.token_ids for path in block])
        preferences += [_preferences(model, path, row, listed) for path, row in zip(block, states, strict=True)]
    return [preference for preference in preferences if preference.points]


def _paths(generation: Generation) -> Iterator[Path]:
    paths = (generation.token_ids, *generation.branches)
    rejections = [event for event in generation.events if not event.let_pass]
    rejected_texts = {(*paths[event.path][: event.position], event.rejected) for event in rejections}
    for number, tokens in enumerate(paths):
        events = [event for event in rejections if event.path == number]
        if events:
            places = [len(text) - 1 for text in rejected_texts if tokens[: len(text)] == text]
            ids = (*generation.prompt_token_ids, *tokens)
            yield Path(generation, ids, events, min(places, default=None), is_branch=number > 0)


def _preferences(model: LanguageModel, path: Path, states: Tensor, listed: set[int]) -> TokenPreferences:
    prompt_length = len(path.generation.prompt_token_ids)
    first_rejected = len(path.token_ids) if path.first_rejected is None else prompt_length + path.first_rejected
    rejected_at: dict[int, list[Event]] = defaultdict(list)
    for event in path.events:
        rejected_at[prompt_length + event.position].append(event)
    positions = sorted(rejected_at)
    probabilities = float32_logits(model, states[[position - 1 for position in positions]]).softmax(-1)
    points = []
    for position, row in zip(positions, probabilities, strict=True):
        events = rejected_at[position]
        chosen = _coherent(
            row, never={event.rejected for event in events} | listed | model.end_ids | set(model.tags.values())
        )
        for event in events if chosen else ():
            points.append(
                Point(
                    position=position,
                    rejected=event.rejected,
                    chosen=tuple(chosen),
                    chosen_probs=tuple(float(row[token]) for token in chosen),
                    rule=event.rule,
                    after_rejected=position > first_rejected,
                )
            )
    return TokenPreferences(
        generation_id=path.generation.id,
        token_ids=path.token_ids,
        prompt_length=prompt_length,
        points=tuple(points),
        is_branch=path.is_branch,
    )


def _coherent(probabilities: Tensor, never: set[int] | frozenset[int]) -> list[int]:
    left = probabilities.clone()
    left[list(never)] = 0
    best = left.topk(MOST_CHOSEN)
    likely = best.values >= LEAST_LIKELY * best.values[0]
    return [int(token) for token in best.indices[likely & (best.values > 0)]]
