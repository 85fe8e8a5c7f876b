"""Other trainings on the same pairs, each measured as the one that is kept."""

from collections.abc import Callable, Mapping, Sequence

from planish.prove.lift import LIFT, PASS_RATE
from planish.recipes.autoif_settings import SweepSettings
from planish.records.evidence import Evidence
from planish.train.dpo import DpoSettings

# The columns: of these figures what the tuned model has, and of the benchmarks' where they are asked for.
FIGURES = (LIFT, PASS_RATE, "perplexity_reference", "kl_per_token", "distinct_2", "words_per_text")
BENCHMARKS = ("ifeval_average", "hellaswag_acc", "hellaswag_acc_norm")


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
            told = dpo.model_copy(update={"beta": beta, "likelihood": likelihood})
            lines = {line.name: line for line in tried(name, told)}
            shown = [lines[figure] for figure in (*FIGURES, *BENCHMARKS) if figure in lines]
            if not rows:
                rows.append(_row("before", "", {line.name: line.before for line in shown}))
            rows.append(_row(f"{beta:g}", f"{likelihood:g}", {line.name: line.after for line in shown}))
    return rows


def _row(beta: str, likelihood: str, figures: Mapping[str, float]) -> dict[str, object]:
    return {"beta": beta, "likelihood": likelihood, **figures}
