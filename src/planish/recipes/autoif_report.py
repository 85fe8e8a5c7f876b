"""What an autoif run leaves for people: the report, and the card of the model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from planish.prove.card import model_card
from planish.prove.report import Example, report_html
from planish.recipes.antislop_report import LICENCE
from planish.recipes.autoif_settings import AutoifSettings
from planish.recipes.presets import preset
from planish.recipes.reproduce import reproduce
from planish.recipes.training import Training
from planish.records.evidence import Evidence
from planish.runs.toml import flat

EXAMPLES = 24
# Settings that may name a file.
FILES = ("prompts", "reference_text", "ifeval", "hellaswag", "written.seeds", "written.not_like")


def report(  # noqa: PLR0913 - a run has as many parts
    settings: AutoifSettings,
    fingerprint: Mapping[str, str],
    evidence: Sequence[Evidence],
    *,
    subtitle: str,
    examples: Sequence[Example],
    training: Training,
    tables: Mapping[str, Sequence[Mapping[str, object]]],
    shifts: Markup,
    notes: Sequence[str],
) -> str:
    """The page about a finished run, as HTML."""
    return report_html(
        f"planish autoif {settings.model}",
        subtitle,
        evidence,
        examples=examples[:EXAMPLES],
        tables=tables,
        sections={"What became likelier in the texts of the model before": shifts},
        steps=training.steps,
        checks=training.checks,
        ended=training.ended,
        settings={**flat(settings.model_dump(mode="json")), **fingerprint},
        reproduce=command(settings),
        notes=notes,
    )


def card(settings: AutoifSettings, evidence: Sequence[Evidence]) -> str:
    """The card of the trained model."""
    # For others to read: files are named, and where they lay is nobody's business.
    changed = {
        key: Path(value).name if key in FILES and Path(value).exists() else value
        for key, value in _changed(settings).items()
    }
    model = Path(settings.model).name if Path(settings.model).exists() else settings.model
    return model_card(settings.model, "autoif", evidence, reproduce("autoif", [model], changed), licence=LICENCE)


def command(settings: AutoifSettings) -> str:
    """The command that does the same again."""
    return reproduce("autoif", [settings.model], _changed(settings))


def _changed(settings: AutoifSettings) -> dict[str, Any]:
    """What differs from what is set where nobody says anything."""
    usual = AutoifSettings.from_user({**preset("autoif", settings.model), "model": settings.model})
    before, now = (flat(each.model_dump(mode="json")) for each in (usual, settings))
    return {key: value for key, value in now.items() if key not in before or before[key] != value}
