"""What an antislop run leaves for people: a row of figures an iteration, the report, the model card."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from planish.find.behaviour import Bannable
from planish.find.slop import Slop
from planish.prove.card import model_card
from planish.prove.plot import FrontPoint
from planish.prove.report import examples_of, report_html
from planish.recipes.antislop_inputs import AntislopInputs
from planish.recipes.antislop_settings import AntislopSettings
from planish.recipes.reproduce import reproduce as command
from planish.recipes.training import Training
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.rule import BanRule
from planish.records.score import Failure, Sample
from planish.records.training import PointGap
from planish.runs.toml import flat
from planish.text.words import words

EXAMPLES = 24
# Settings that may name a file or a folder.
FILES = ("model", "tune_model", "prompts", "baseline", "ban", "behaviour", "index", "reference_text")
LICENCE = "The licence of the model before holds; planish adds none of its own."


def iteration_row(
    iteration: int,
    listed: Slop,
    added: Sequence[BanRule],
    index: Slop,
    samples: Sequence[Sample],
    texts: Sequence[Generation],
) -> dict[str, object]:
    """What one writing of the used prompts came to; iteration 0 is the plain one.

    Args:
        iteration: its number.
        listed: the list that was banned, or, in iteration 0, found.
        added: what joined the list after it.
        index: the independent list.
        samples: the texts that count.
        texts: all texts.
    """
    return {
        "iteration": iteration,
        "texts": len(samples),
        "words": sum(len(words(sample.text)) for sample in samples),
        "failed_or_refused": len(texts) - len(samples),
        "listed": len(listed.rules),
        "added": len(added),
        "slop_per_1k_words": round(_rate(listed, samples), 3),
        "slop_index": round(_rate(index, samples), 3),
        "tokens_drawn": sum(text.tokens_spent for text in texts),
        "tokens_kept": sum(len(text.token_ids) for text in texts),
        "hits_let_pass": sum(event.let_pass for text in texts for event in text.events),
    }


def iterations_csv(rows: Sequence[dict[str, object]]) -> str:
    """The rows as a table for spreadsheets."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def front_points(front: Sequence[Evidence]) -> list[FrontPoint]:
    """Slop against distance, from no adapter at all to the strongest that was tried."""
    points = []
    for slop, distance in zip(front[::2], front[1::2], strict=True):
        # The bounds are of the difference, seen from what the model before writes.
        low, high = max(0.0, slop.before + slop.low), slop.before + slop.high
        points.append(FrontPoint(float(slop.group.rpartition(" ")[2]), slop.after, low, high, distance.after))
    whole = [FrontPoint(0.0, line.before, line.before, line.before, 0.0) for line in front[:1]]
    return [*whole, *sorted(points)]


def report(  # noqa: PLR0913 - a run has as many parts
    settings: AntislopSettings,
    given: AntislopInputs,
    evidence: Sequence[Evidence],
    front: Sequence[Evidence],
    slop: Slop,
    texts: tuple[Sequence[Generation], Sequence[Generation]],
    *,
    training: Training,
    gaps: Sequence[PointGap],
    iterations: Sequence[dict[str, object]],
    notes: Sequence[str],
) -> str:
    """The page about a finished run, as HTML."""
    before, after = texts
    return report_html(
        f"planish antislop {settings.tune_model or settings.model}",
        f"{len(given.prompts.used)} prompts to learn from, {len(given.prompts.held_out)} held out, "
        f"{settings.samples} texts each of at most {settings.sampling.max_tokens} tokens",
        evidence,
        front=front_points(front),
        front_of=target_name(slop, given.behaviour),
        rules=slop.rules,
        examples=examples_of(given.prompts.held_out, before, after, slop)[:EXAMPLES],
        steps=training.steps,
        checks=training.checks,
        gaps=gaps,
        ended=training.ended,
        tables={"Iterations": iterations},
        settings={**flat(settings.model_dump(mode="json")), **given.fingerprint},
        reproduce=reproduce(settings),
        notes=notes,
    )


def target_name(slop: Slop, own: Bannable | None) -> str:
    """What was to go, in a word: a behaviour of the user's own, or slop where there is a list."""
    return "slop" if slop.rules or own is None else own.name.replace("_", " ")


def card(settings: AntislopSettings, evidence: Sequence[Evidence]) -> str:
    """The card of the trained model."""
    command = reproduce(_without_folders(settings))
    return model_card(settings.tune_model or settings.model, "antislop", evidence, command, licence=LICENCE)


def _without_folders(settings: AntislopSettings) -> AntislopSettings:
    """For others to read: files are named, and where they lay is nobody's business."""
    given = settings.model_dump(include=set(FILES), exclude_none=True)
    return settings.model_copy(
        update={key: Path(value).name for key, value in given.items() if Path(value.partition(":")[0]).exists()}
    )


def reproduce(settings: AntislopSettings) -> str:
    """The command that does the same again."""
    # What was given but is the default is left out: a run that goes on was given everything by its config.toml.
    changed = settings.model_dump(mode="json", exclude_defaults=True, exclude={"model"})
    return command("antislop", [settings.model], changed)


def _rate(slop: Slop, samples: Sequence[Sample]) -> float:
    scores = [score for score in slop.score(samples) if not isinstance(score, Failure)]
    total = sum(score.words for score in scores)
    return 1000 * sum(score.hits for score in scores) / total if total else 0.0


def rules_jsonl(rules: Sequence[BanRule]) -> str:
    """The list as a ban file."""
    return "".join(rule.model_dump_json() + "\n" for rule in rules)
