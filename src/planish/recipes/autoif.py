"""Teach a model to follow instructions that a program can check, from its own better and worse answers."""

from collections.abc import Iterator, Sequence
from itertools import cycle

from planish.errors import DataError
from planish.find.instructions import BrokenInstructions, parse_constraint
from planish.models.language_model import LanguageModel
from planish.prove.collateral import drift, variety_and_length
from planish.prove.evidence import compare, score_all, tally_scores
from planish.recipes.engine_settings import EngineSettings
from planish.recipes.outcome import Outcome
from planish.recipes.writer import Writer
from planish.records.generation import Generation
from planish.records.preference import CompletionPreference
from planish.records.prompt import Message, Prompt
from planish.records.prompt_split import split_prompts
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.train.dpo import train_dpo

CONSTRAINTS = tuple(map(parse_constraint, ("dialogue", "question", 'at_least_lines{"count": 2}')))


def autoif(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    samples: int = 8,
    sampling: Sampling | None = None,
    seed: int = 0,
    *,
    engine: EngineSettings | None = None,
) -> Outcome:
    """Ask for something checkable, rank the answers by the check, and train on the pairs.

    Args:
        model: the model; it is left as it is, the outcome holds a tuned copy.
        prompts: a third of them is held out for the evidence; each gets one of the built-in constraints.
        samples: answers a prompt.
        sampling: how answers are drawn.
        seed: of every draw.
        engine: what writes the texts to learn from; those that are compared are written by the local engine.

    Raises:
        UsageError: a setting of the sampling is not known to servers.
        ModelError: the server cannot be reached, or has another model.
        DataError: no prompt got both an answer that passes and one that fails.
    """
    # A third of the prompts is held out: nothing is learned from it, both models are judged on it.
    used, held_out = (list(_constrained(model, side)) for side in split_prompts(prompts))

    # Find it: which answers break their instruction? A score is 0 where it is kept and up to 1 where it is broken.
    behaviour = BrokenInstructions()
    with Writer(model, engine or EngineSettings(), sampling, used) as writer:
        answers = writer.engine().generate(used, samples, seed)
    broken = {score.generation_id: score.value for score in score_all(behaviour, used, answers)}

    # Train it out: each passing answer of a prompt against a failing one.
    pairs = [pair for prompt in used for pair in _pairs(prompt, answers, broken)]
    if not pairs:
        raise DataError("no prompt got both a passing and a failing answer", "give more prompts, or more --samples")
    tuned = train_dpo(model, pairs, seed=seed).adapted.merged()

    # Prove it: plain answers of both models to prompts that none of the above has seen.
    before, after = (Engine(either, sampling=sampling).generate(held_out, samples, seed) for either in (model, tuned))
    # A tally is (what was counted, out of how much): here one text, which keeps its instruction or breaks it.
    passed = (tally_scores(behaviour, held_out, side, lambda score: (score.value == 0, 1)) for side in (before, after))
    evidence = [
        compare("constraint_pass_rate", "share", "the built-in checks", *passed, better="higher"),
        *variety_and_length(before, after),
        drift(model, tuned, before),
    ]
    return Outcome(evidence, tuned, {"answers": answers, "pairs": pairs, "before": before, "after": after})


def _constrained(model: LanguageModel, prompts: Sequence[Prompt]) -> Iterator[Prompt]:
    """Give the prompts the constraints in turn: in the last turn of a conversation, or as the line above the text."""
    for prompt, constraint in zip(prompts, cycle(CONSTRAINTS)):
        names = (constraint.spelled,)
        if model.is_chat and prompt.messages:
            *turns, last = prompt.messages
            asked = Message(role=last.role, content=f"{last.content} {constraint.instruction()}")
            yield Prompt(messages=(*turns, asked), constraints=names, source=prompt.source)
        else:
            yield Prompt(text=f"{prompt.content} {constraint.instruction()}\n", constraints=names, source=prompt.source)


def _pairs(prompt: Prompt, answers: Sequence[Generation], broken: dict[str, float]) -> Iterator[CompletionPreference]:
    own = [answer for answer in answers if answer.prompt_id == prompt.id and answer.id in broken]
    passing = [answer for answer in own if broken[answer.id] == 0]
    failing = [answer for answer in own if broken[answer.id] > 0]
    for chosen, rejected in zip(passing, failing, strict=False):
        yield CompletionPreference.written(prompt, chosen, rejected, (1 - broken[chosen.id], 1 - broken[rejected.id]))
