"""Other trainings on the same pairs, each measured as the one that is kept."""

from collections.abc import Callable, Mapping, Sequence

from planish.prove.lift import LIFT, PASS_RATE
from planish.recipes.autoif_settings import SweepSettings
from planish.records.evidence import Evidence
from planish.train.dpo import DpoSettings

# The columns: of these figures what the tuned model has.
FIGURES = (LIFT, PASS_RATE, "perplexity_reference", "kl_per_token", "distinct_2", "words_per_text")


def sweep(
    settings: SweepSettings, dpo: DpoSettings, tried: Callable[[str, DpoSettings], Sequence[Evidence]]
) -> list[Mapping[str, object]]:
    """A row for each combination, and one for the model before; none where nothing is swept.

    Args:
        settings: what is tried.
        dpo: of the training that is kept; a list that is empty keeps its value.
        tried: trains by a name and settings, and measures.
    """
    if not settings.betas and not settings.likelihoods:
        return []
    rows: list[Mapping[str, object]] = []
    for beta in dict.fromkeys(settings.betas or (dpo.beta,)):
        for likelihood in dict.fromkeys(settings.likelihoods or (dpo.likelihood,)):
            name = f"sweep-{beta:g}-{likelihood:g}"
            lines = {
                line.name: line for line in tried(name, dpo.model_copy(update={"beta": beta, "likelihood": likelihood}))
            }
            if not rows:
                rows.append(_row("before", "", {figure: lines[figure].before for figure in FIGURES}))
            rows.append(_row(f"{beta:g}", f"{likelihood:g}", {figure: lines[figure].after for figure in FIGURES}))
    return rows


def _row(beta: str, likelihood: str, figures: Mapping[str, float]) -> dict[str, object]:
    return {"beta": beta, "likelihood": likelihood, **figures}
