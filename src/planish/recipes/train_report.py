"""What a training leaves for people: the report, the model card, the card of its rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from planish.prove.card import model_card
from planish.prove.report import report_html
from planish.recipes.antislop_report import LICENCE
from planish.recipes.reproduce import reproduce as command
from planish.recipes.train_settings import TrainSettings
from planish.recipes.training import Training
from planish.records.evidence import Evidence
from planish.records.training import PointGap
from planish.runs.toml import flat

# What is done with the model afterwards changes nothing in it.
AFTERWARDS = {"push", "push_data", "private"}
DATA_CARD = """---
tags:
- planish
configs:
- config_name: default
  data_files: rows.jsonl
---

# Preferences by planish

{rows} rows, which `planish train` reads.
"""


def report(
    settings: TrainSettings,
    evidence: Sequence[Evidence],
    training: Training,
    gaps: Sequence[PointGap],
    fingerprint: Mapping[str, str],
    notes: Sequence[str],
) -> str:
    """The page about a finished training, as HTML."""
    others = {"ftpo", "dpo", "sft"} - {settings.tuner}
    return report_html(
        f"planish train {settings.tuner} {settings.model}",
        f"trained on {Path(settings.data).name}",
        evidence,
        steps=training.steps,
        checks=training.checks,
        gaps=gaps,
        ended=training.ended,
        settings={**flat(settings.model_dump(mode="json", exclude=others)), **fingerprint},
        reproduce=reproduce(settings),
        notes=notes,
    )


def card(settings: TrainSettings, evidence: Sequence[Evidence]) -> str:
    """The card of the trained model."""
    return model_card(settings.model, settings.tuner, evidence, reproduce(settings), licence=LICENCE)


def data_card(rows: int) -> str:
    """The card of what it was trained on."""
    return DATA_CARD.format(rows=rows)


def reproduce(settings: TrainSettings) -> str:
    """The command that does the same again; where the file lay is nobody's business."""
    excluded = {"model", "data", "tuner", *AFTERWARDS}
    changed = settings.model_dump(mode="json", exclude_defaults=True, exclude=excluded)
    return command(f"train {settings.tuner}", [Path(settings.data).name, settings.model], changed)
