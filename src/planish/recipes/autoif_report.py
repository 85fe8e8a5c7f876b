"""What an autoif run leaves for people: the report, and the card of the model."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from planish.prove.card import model_card
from planish.prove.report import Example, report_html
from planish.recipes.antislop_report import LICENCE
from planish.recipes.autoif_settings import AutoifSettings
from planish.recipes.reproduce import reproduce
from planish.recipes.training import Training
from planish.records.evidence import Evidence
from planish.runs.toml import flat

EXAMPLES = 24


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
        reproduce=_command(settings),
        notes=notes,
    )


def card(settings: AutoifSettings, evidence: Sequence[Evidence]) -> str:
    """The card of the trained model."""
    return model_card(settings.model, "autoif", evidence, _command(settings), licence=LICENCE)


def _command(settings: AutoifSettings) -> str:
    changed = settings.model_dump(mode="json", exclude_defaults=True, exclude={"model"})
    return reproduce("autoif", [settings.model], changed)
