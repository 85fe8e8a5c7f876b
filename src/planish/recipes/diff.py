"""What changed between two models, on texts that each of them writes."""

from collections.abc import Sequence

from planish.diff.shift import token_shifts
from planish.models.language_model import LanguageModel
from planish.prove.collateral import drift, variety_and_length
from planish.recipes.engine_settings import EngineSettings
from planish.recipes.outcome import Outcome
from planish.recipes.writer import write_all
from planish.records.prompt import Prompt
from planish.steer.sampling import Sampling

# How many tokens are named as lost, and how many as gained.
SHOWN = 8


def diff(
    first: LanguageModel,
    second: LanguageModel,
    prompts: Sequence[Prompt],
    samples: int = 4,
    sampling: Sampling | None = None,
    seed: int = 0,
    *,
    engine: EngineSettings | None = None,
) -> Outcome:
    """Let both models write, read each text with both, and say how far apart they are and over which tokens.

    Args:
        first: the model before.
        second: the model after; it must have the same tokenizer.
        prompts: all are used: nothing is trained.
        samples: texts a prompt and model.
        sampling: how texts are drawn.
        seed: of every draw, the same for both models.
        engine: what writes the texts of both; a server that is there already has one model, and cannot.

    Raises:
        UsageError: the two models have different tokenizers, or the engine cannot write for both.
    """
    first.require_same_tokenizer(second)
    before, after = write_all((first, second), prompts, samples, sampling, seed, engine)

    # Both directions: what the first writes and the second finds odd, and the other way round.
    evidence = [
        drift(first, second, before),
        drift(second, first, after, name="kl_per_token_reversed"),
        *variety_and_length(before, after),
    ]

    # Which tokens moved: how often each model expects each token on the first model's texts, most lost first.
    shifts = token_shifts(first, second, before)
    lost = ", ".join(f"{shift.token!r} {shift.first_per_1k:.1f}→{shift.second_per_1k:.1f}" for shift in shifts[:SHOWN])
    gained = ", ".join(
        f"{shift.token!r} {shift.first_per_1k:.1f}→{shift.second_per_1k:.1f}" for shift in reversed(shifts[-SHOWN:])
    )
    notes = [f"expected less, per 1k tokens: {lost}", f"expected more, per 1k tokens: {gained}"]
    return Outcome(evidence, rows={"before": before, "after": after, "shifts": shifts}, notes=notes)
