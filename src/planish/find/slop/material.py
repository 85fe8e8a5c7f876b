"""Documents as numbers, with all that says what counts in which of them."""

from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from planish.text.corpus import Document
from planish.text.word_ids import BREAK, NumberedTexts, Numbers, number_words
from planish.text.words import FUNCTION_WORDS

Flags = NDArray[np.bool_]


class Prompts(NamedTuple):
    """Which texts were written for the same prompt; each without one counts as one of its own prompt.

    Attributes:
        of_text: (texts,) the number of each text's prompt.
        words: (prompts,) running words of all its texts.
        hashes: of those prompts that other material may have as well; they come first.
    """

    of_text: Numbers
    words: Numbers
    hashes: NDArray[np.uint64]


class Material(NamedTuple):
    """Texts in a row; what their prompts and function words are is looked up once.

    Attributes:
        numbered: the texts.
        bare: (words,) the number of each word without "'s": "Lily" is found in "Lily's" too, so they are one entry.
        telling: (N,) where a word stands that is neither a function word nor excused nor said by the text's own prompt.
        prompts: of the texts.
        characters: in all texts.
    """

    numbered: NumberedTexts
    bare: NDArray[np.int32]
    telling: Flags
    prompts: Prompts
    characters: int

    @classmethod
    def of(cls, documents: Sequence[Document], excused: Collection[str], prompt_ids: Sequence[str]) -> Self:
        """Number documents.

        Args:
            documents: texts with what their prompts say.
            excused: words that count nowhere.
            prompt_ids: which documents have the same prompt; empty where there is none.
        """
        sayings = {prompt: number for number, prompt in enumerate(dict.fromkeys(each.prompt for each in documents))}
        texts = [each.text for each in documents]
        both = number_words([*texts, *sayings])
        size = int(np.searchsorted(both.texts, len(texts)))
        words, bare = _bare(both.words)
        numbered = NumberedTexts(words, both.ids[:size], both.texts[:size], both.capital[:size])
        quiet = FUNCTION_WORDS.union(excused)
        telling_words = np.array([word not in quiet for word in words], dtype=bool)
        telling_words[BREAK] = False
        telling = telling_words[bare][numbered.ids]
        said_from = np.searchsorted(both.texts, len(texts) + np.arange(len(sayings) + 1))
        text_from = np.searchsorted(numbered.texts, np.arange(len(texts) + 1)).tolist()
        known = np.zeros(len(words), dtype=bool)
        for text, each in enumerate(documents):
            if not each.prompt:
                continue
            number = sayings[each.prompt]
            said = bare[both.ids[said_from[number] : said_from[number + 1]]]
            known[said] = True
            here = slice(text_from[text], text_from[text + 1])
            telling[here] &= ~known[bare[numbered.ids[here]]]
            known[said] = False
        running = np.bincount(numbered.texts[numbered.ids != BREAK], minlength=len(texts))
        return cls(numbered, bare, telling, _prompts(prompt_ids, running), sum(map(len, texts)))

    @property
    def words(self) -> int:
        """Running words."""
        return int(self.prompts.words.sum())

    @property
    def texts(self) -> int:
        """How many."""
        return len(self.prompts.of_text)


def _bare(words: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    """The words with those that are found in "'s" forms only, and the number of each word without it."""
    number = {word: at for at, word in enumerate(words)}
    bare = [number.setdefault(word.removesuffix("'s"), len(number)) for word in words]
    return list(number), np.array([*bare, *range(len(bare), len(number))], dtype=np.int32)


def _prompts(ids: Sequence[str], running: Numbers) -> Prompts:
    number = {each: at for at, each in enumerate(dict.fromkeys(filter(None, ids)))}
    own = iter(range(len(number), len(number) + len(ids)))
    of_text = np.array([number[each] if each else next(own) for each in ids], dtype=np.int64)
    words = np.bincount(of_text, weights=running, minlength=len(number)).astype(np.int64)
    hashes = b"".join(blake2b(each.encode(errors="surrogatepass"), digest_size=8).digest() for each in number)
    return Prompts(of_text, words, np.frombuffer(hashes, dtype=np.uint64))
