"""A row before its first token."""

from collections.abc import Mapping, Sequence

from planish.errors import PlanishError
from planish.models.language_model import LanguageModel
from planish.models.tokens import Tokens
from planish.records.prompt import Prompt
from planish.steer.plan import Plan
from planish.steer.row import Row
from planish.steer.stages import model_key
from planish.steer.steer import MODEL


def new_row(
    plan: Plan, prompt: Prompt, sample: int, seed: int, models: Mapping[str, Tokens], most_context: int | None = None
) -> Row:
    """A row with its prompt as ids for every model. One that cannot be decoded has failed already.

    Args:
        plan: how it is written.
        prompt: what it is written for; the plan's steers may show each model another one.
        sample: its number among those of the prompt.
        seed: of its draws.
        models: all that run, by `model_key`.
        most_context: the most tokens that whoever runs them takes, where that is known.
    """
    seen = dict.fromkeys(models, prompt)
    for at, steer in enumerate(plan.steers):
        seen |= {model_key(at, name): prepared for name, prepared in steer.prepare(seen[MODEL]).items()}
    row = Row(prompt=seen[MODEL], sample=sample, seed=seed, prompt_ids={}, limit=plan.sampling.max_tokens, plan=plan)
    try:
        row.prompt_ids = {name: model.encode(seen[name]) for name, model in models.items()}
    except PlanishError as error:
        row.fail(error.message)
        return row
    if fault := next(filter(None, map(_unreadable, models.values(), row.prompt_ids.values())), ""):
        row.fail(fault)
        return row
    contexts = {name: min(model.context, most_context or model.context) for name, model in models.items()}
    room = min(context - len(row.prompt_ids[name]) for name, context in contexts.items())
    row.limit = min(row.limit, room)
    if room < 1:
        row.fail(f"the prompt fills the context of {min(contexts.values())} tokens")
    if plan.matchers:
        read = models[MODEL].tokenizer.decode([*row.prompt_ids[MODEL]], skip_special_tokens=False)
        row.first_states = plan.begin(str(read))
    return row


def _unreadable(model: Tokens, ids: Sequence[int]) -> str:
    """Why a model cannot read a prompt of these ids; mostly nothing."""
    if not ids:
        return "the prompt has no tokens"
    if not isinstance(model, LanguageModel):
        return ""
    wrong = next((token for token in ids if not 0 <= token < model.vocabulary), None)
    return "" if wrong is None else f"{model.name!r} has no token {wrong}: its ids go from 0 to {model.vocabulary - 1}"
