"""Log-probabilities of tokens, as both of OpenAI's APIs show them. They are the model's own, before any steer."""

import math
from collections.abc import Callable, Sequence

from planish.models.tokens import Tokens
from planish.records.trace import Trace

# What OpenAI sends where a probability is 0: JSON knows no infinity.
LEAST = -9999.0

TextOf = Callable[[int], str]


def log_probability(probability: float) -> float:
    """Its natural logarithm, as far down as `LEAST`."""
    return max(LEAST, math.log(probability)) if probability > 0 else LEAST


def token_text(tokens: Tokens, token: int) -> str:
    """What a token adds to a text; for a special one, its name.

    It is read behind itself: at the beginning of a text, some tokenizers leave a token's space away.
    """
    added = tokens.decode([token, token])[len(tokens.decode([token])) :]
    return added or str(tokens.tokenizer.convert_ids_to_tokens(token))


def chat_logprobs(traces: Sequence[Trace], text_of: TextOf) -> dict[str, object]:
    """For `/v1/chat/completions`."""
    return {
        "content": [
            {
                **_entry(trace.text, trace.probability),
                "top_logprobs": [_entry(text_of(token), probability) for token, probability in trace.top],
            }
            for trace in traces
        ],
        "refusal": None,
    }


def completion_logprobs(traces: Sequence[Trace], text_of: TextOf, start: int) -> dict[str, object]:
    """For `/v1/completions`; `start` is how many characters of the text come before."""
    offsets = []
    for trace in traces:
        offsets.append(start)
        start += len(trace.text)
    return {
        "tokens": [trace.text for trace in traces],
        "token_logprobs": [log_probability(trace.probability) for trace in traces],
        # Of tokens that read alike (parts of characters do) the likeliest stays: it comes last.
        "top_logprobs": [
            {text_of(token): log_probability(probability) for token, probability in reversed(trace.top)}
            for trace in traces
        ],
        "text_offset": offsets,
    }


def _entry(text: str, probability: float) -> dict[str, object]:
    return {"token": text, "logprob": log_probability(probability), "bytes": list(text.encode(errors="replace"))}
