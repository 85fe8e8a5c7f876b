"""Two ways to go on after a context, as token ids, whatever they were made from."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from jinja2 import TemplateError

from planish.errors import DataError, ModelError
from planish.models.language_model import LanguageModel
from planish.records.preference import CompletionPreference, Point, TokenPreferences
from planish.records.prompt import Message, Prompt

# An assistant's turn that no template changes, to see what the template puts after it.
TURN = "planish"
# No tokenizer joins it to a word. Some put a space before whatever they begin with; then they put it before this.
FRONT = "\n"


class TokenPair(NamedTuple):
    """After `context`, `chosen` should be likelier than `rejected`. An end of text is taught where it is written.

    Pairs of one `group` are learned from in one step, of no group alone. Two texts that come in both orders after
    different contexts should be one: a step with only one of the orders teaches to remember the texts.
    """

    context: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    group: str = ""


def token_pairs(
    model: LanguageModel, preferences: Iterable[CompletionPreference | TokenPreferences | TokenPair]
) -> Iterator[TokenPair]:
    """Preferences of any kind as pairs.

    Raises:
        DataError: one side of a preference is a conversation of several turns.
        ModelError: the model's chat template refuses a prompt.
    """
    for preference in preferences:
        match preference:
            case TokenPreferences():
                yield from point_pairs(preference)
            case CompletionPreference(chosen_ids=chosen, rejected_ids=rejected) if chosen and rejected:
                yield TokenPair(preference.prompt_ids, chosen, rejected, preference.group)
            case CompletionPreference():
                yield text_pair(model, preference)
            case TokenPair():
                yield preference


def point_pairs(path: TokenPreferences) -> Iterator[TokenPair]:
    """A pair of single tokens a point: of the chosen ones the likeliest, the one that the model would soonest write."""
    for point in path.points:
        yield TokenPair(path.token_ids[: point.position], (_likeliest(point),), (point.rejected,))


def text_pair(
    model: LanguageModel, preference: CompletionPreference, ended: tuple[bool, bool] = (False, False)
) -> TokenPair:
    """Two texts for one prompt, which the model reads as it would when it writes.

    Args:
        model: whose tokens they become.
        preference: the texts.
        ended: whether each is whole, the chosen one and the rejected one. Nothing teaches a cut text to end, so only
            what is known to be whole should.

    Raises:
        DataError: one side is a conversation of several turns.
        ModelError: the model's chat template refuses the prompt.
    """
    prompt = prompt_of(preference)
    sides = (preference.chosen, preference.rejected)
    chosen, rejected = (
        completion_ids(model, prompt, text_of(side), ended=is_whole)
        for side, is_whole in zip(sides, ended, strict=True)
    )
    return TokenPair(tuple(model.encode(prompt)), chosen, rejected, preference.group)


def prompt_of(preference: CompletionPreference) -> Prompt:
    """What the texts were written for."""
    asked = preference.prompt
    return Prompt(text=asked) if isinstance(asked, str) else Prompt(messages=asked)


def text_of(side: str | tuple[Message, ...]) -> str:
    """One of the texts of a preference.

    Raises:
        DataError: it is a conversation of several turns.
    """
    if isinstance(side, str):
        return side
    if len(side) != 1:
        raise DataError(
            f"one side of a preference has {len(side)} turns: {[turn.role for turn in side]}",
            "give it the assistant's turn alone, and put what was said before into the prompt",
        )
    return side[0].content


def completion_ids(model: LanguageModel, prompt: Prompt, text: str, *, ended: bool) -> tuple[int, ...]:
    """A text that follows a prompt, as ids; where it `ended`, with the token by which the model ends such a text."""
    front, both = (_ids(model, begun) for begun in (FRONT, FRONT + text))
    ids = both[len(front) :] if both[: len(front)] == front else _ids(model, text)
    return (*ids, *_end(model, prompt)) if ended else tuple(ids)


def _end(model: LanguageModel, prompt: Prompt) -> Sequence[int]:
    """In a conversation what the template ends a turn by, if the model stops there; else the tokenizer's own end."""
    if prompt.messages is not None and model.is_chat:
        turns = [turn.model_dump() for turn in (*prompt.messages, Message(role="assistant", content=TURN))]
        try:
            rendered = str(model.tokenizer.apply_chat_template(turns, tokenize=False))
        except TemplateError as error:
            roles = ", ".join(turn["role"] for turn in turns)
            raise ModelError(
                f"the chat template of {model.name!r} refuses turns by {roles}: {error.message}",
                "let the prompt end with the user's turn",
            ) from error
        after = model.tokenizer(rendered.rpartition(TURN)[2], add_special_tokens=False)["input_ids"]
        if ends := [token for token in after if token in model.end_ids]:
            return ends[:1]
    own = model.tokenizer.eos_token_id
    return [own] if own in model.end_ids else sorted(model.end_ids)[:1]


def _ids(model: LanguageModel, text: str) -> list[int]:
    """Whatever looks like a control token is taken as letters."""
    return list(model.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])


def _likeliest(point: Point) -> int:
    if not point.chosen_probs:
        return point.chosen[0]
    return max(zip(point.chosen, point.chosen_probs, strict=True), key=lambda candidate: candidate[1])[0]
