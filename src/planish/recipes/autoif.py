"""Teach a model to follow instructions that a program can check, from its own better and worse answers."""

from collections.abc import Iterator, Sequence

from planish.errors import DataError
from planish.find.instructions import CONSTRAINTS, BrokenInstructions, Constraint
from planish.models.language_model import LanguageModel
from planish.prove.collateral import drift, variety_and_length
from planish.prove.evidence import Tally, compare, score_all, tally
from planish.recipes.outcome import Outcome
from planish.records.generation import Generation
from planish.records.preference import CompletionPreference
from planish.records.prompt import Prompt, writing_prompt
from planish.records.prompt_file import split_prompts
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.train.dpo import train_dpo


def autoif(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    samples: int = 8,
    sampling: Sampling | None = None,
    seed: int = 0,
) -> Outcome:
    """Ask for something checkable, rank the answers by the check, and train on the pairs.

    Args:
        model: the model; it is left as it is, the outcome holds a tuned copy.
        prompts: a third of them is held out for the evidence; each gets one of the built-in constraints.
        samples: answers a prompt.
        sampling: how answers are drawn.
        seed: of every draw.

    Raises:
        DataError: no prompt got both an answer that passes and one that fails.
    """
    used, held_out = (list(_constrained(model, side)) for side in split_prompts(prompts))

    # Find it: which answers break their instruction?
    behaviour = BrokenInstructions()
    answers = Engine(model, sampling=sampling).generate(used, samples, seed)
    broken = {score.generation_id: score.value for score in score_all(behaviour, used, answers)}

    # Train it out: each passing answer of a prompt against a failing one.
    pairs = [pair for prompt in used for pair in _pairs(prompt, answers, broken)]
    if not pairs:
        raise DataError("no prompt got both a passing and a failing answer", "give more prompts, or more --samples")
    tuned = train_dpo(model, pairs, seed=seed)

    # Prove it: plain answers of both models to prompts that none of the above has seen.
    before, after = (Engine(either, sampling=sampling).generate(held_out, samples, seed) for either in (model, tuned))
    passed = (_passed(behaviour, held_out, side) for side in (before, after))
    evidence = [
        compare("constraint_pass_rate", "share", "the built-in checks", *passed, better="higher"),
        *variety_and_length(before, after),
        drift(model, tuned, before),
    ]
    return Outcome(evidence, tuned, {"answers": answers, "pairs": pairs, "before": before, "after": after})


def _passed(
    behaviour: BrokenInstructions, prompts: Sequence[Prompt], answers: Sequence[Generation]
) -> dict[str, list[Tally]]:
    broken = {score.generation_id: score.value for score in score_all(behaviour, prompts, answers)}
    return tally(answers, lambda answer: (broken[answer.id] == 0, 1))


def _constrained(model: LanguageModel, prompts: Sequence[Prompt]) -> Iterator[Prompt]:
    """Give the prompts the constraints in turn."""
    constraints: list[Constraint] = list(CONSTRAINTS.values())
    for number, prompt in enumerate(prompts):
        constraint = constraints[number % len(constraints)]
        request = f"{prompt.content} {constraint.instruction}"
        if model.is_chat:
            yield writing_prompt(request).model_copy(update={"constraints": (constraint.name,)})
        else:
            yield Prompt(text=request + "\n", constraints=(constraint.name,))


def _pairs(prompt: Prompt, answers: Sequence[Generation], broken: dict[str, float]) -> Iterator[CompletionPreference]:
    own = [answer for answer in answers if answer.prompt_id == prompt.id and answer.id in broken]
    passing = [answer for answer in own if broken[answer.id] == 0]
    failing = [answer for answer in own if broken[answer.id] > 0]
    for chosen, rejected in zip(passing, failing, strict=False):
        yield CompletionPreference.between(
            prompt, chosen.text, rejected.text, (1 - broken[chosen.id], 1 - broken[rejected.id])
        )
