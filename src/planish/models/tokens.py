"""What a model reads and writes: from a prompt to token ids, and from token ids to text."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from planish.errors import ModelError, UsageError
from planish.records.prompt import Prompt
from planish.text.words import words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNFINISHED = "\ufffd"


class Tokens:
    """A model's tokenizer, and what its configuration says about tokens. No weights."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", name: str, config: Any, generation_config: Any) -> None:
        self.tokenizer = tokenizer
        self.name = name
        self._config = config
        self._generation_config = generation_config
        self.pieces: dict[tuple[int, int], str] = {}
        """What a token adds to a text whose last token is another one: `Row` fills it in."""

    @property
    def is_chat(self) -> bool:
        """Whether it has a chat template."""
        return bool(self.tokenizer.chat_template)

    @property
    def tags(self) -> dict[str, int]:
        """Control tokens, name to id: they stand before a text and are never sampled. Kept in the model's config."""
        tags: dict[str, int] = getattr(self._config, "planish_tags", {})
        return tags

    @property
    def context(self) -> int:
        """How many tokens fit, prompt included."""
        return int(getattr(self._config, "max_position_embeddings", 2**31))

    @cached_property
    def byte_ids(self) -> frozenset[int]:
        """The tokens of one byte each, beside others of characters: how one looks depends on all bytes around it."""
        known = self.tokenizer.get_vocab()
        return frozenset(known[name] for byte in range(256) if (name := f"<0x{byte:02X}>") in known)

    @property
    def end_ids(self) -> frozenset[int]:
        """The tokens that end a text."""
        ends = getattr(self._generation_config, "eos_token_id", None)
        ends = self.tokenizer.eos_token_id if ends is None else ends
        return frozenset([] if ends is None else [ends] if isinstance(ends, int) else ends)

    @cached_property
    def template_hash(self) -> str:
        """Tells apart models that would see one prompt differently."""
        return hashlib.blake2b(str(self.tokenizer.chat_template or "documents").encode(), digest_size=8).hexdigest()

    @cached_property
    def template_words(self) -> frozenset[str]:
        """The words of its special tokens and of its chat template: nothing that a text should be blamed for."""
        rendered = [str(token) for token in self.tokenizer.all_special_tokens]
        if self.is_chat:
            turn = [{"role": "user", "content": ""}]
            rendered.append(str(self.tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)))
        return frozenset(word for text in rendered for word in words(text))

    def require_same_tokenizer(self, other: "Tokens") -> None:
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
        before = len(ids) if prompt.messages is not None else int(ids[:1] == [self.tokenizer.bos_token_id])
        return [*ids[:before], self.tags[prompt.tag], *ids[before:]]

    def _encode_content(self, prompt: Prompt) -> list[int]:
        if prompt.token_ids is not None:
            return list(prompt.token_ids)
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
