"""A causal language model with its tokenizer: from a prompt to hidden states, from hidden states to logits."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from planish.models.alone import reason_to_read_alone
from planish.models.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from transformers.cache_utils import Cache

# As what models hand back their memory of the tokens before.
STATES = ("past_key_values", "cache_params", "state")


class LanguageModel(Tokens):
    """A causal language model and its tokenizer.

    Axes: `B` rows, `T` positions, `C` columns, `D` width, `V` vocabulary.
    """

    def __init__(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
        super().__init__(tokenizer, name, model.config, model.generation_config)
        self.model = model.eval()

    def save(self, folder: Path) -> None:
        """Write weights (safetensors) and tokenizer, so that plain transformers can load them."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return torch.device(self.model.device)

    def on(self, device: torch.device) -> "LanguageModel":
        """A copy on another device."""
        return LanguageModel(nn.Module.to(deepcopy(self.model), device), self.tokenizer, self.name)

    @property
    def vocabulary(self) -> int:
        """V, the number of logits."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    @property
    def width(self) -> int:
        """D, the width of the final hidden state."""
        return int(self.model.get_output_embeddings().weight.shape[1])

    @property
    def model_hash(self) -> str:
        """Tells apart weights: a hash over the beginning of every tensor."""
        heads = (tensor.detach().flatten()[:1024].float().cpu() for tensor in self.model.state_dict().values())
        return _digest(head.numpy().tobytes() for head in heads)

    def hidden(
        self,
        ids: Tensor,
        position_ids: Tensor,
        mask: Callable[[int | None], Tensor | None],
        cache: "Cache | None" = None,
    ) -> Tensor:
        """Final hidden states, from which `head` makes logits. Only where rows can share a pass: see `alone_because`.

        Args:
            ids: (B, T) int64.
            position_ids: (B, T) int64.
            mask: given a window (how many positions back a token may look; None for all), the mask to be added to the
                attention scores, (B, 1, T, C); None where every token may look at all columns.
            cache: keys and values of earlier columns; extended in place.

        Returns: (B, T, D)
        """
        masks = {kind: mask(window) for kind, window in self.attention_windows.items()}
        output = self.decoder(
            input_ids=ids,
            attention_mask=masks if len(masks) > 1 else next(iter(masks.values())),
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        states: Tensor = output.last_hidden_state
        return states

    def hidden_alone(
        self, ids: Sequence[int], states: Mapping[str, Any] | None = None
    ) -> tuple[Tensor, dict[str, Any]]:
        """Final hidden states of one row, (T, D), by the model's own masks and positions.

        Args:
            ids: T tokens.
            states: what the call for the tokens before these returned; empty at the beginning of a row. None: nothing
                will follow these tokens.

        Returns: the hidden states, and what the model wants back for the tokens that follow.
        """
        output = self.decoder(
            input_ids=torch.tensor([list(ids)], device=self.device), use_cache=states is not None, **(states or {})
        )
        kept = {name: output[name] for name in STATES if states is not None and output.get(name) is not None}
        return output.last_hidden_state[0], kept

    def head(self, hidden: Tensor) -> Tensor:
        """Logits by the model's own head, with its softcaps and scalings: (..., D) to (..., V), float32."""
        if self._head_is_all:
            logits: Tensor = self.model.get_output_embeddings()(hidden.to(self.model.dtype))
            return logits.float()
        return self._whole_head(hidden)

    @cached_property
    def _head_is_all(self) -> bool:
        """Whether nothing is done after the decoder but multiply by the head."""
        probe = torch.linspace(-4, 4, self.width, device=self.device)[None]
        with torch.no_grad():
            alone = self.model.get_output_embeddings()(probe.to(self.model.dtype)).float()
            return torch.equal(alone, self._whole_head(probe))

    def _whole_head(self, hidden: Tensor) -> Tensor:
        """The model itself runs, with a stand-in for its decoder that hands back `hidden`.

        So whatever an architecture does after its decoder is done here too.
        """
        flat = hidden.reshape(1, -1, hidden.shape[-1]).to(self.model.dtype)
        with _decoder_replaced(self.model, _Finished(flat)):
            logits: Tensor = self.model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=flat.device)).logits
        return logits.float().reshape(*hidden.shape[:-1], logits.shape[-1])

    @property
    def decoder(self) -> nn.Module:
        """The model without its head."""
        module: nn.Module = getattr(self.model, self.model.base_model_prefix)
        return module

    @cached_property
    def attention_windows(self) -> dict[str, int | None]:
        """For each kind of attention, how many positions back a token may look; None for all."""
        config: Any = self.model.config.get_text_config()
        window = getattr(config, "sliding_window", None)
        kinds = set(getattr(config, "layer_types", None) or ["sliding_attention" if window else "full_attention"])
        return {kind: window if kind == "sliding_attention" else None for kind in sorted(kinds)}

    @cached_property
    def alone_because(self) -> str:
        """Why rows cannot share a pass of this model and must be read one by one; empty if they can.

        Raises:
            ModelError: its head cannot be told from its decoder.
        """
        return reason_to_read_alone(self)


class _Output(BaseModelOutputWithPast):
    """Some architectures look for more, such as a router's logits: there is none."""

    def __getattr__(self, name: str) -> None:
        return None


class _Finished(nn.Module):
    """A decoder whose work is done."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.output = _Output(last_hidden_state=hidden)

    @property
    def decoder(self) -> nn.Module:
        """Some architectures ask a part of it."""
        return self

    def forward(self, *_: Any, **__: Any) -> BaseModelOutputWithPast:
        return self.output


@contextmanager
def _decoder_replaced(model: "PreTrainedModel", stand_in: nn.Module) -> "Iterator[None]":
    name = model.base_model_prefix
    decoder = getattr(model, name)
    setattr(model, name, stand_in)
    try:
        yield
    finally:
        setattr(model, name, decoder)


def _digest(parts: "Any") -> str:
    hashed = hashlib.blake2b(digest_size=8)
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()
