"""What a tuner learns from, out of texts that were written freely and texts that were written under bans."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from planish.errors import DataError
from planish.find.behaviour import Locatable
from planish.models.language_model import LanguageModel
from planish.models.tokens import Tokens
from planish.records.generation import Generation
from planish.records.preference import CompletionPreference, TokenPreferences
from planish.records.prompt import Prompt
from planish.train.ftpo_export import export_ftpo
from planish.train.mining import ban_paths, mine_points, span_paths

# The points as text, a row each.
FOR_OTHERS = "ftpo.jsonl"
# So few points hardly move a model, and move it in odd ways.
FEW_POINTS = 30
MORE = "give more prompts, or more --samples"


def points_of(
    model: LanguageModel,
    unwanted: Sequence[Locatable],
    plain: Sequence[Generation],
    banned: Sequence[Generation],
    mine: Literal["bans", "spans", "both"],
) -> list[TokenPreferences]:
    """Preference points: where a ban turned back, where one would have, or both.

    Raises:
        DataError: there is none.
    """
    paths = ban_paths(banned) if mine in ("bans", "both") else []
    if mine in ("spans", "both"):
        paths += [path for behaviour in unwanted for path in span_paths(plain, behaviour)]
    points = mine_points(model, paths)
    if not points:
        raise DataError("no hit left the model a choice", MORE)
    return points


def refuse_unmet(unwanted: Sequence[Locatable], plain: Sequence[Generation]) -> None:
    """Check that there is something to be learned from.

    Raises:
        DataError: no text has a hit.
    """
    texts = [text.text for text in plain]
    if not any(spans for behaviour in unwanted for spans in behaviour.locate(texts)):
        named = " nor ".join(behaviour.name for behaviour in unwanted)
        raise DataError(f"none of {len(texts)} texts has a hit of {named}", f"write longer texts, or others: {MORE}")


def counted(points: Sequence[TokenPreferences]) -> str:
    """How many points there are, with a warning where they are few."""
    many = sum(len(path.points) for path in points)
    few = f": few to learn from; {MORE}" if many < FEW_POINTS else ""
    return f"preference points: {many} on {len(points)} paths{few}"


def write_for_others(folder: Path, points: Sequence[TokenPreferences], tokens: Tokens) -> str:
    """Write the points into a folder as the FTPO rows of other tools too, and say how many there are."""
    written = export_ftpo(folder / FOR_OTHERS, points, tokens)
    dropped = "".join(f", {count} without one as {reason}" for reason, count in written.dropped.items())
    return f"{FOR_OTHERS}: {written.rows} rows for other tools{dropped}"


def pairs_of(
    prompts: Sequence[Prompt],
    unwanted: Sequence[Locatable],
    plain: Sequence[Generation],
    banned: Sequence[Generation],
) -> list[CompletionPreference]:
    """Each plain text that has a hit against the one that was written under bans in its place.

    Raises:
        DataError: there is none.
    """
    prompt_of = {prompt.id: prompt for prompt in prompts}
    written = {(text.prompt_id, text.sample): text for text in banned}
    found = [behaviour.locate([text.text for text in plain]) for behaviour in unwanted]
    pairs = []
    for text, *spans in zip(plain, *found, strict=True):
        better = written.get((text.prompt_id, text.sample))
        if any(spans) and better is not None:
            pairs.append(CompletionPreference.written(prompt_of[text.prompt_id], better, text, (1.0, 0.0)))
    if not pairs:
        raise DataError("no text with a hit has a banned counterpart", MORE)
    return pairs
