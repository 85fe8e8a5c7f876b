"""A causal language model with its tokenizer: from a prompt to hidden states, from hidden states to logits."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jinja2 import TemplateError
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from planish.errors import ModelError, UsageError
from planish.models.attention_mask import additive_mask
from planish.records.prompt import Prompt
from planish.text.words import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from transformers.cache_utils import Cache

UNFINISHED = "\ufffd"
# How many tokens a model is checked on.
CHECKED = 24
# With these, an angle depends on the longest row of the batch, so rows cannot share one.
BATCH_BOUND_ROPES = {"dynamic", "longrope"}


class LanguageModel:
    """A causal language model and its tokenizer.

    Axes: `B` rows, `T` positions, `C` columns, `D` width, `V` vocabulary.
    """

    def __init__(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.name = name
        self._is_checked = False

    def save(self, folder: Path) -> None:
        """Write weights (safetensors) and tokenizer, so that plain transformers can load them."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    @property
    def is_chat(self) -> bool:
        """Whether it has a chat template."""
        return bool(self.tokenizer.chat_template)

    @property
    def tags(self) -> dict[str, int]:
        """Control tokens, name to id: they stand before a text and are never sampled. Kept in the model's config."""
        tags: dict[str, int] = getattr(self.model.config, "planish_tags", {})
        return tags

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
    def context(self) -> int:
        """How many tokens fit, prompt included."""
        return int(getattr(self.model.config, "max_position_embeddings", 2**31))

    @property
    def end_ids(self) -> frozenset[int]:
        """The tokens that end a text."""
        ends = self.model.generation_config.eos_token_id if self.model.generation_config else None
        ends = self.tokenizer.eos_token_id if ends is None else ends
        return frozenset([] if ends is None else [ends] if isinstance(ends, int) else ends)

    @cached_property
    def template_hash(self) -> str:
        """Tells apart models that would see one prompt differently."""
        return _digest([str(self.tokenizer.chat_template or "documents").encode()])

    @property
    def model_hash(self) -> str:
        """Tells apart weights: a hash over the beginning of every tensor."""
        heads = (tensor.detach().flatten()[:1024].float().cpu() for tensor in self.model.state_dict().values())
        return _digest(head.numpy().tobytes() for head in heads)

    @cached_property
    def template_words(self) -> frozenset[str]:
        """The words of its special tokens and of its chat template: nothing that a text should be blamed for."""
        rendered = [str(token) for token in self.tokenizer.all_special_tokens]
        if self.is_chat:
            turn = [{"role": "user", "content": ""}]
            rendered.append(str(self.tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)))
        return frozenset(word for text in rendered for word in words(text))

    def require_same_tokenizer(self, other: "LanguageModel") -> None:
        """Check that both models mean the same by a token id.

        Raises:
            UsageError: they do not.
        """
        if self.tokenizer.get_vocab() != other.tokenizer.get_vocab():
            raise UsageError(
                f"{self.name!r} and {other.name!r} have different tokenizers",
                "give two models with one tokenizer: token by token, no others can be compared or combined",
            )

    def encode(self, prompt: Prompt) -> list[int]:
        """The ids that a prompt begins with.

        Messages go through the chat template. A model without one has only ever seen documents, so each message is a
        document of its own, and the reply opens the next. A tag stands directly before the text: before one that is to
        be continued, or before the reply.

        Raises:
            ModelError: the prompt's tag is unknown to this model.
        """
        ids = self._encode_content(prompt)
        if prompt.tag is None:
            return ids
        if prompt.tag not in self.tags:
            known = ", ".join(self.tags) or "none"
            raise ModelError(f"the model {self.name!r} has no tag {prompt.tag!r}", f"its tags: {known}")
        # Directly before the text: what stands before the start of a document, a model has learned to ignore.
        before = len(ids) if prompt.text is None else int(ids[0] == self.tokenizer.bos_token_id)
        return [*ids[:before], self.tags[prompt.tag], *ids[before:]]

    def _encode_content(self, prompt: Prompt) -> list[int]:
        if prompt.text is not None:
            return self._ids(prompt.text, add_special_tokens=True) or [self._document_start]
        messages = [turn.model_dump() for turn in prompt.messages or ()]
        if self.is_chat:
            for turn in messages:
                for tag in self.tags:  # a tag in the user's words is no tag
                    turn["content"] = turn["content"].replace(tag, tag.strip("<|>"))
            try:
                rendered = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            except TemplateError as error:
                roles = ", ".join(turn["role"] for turn in messages)
                raise ModelError(
                    f"the chat template of {self.name!r} refuses turns by {roles}: {error.message}",
                    "many templates know no system turn: leave --system out",
                ) from error
            return list(self.tokenizer(rendered, add_special_tokens=False)["input_ids"])
        documents = (self._ids(turn["content"], add_special_tokens=False) for turn in messages)
        start = self._document_start
        return [token for document in documents for token in (start, *document)] + [start]

    def _ids(self, text: str, add_special_tokens: bool) -> list[int]:
        """A text's ids; whatever in it looks like a control token is taken as letters."""
        return list(self.tokenizer(text, add_special_tokens=add_special_tokens, split_special_tokens=True)["input_ids"])

    @property
    def _document_start(self) -> int:
        for start in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if start is not None:
                return int(start)
        raise ModelError(f"the tokenizer of {self.name!r} has no token that begins or ends a document", "set bos_token")

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids, without special tokens."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def newest_text(self, ids: Sequence[int], settled: int) -> str:
        """The characters that ids add to the first `settled` ones, which make up whole characters.

        None while a character is still missing some of its bytes.
        """
        after = self.decode(ids)
        return "" if after.endswith(UNFINISHED) else after[len(self.decode(ids[:settled])) :]

    def hidden(
        self, ids: Tensor, position_ids: Tensor, mask: Callable[[int | None], Tensor], cache: "Cache | None" = None
    ) -> Tensor:
        """Final hidden states, from which `head` makes logits.

        Args:
            ids: (B, T) int64.
            position_ids: (B, T) int64.
            mask: given a window (how many positions back a token may look; None for all), the mask to be added to the
                attention scores, (B, 1, T, C).
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
        """Logits by the model's own head, with its softcaps and scalings: (..., D) to (..., V), float32.

        The model itself runs, with a stand-in for its decoder that hands back `hidden`: so whatever an architecture
        does after its decoder is done here too.
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
