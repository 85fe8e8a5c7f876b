"""What clients send: OpenAI's requests, with planish's own key for steers."""

from collections.abc import Mapping
from difflib import get_close_matches
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from planish.records.prompt import Message, Prompt
from planish.records.rule import BanRule
from planish.steer.server.refusal import Refusal

# What a client may say without changing what is written.
HARMLESS = frozenset(
    (
        "metadata",
        "parallel_tool_calls",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    )
)
# What would change it and is not done here, with the values that ask for nothing.
NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "add_generation_prompt": (True,),
    "add_special_tokens": (True,),
    "best_of": (1,),
    "chat_template_kwargs": ({},),
    "continue_final_message": (False,),
    "dry_multiplier": (0,),
    "echo": (False,),
    "frequency_penalty": (0,),
    "function_call": ("auto", "none"),
    "functions": ([],),
    "ignore_eos": (False,),
    "length_penalty": (1,),
    "logit_bias": ({},),
    "mirostat": (0,),
    "mirostat_mode": (0,),
    "modalities": (["text"],),
    "presence_penalty": (0,),
    "repeat_penalty": (1,),
    "response_format": ({"type": "text"},),
    "skip_special_tokens": (True,),
    "suffix": ("",),
    "tfs": (1,),
    "tool_choice": ("auto", "none"),
    "tools": ([],),
    "top_a": (0,),
    "typical_p": (1,),
    "use_beam_search": (False,),
    "verbosity": ("medium",),
    "xtc_probability": (0,),
}

Strings = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
Prompts = str | list[int] | list[str] | list[list[int]]
WireType = TypeVar("WireType", bound="TextRequest")


class StreamOptions(BaseModel):
    """How a stream ends."""

    include_usage: bool = False


class RequestSteers(BaseModel):
    """Steers of one request. They come on top of those of the server."""

    model_config = ConfigDict(extra="forbid")

    ban: list[str | BanRule] = []
    thinking: bool = True
    tag: str | None = None


class TextRequest(BaseModel):
    """What both kinds of request share."""

    model: str = ""
    n: int = Field(default=1, ge=1)
    seed: int | None = None
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    stop: Strings = []
    max_tokens: int | None = None
    min_tokens: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    planish: RequestSteers = RequestSteers()
    banned_strings: Strings = []

    @property
    def asked_tokens(self) -> int | None:
        """The longest text that the client wants; None where it does not say."""
        return self.max_tokens

    @property
    def tops(self) -> int | None:
        """How many alternatives to show for each token; None for no log-probabilities at all."""
        raise NotImplementedError

    def inputs(self) -> list[Prompt | list[int]]:
        """The prompts, or the token ids that they are given as."""
        raise NotImplementedError

    def rules(self) -> list[BanRule]:
        """Everything that the request bans."""
        given = [*self.planish.ban, *self.banned_strings]
        return [BanRule(text=rule) if isinstance(rule, str) else rule for rule in given]


class Part(BaseModel):
    """A piece of a turn; only text can be read."""

    type: Literal["text"]
    text: str


class Turn(BaseModel):
    """One turn. Names, refusals and empty lists of calls are left out of what the model sees."""

    role: str
    content: str | list[Part]
    tool_calls: Annotated[list[Any] | None, Field(max_length=0)] = None
    function_call: None = None
    audio: None = None

    def message(self) -> Message:
        """As the model is to see it; `developer` is what OpenAI now calls the system."""
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return Message(role="system" if self.role == "developer" else self.role, content=text)


class ChatRequest(TextRequest):
    """`/v1/chat/completions`."""

    messages: list[Turn] = Field(min_length=1)
    max_completion_tokens: int | None = None
    logprobs: bool = False
    top_logprobs: int = Field(default=0, ge=0)

    @property
    def asked_tokens(self) -> int | None:
        """The newer name counts."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def tops(self) -> int | None:
        """See above."""
        return self.top_logprobs if self.logprobs else None

    def inputs(self) -> list[Prompt | list[int]]:
        """The conversation so far."""
        return [Prompt(messages=tuple(turn.message() for turn in self.messages))]


class CompletionRequest(TextRequest):
    """`/v1/completions`."""

    prompt: Prompts
    max_tokens: int | None = 16
    logprobs: int | None = Field(default=None, ge=0)

    @property
    def tops(self) -> int | None:
        """See above."""
        return self.logprobs

    def inputs(self) -> list[Prompt | list[int]]:
        """A string or some token ids are one prompt, a list of either are several."""
        given = self.prompt
        if isinstance(given, str) or (given and isinstance(given[0], int)):
            given = [given]  # type: ignore[assignment]
        return [Prompt(text=each) if isinstance(each, str) else each for each in given]  # type: ignore[misc]


def read_request(kind: type[WireType], body: bytes) -> WireType:
    """Check what a client sent.

    Raises:
        Refusal: it is no such request, or asks for something that is not done here.
    """
    try:
        fields = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"the request is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise Refusal(HTTPStatus.BAD_REQUEST, "the request is not a JSON object")
    # Clients send null for whatever was not set.
    fields = {key: value for key, value in fields.items() if value is not None}
    for key, value in fields.items():
        _refuse_unless_known(kind, key, value)
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        param = ".".join(str(part) for part in first["loc"])
        raise Refusal(HTTPStatus.BAD_REQUEST, f"{param or 'the request'}: {first['msg']}", param or None) from error


def _refuse_unless_known(kind: type[TextRequest], key: str, value: object) -> None:
    if key in kind.model_fields or key in HARMLESS:
        return
    if key in NEUTRAL:
        if value not in NEUTRAL[key]:
            raise Refusal(
                HTTPStatus.BAD_REQUEST, f"{key} is not supported; leave it out", key, code="unsupported_parameter"
            )
        return
    near = get_close_matches(key, kind.model_fields, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise Refusal(HTTPStatus.BAD_REQUEST, f"unknown field {key!r}{hint}", key, code="unknown_parameter")
