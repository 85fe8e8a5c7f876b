"""What single tokens say: from a token to the text that it adds, and back."""

from functools import cached_property

from planish.models.tokens import UNFINISHED, Tokens

# A token decodes after this as it would within a text: some tokenizers take the space off the first one.
BEFORE = "a"


class TokenTexts:
    """The texts of a tokenizer's tokens."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._tokenizer = tokens.tokenizer
        self._before = self._tokenizer(BEFORE, add_special_tokens=False)["input_ids"][-1]
        self._texts: dict[int, str | None] = {}
        self._ids: dict[str, int | None] = {}

    def text(self, token: int) -> str | None:
        """What a token adds to a text; None if it adds nothing, or a part of a character."""
        if token not in self._texts:
            before, both = (self._tokens.decode(ids) for ids in ([self._before], [self._before, token]))
            text = both[len(before) :]
            self._texts[token] = None if not text or UNFINISHED in text else text
        return self._texts[token]

    def token(self, text: str) -> int | None:
        """The one token that adds this text; None if there is none.

        Of several it is the one that the tokenizer itself takes, else a whole one before a byte, and the lowest.
        """
        if text not in self._ids:
            alone = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            is_one = len(alone) == 1 and self.text(alone[0]) == text
            self._ids[text] = int(alone[0]) if is_one else self._by_text.get(text)
        return self._ids[text]

    @cached_property
    def _by_text(self) -> dict[str, int]:
        # Some tokenizers put a space before a text: what they make of it alone is another token, or two.
        ids = sorted(range(len(self._tokenizer)), key=lambda token: (token in self._tokens.byte_ids, token))
        found: dict[str, int] = {}
        for token in ids:
            text = self.text(token)
            if text is not None:
                found.setdefault(text, token)
        return found
