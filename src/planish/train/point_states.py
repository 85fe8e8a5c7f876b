"""The hidden states that matter on some paths, by one pass over each.

Axes: `B` paths, `T` positions, `N` states, `D` width.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from planish.models.language_model import LanguageModel


def point_states(network: nn.Module, model: LanguageModel, inputs: Mapping[str, Tensor]) -> Tensor:
    """The states at some places of some paths, (N, D): the head makes of each the logits of the token behind it.

    Args:
        network: the model as it is to be called: itself, or what others have wrapped around it.
        model: the model in it.
        inputs: `input_ids` (B, T), padded on the right; `rows` and `positions` (N,).
    """
    with _states_of(model) as kept:
        # Padding stands to the right of everything real, so what looks back never meets it, and needs no mask.
        network(input_ids=inputs["input_ids"], use_cache=False)
    return kept[0][inputs["rows"], inputs["positions"]]


@contextmanager
def _states_of(model: LanguageModel) -> Iterator[list[Tensor]]:
    """Keep what the decoder hands over, and let the head have only the first position: its logits are not wanted."""
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Any) -> Any:
        kept.append(output.last_hidden_state)
        output.last_hidden_state = output.last_hidden_state[:, :1]
        return output

    # Where `model.decoder` is but a shell around the one that the model calls, as in OPT, that one.
    handle = model.model.get_decoder().register_forward_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()
