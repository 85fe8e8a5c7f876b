"""A causal language model with its tokenizer: from a prompt to hidden states, from hidden states to logits."""

import hashlib
from collections.abc import Callable
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from planish.errors import ModelError
from planish.models.attention_mask import additive_mask
from planish.models.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from transformers.cache_utils import Cache

# How many tokens a model is checked on.
CHECKED = 24
# With these, an angle depends on the longest row of the batch, so rows cannot share one.
BATCH_BOUND_ROPES = {"dynamic", "longrope"}


class LanguageModel(Tokens):
    """A causal language model and its tokenizer.

    Axes: `B` rows, `T` positions, `C` columns, `D` width, `V` vocabulary.
    """

    def __init__(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
        super().__init__(tokenizer, name, model.config, model.generation_config)
        self.model = model.eval()
        self._is_checked = False

    def save(self, folder: Path) -> None:
        """Write weights (safetensors) and tokenizer, so that plain transformers can load them."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return torch.device(self.model.device)

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
        """Final hidden states, from which `head` makes logits.

        Args:
            ids: (B, T) int64.
            position_ids: (B, T) int64.
            mask: given a window (how many positions back a token may look; None for all), the mask to be added to the
                attention scores, (B, 1, T, C); None where every token may look at all columns.
            cache: keys and values of earlier columns; extended in place.

        Returns: (B, T, D)
        """
        self.check()
        masks = {kind: mask(window) for kind, window in self._attention_windows.items()}
        output = self.decoder(
            input_ids=ids,
            attention_mask=masks if len(masks) > 1 else next(iter(masks.values())),
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        states: Tensor = output.last_hidden_state
        return states

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
    def _attention_windows(self) -> dict[str, int | None]:
        config: Any = self.model.config.get_text_config()
        window = getattr(config, "sliding_window", None)
        kinds = set(getattr(config, "layer_types", None) or ["sliding_attention" if window else "full_attention"])
        self._refuse_unless_attention(kinds, config)
        return {kind: window if kind == "sliding_attention" else None for kind in sorted(kinds)}

    def _refuse_unless_attention(self, kinds: set[str], config: Any) -> None:
        other = kinds - {"full_attention", "sliding_attention"}
        if getattr(config, "attention_types", None):
            other = {"a window of columns instead of positions"}
        if other or getattr(self.model, "_is_stateful", False):
            what = ", ".join(sorted(other)) or "a recurrent state"
            raise ModelError(
                f"the model {self.name!r} has {what}; planish decodes models that are attention throughout"
            )
        ropes = getattr(config, "rope_parameters", None) or {}
        types = {rope.get("rope_type") for rope in (ropes, *ropes.values()) if isinstance(rope, dict)}
        if batch_bound := types & BATCH_BOUND_ROPES:
            raise ModelError(f"the model {self.name!r} has {batch_bound.pop()} rotary angles, which cannot be batched")

    def check(self) -> None:
        """Refuse a model whose attention is not all in positions and mask, or whose head is not all behind its decoder.

        It reads some tokens with dead columns between them, as a rewind leaves them, and must say what it says plainly.
        Done once, at the latest when hidden states are first asked for.

        Raises:
            ModelError: it is such a model.
        """
        if self._is_checked:
            return
        self._is_checked = True  # the check itself reads hidden states
        try:
            self._check()
        except ModelError:
            self._is_checked = False
            raise

    def _check(self) -> None:
        half = min(CHECKED, self.vocabulary, self.context) // 2
        ids = torch.arange(2 * half, device=self.device)[None]
        columns = torch.cat([ids[:, :half], ids[:, :half], ids[:, half:]], 1)
        positions = columns.clone()
        columns_back = positions[0, :, None] - positions[0, None, :]
        dead = torch.arange(3 * half, device=self.device)[None, :].sub(half).ge(0)
        dead &= torch.arange(3 * half, device=self.device)[None, :] < 2 * half

        def mask(window: int | None) -> Tensor:
            seen = (columns_back >= 0) & ~dead & (columns_back < (window or 3 * half))
            return additive_mask(seen[None, None], self.model.dtype)

        try:
            with torch.no_grad():
                first, both = (self.model(input_ids=ids[:, :end]).logits[0].float() for end in (half, 2 * half))
                ours = self.head(self.hidden(columns, positions, mask)[0, [half - 1, half - 1, -1]])
                plain = torch.stack([first[-1], both[half - 1], both[-1]])
        except ModelError:
            raise
        except Exception as error:  # architectures differ in more ways than can be listed
            raise ModelError(f"planish cannot run the decoder of {self.name!r} and its head apart: {error}") from error
        slack = (1e-3 if self.model.dtype == torch.float32 else 0.1) * float(plain.abs().max())
        if not torch.allclose(ours, plain, rtol=0, atol=slack):
            raise ModelError(
                f"the model {self.name!r} does not decode from left to right by positions and mask alone",
                "give a model of another architecture",
            )


class _Output(BaseModelOutputWithPast):
    """Some architectures look for more, such as a router's logits: there is none."""

    def __getattr__(self, name: str) -> None:
        return None


class _Finished(nn.Module):
    """A decoder whose work is done."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.output = _Output(last_hidden_state=hidden)

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
