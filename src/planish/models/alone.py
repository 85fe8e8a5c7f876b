"""Whether rows can share a pass of a model, or must be read one by one."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from planish.errors import ModelError
from planish.models.attention_mask import additive_mask

if TYPE_CHECKING:
    from planish.models.language_model import LanguageModel

# How many tokens a model is tried on.
TRIED = 24
# With these, an angle depends on the longest row of the batch.
BATCH_BOUND_ROPES = {"dynamic", "longrope"}


@torch.no_grad()
def reason_to_read_alone(model: "LanguageModel") -> str:
    """Why rows cannot share a pass; empty if they can: what the model says is then all in positions and mask.

    It is tried: the model reads some tokens with dead columns between them, and must say what it says plainly.

    Raises:
        ModelError: its head cannot be told from its decoder, or it does not read from left to right.
    """
    half = min(TRIED, model.vocabulary, model.context) // 2
    ids = torch.arange(2 * half, device=model.device)[None]
    try:
        first, both = (model.model(input_ids=ids[:, :end]).logits[0].float() for end in (half, 2 * half))
        apart = model.head(model.hidden_alone(ids[0].tolist())[0])
    except Exception as error:  # architectures differ in more ways than can be listed
        raise ModelError(f"planish cannot run the decoder of {model.name!r} and its head apart: {error}") from error
    slack = (1e-3 if model.model.dtype == torch.float32 else 0.1) * float(both.abs().max())
    hint = "give a causal language model of another architecture"
    if not torch.allclose(first[-1], both[half - 1], rtol=0, atol=slack):
        raise ModelError(f"the model {model.name!r} does not read from left to right", hint)
    if not torch.allclose(apart, both, rtol=0, atol=slack):
        raise ModelError(f"the head of {model.name!r} makes other logits than the whole model", hint)
    plain = torch.stack([first[-1], both[half - 1], both[-1]])
    return _by_its_config(model) or _by_trial(model, half, plain, slack)


def batch_bound_angles(model: "LanguageModel") -> str:
    """The kind of its rotary angles that depend on the longest row of a pass; empty if there are none.

    With these, not even rows that are padded on the right can share a pass: all else that looks back never meets what
    stands to the right of it.
    """
    ropes = getattr(model.model.config.get_text_config(), "rope_parameters", None) or {}
    types = {rope.get("rope_type") for rope in (ropes, *ropes.values()) if isinstance(rope, dict)}
    return min((kind for kind in BATCH_BOUND_ROPES if kind in types), default="")


def _by_its_config(model: "LanguageModel") -> str:
    """What is known to depend on more than a short trial shows."""
    config: Any = model.model.config.get_text_config()
    other = set(model.attention_windows) - {"full_attention", "sliding_attention"}
    if other or getattr(model.model, "_is_stateful", False):
        return f"it has {', '.join(sorted(other)) or 'a recurrent state'}"
    if getattr(config, "attention_types", None):
        return "its attention has a window of columns instead of positions"
    angles = batch_bound_angles(model)
    return f"it has {angles} rotary angles" if angles else ""


def _by_trial(model: "LanguageModel", half: int, plain: Tensor, slack: float) -> str:
    """Read both halves of some tokens, with the first half once more between them, as a rewind would leave it."""
    places = torch.arange(3 * half, device=model.device)
    positions = torch.where(places < half, places, places - half)[None]
    back = positions[0, :, None] - positions[0, None, :]
    dead = ((places >= half) & (places < 2 * half))[None, :]

    def mask(window: int | None) -> Tensor:
        seen = (back >= 0) & ~dead & (back < (window or 3 * half))
        return additive_mask(seen[None, None], model.model.dtype)

    try:
        ours = model.head(model.hidden(positions, positions, mask)[0, [half - 1, half - 1, -1]])
    except Exception as error:  # as above
        return f"it takes no mask of ours: {error}".splitlines()[0]
    same = torch.allclose(ours, plain, rtol=0, atol=slack)
    return "" if same else "what it says is not in positions and mask alone"
