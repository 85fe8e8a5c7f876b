"""Preference pairs out of answers: which of them keep what was asked for, and which do not."""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from planish.errors import DataError
from planish.find.instructions import Constraint, ask, parse_constraint, relaxed
from planish.models.language_model import LanguageModel
from planish.prove.lift import Asked
from planish.recipes.asked_prompts import drawn
from planish.records.generation import Generation, successes
from planish.records.preference import CompletionPreference
from planish.records.prompt import Prompt
from planish.train.crossing import crossings
from planish.train.pairing import Answer, PairingSettings, pairs

MORE = "give more prompts, or more --samples"


def paired(
    prompts: Sequence[Prompt],
    answers: Sequence[Generation],
    broken: Mapping[str, float],
    quality: Mapping[str, float],
    settings: PairingSettings,
) -> list[CompletionPreference]:
    """Better answers against worse ones to the same prompt.

    Args:
        prompts: ask for something.
        answers: to them; those of which nothing is known are left out.
        broken: of an answer, by its id, the share of what was asked for that it breaks.
        quality: how well it answers, where somebody judged that.
        settings: how they meet.
    """
    by_id = {answer.id: answer for answer in successes(answers) if answer.id in broken}
    found = []
    for prompt in prompts:
        own = [
            Answer(answer.id, answer.text, 1 - broken[answer.id], quality.get(answer.id))
            for answer in by_id.values()
            if answer.prompt_id == prompt.id
        ]
        for pair in pairs(own, settings):
            scores = (1 - broken[pair.chosen], 1 - broken[pair.rejected])
            found.append(CompletionPreference.written(prompt, by_id[pair.chosen], by_id[pair.rejected], scores))
    return found


def crossed(
    model: LanguageModel, answers_of: Mapping[Prompt, Sequence[Generation]], kinds: Sequence[str], most: int, seed: int
) -> list[CompletionPreference]:
    """Two answers to one prompt against each other under a constraint of the one, and under one of the other.

    Args:
        model: reads the prompts.
        answers_of: to prompts that ask for nothing.
        kinds: of constraints.
        most: in so many couples an answer may stand.
        seed: of what is drawn.
    """
    draws = random.Random(seed)
    uses: Counter[str] = Counter()
    found = []
    for prompt, answers in answers_of.items():
        given = {spelled: drawn(spelled, prompt, draws) for spelled in kinds}
        asked = {spelled: constraint for spelled, constraint in given.items() if constraint is not None}
        kept = [frozenset(spelled for spelled, each in asked.items() if each.holds(text.text)) for text in answers]
        for first, second, *names in crossings(kept, most, uses, draws):
            group = f"{answers[first].id} {answers[second].id}"
            sides = (answers[first], answers[second])
            for name, (chosen, rejected) in zip(names, (sides, sides[::-1]), strict=True):
                found.append(_asked_for(model, prompt, asked[str(name)], chosen, rejected, group, draws))
    return found


def near_misses(
    prompts: Sequence[Prompt], answers: Sequence[Generation], broken: Mapping[str, float], many: int, seed: int
) -> list[CompletionPreference]:
    """Passing answers against themselves, changed a little so that they break one constraint of their prompt."""
    draws = random.Random(seed)
    by_id = {prompt.id: prompt for prompt in prompts}
    found = []
    for answer in successes(answers):
        if broken.get(answer.id) != 0:
            continue
        prompt = by_id[answer.prompt_id]
        for spelled in draws.sample(prompt.constraints, min(many, len(prompt.constraints))):
            missed = parse_constraint(spelled).near_miss(answer.text, draws)
            if missed is not None:
                left = 1 - 1 / len(prompt.constraints)
                found.append(CompletionPreference.between(prompt, answer.text, missed, (1.0, left)))
    return found


def without_one(asked: Sequence[Asked], draws: random.Random) -> dict[str, Prompt]:
    """Prompts with one constraint less, each by the id of the whole one."""
    fewer = {}
    for whole, plain, _ in asked:
        constraints = [parse_constraint(spelled) for spelled in whole.constraints]
        gone = draws.randrange(len(constraints))
        left = relaxed(constraints, gone)
        fewer[whole.id] = ask(plain, left, draws) if left else plain
    return fewer


def by_lot(found: Sequence[CompletionPreference], seed: int) -> list[CompletionPreference]:
    """The same pairs with their sides drawn by lot, those of a group together: they say nothing any more."""
    draws = random.Random(seed)
    lots: dict[str, bool] = defaultdict(lambda: draws.random() < 0.5)
    return [pair if lots[pair.group or str(number)] else _turned(pair) for number, pair in enumerate(found)]


def require_pairs(found: Sequence[CompletionPreference]) -> None:
    """Refuse to train on nothing.

    Raises:
        DataError: there is no pair.
    """
    if not found:
        raise DataError("no prompt got both an answer that keeps its instruction and one that breaks it", MORE)


def _asked_for(
    model: LanguageModel,
    plain: Prompt,
    constraint: Constraint,
    chosen: Generation,
    rejected: Generation,
    group: str,
    draws: random.Random,
) -> CompletionPreference:
    """A pair under a prompt that neither was written for."""
    prompt = ask(plain, [constraint], draws)
    ids = {
        "prompt_ids": tuple(model.encode(prompt)),
        "chosen_ids": chosen.token_ids,
        "rejected_ids": rejected.token_ids,
        "group": group,
    }
    return CompletionPreference.between(prompt, chosen.text, rejected.text, (1.0, 0.0)).model_copy(update=ids)


def _turned(pair: CompletionPreference) -> CompletionPreference:
    return pair.model_copy(
        update={
            "chosen": pair.rejected,
            "rejected": pair.chosen,
            "chosen_ids": pair.rejected_ids,
            "rejected_ids": pair.chosen_ids,
            "scores": pair.scores[::-1],
        }
    )
