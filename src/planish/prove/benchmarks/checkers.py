"""lm-evaluation-harness's checkers of IFEval: without downloads, and without chance."""

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import nltk
from langdetect import DetectorFactory
from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktSentenceTokenizer

# It looks for NLTK's data when it is imported, and would download what it does not find.
with patch.object(nltk.data, "find"):
    from lm_eval.tasks.ifeval import instructions, instructions_registry, instructions_util, utils

Arguments = Mapping[str, Any]

# What counts sentences, or cuts a text into sentences before it cuts it into words.
NEED_PUNKT = frozenset({"change_case:capital_word_frequency", "length_constraints:number_sentences"})
LETTER_FREQUENCY = "keywords:letter_frequency"


def has_punkt() -> bool:
    """Whether NLTK's trained sentence splitter is on this machine."""
    try:
        nltk.data.find("tokenizers/punkt_tab/english/")
    except LookupError:
        return False
    return True


def asks_for_sign(instruction: str, arguments: Arguments) -> bool:
    """Whether it wants some sign that is no letter of the alphabet so and so often."""
    sign = arguments.get("letter")
    if instruction != LETTER_FREQUENCY or not isinstance(sign, str):
        return False
    return len(sign.strip()) == 1 and not "a" <= sign.strip().lower() <= "z"


def fault_of(instruction: str, arguments: Arguments) -> str:
    """Why an instruction cannot be checked; empty if it can.

    Where an argument is missing or impossible, lm-evaluation-harness draws one, and its score says nothing.
    """
    with _patched():
        if instruction not in instructions_registry.INSTRUCTION_DICT:
            return f"there is no instruction {instruction!r}"
        checker = instructions_registry.INSTRUCTION_DICT[instruction](instruction)
        given = {name: value for name, value in arguments.items() if value}
        before = random.getstate()
        try:
            checker.build_description(**given)
        except (TypeError, ValueError, AttributeError) as error:
            return f"{instruction}: {error}"
        drawn = random.getstate() != before
        random.setstate(before)
        missing = [name for name in checker.get_instruction_args_keys() if name not in given]
    if missing:
        return f"{instruction} has no {missing[0]!r}"
    return f"{instruction} has an impossible argument: {given}" if drawn else ""


def followed(
    prompt: str, ids: list[str], arguments: list[dict[str, Any]], response: str
) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """Which instructions of a prompt a response follows: strictly, and loosely."""
    given = utils.InputExample(key=0, instruction_id_list=ids, prompt=prompt, kwargs=arguments)
    with _patched():
        strict = utils.test_instruction_following_strict(given, response)
        loose = utils.test_instruction_following_loose(given, response)
    return tuple(map(bool, strict.follow_instruction_list)), tuple(map(bool, loose.follow_instruction_list))


class _AnySign(instructions.LetterFrequencyChecker):  # type: ignore[misc]
    """Counts the sign that is asked for; lm-evaluation-harness draws a letter where it is no letter."""

    def build_description(self, **arguments: Any) -> str:
        if not asks_for_sign(LETTER_FREQUENCY, arguments):
            return str(super().build_description(**arguments))
        description = str(super().build_description(**{**arguments, "letter": "a"}))
        self._letter = arguments["letter"].strip().lower()
        return description


@contextmanager
def _patched() -> Iterator[None]:
    """Within it, the same response always scores the same, whatever data NLTK has."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(DetectorFactory, "seed", 0))
        stack.enter_context(patch.dict(instructions_registry.INSTRUCTION_DICT, {LETTER_FREQUENCY: _AnySign}))
        if not has_punkt():
            untrained = PunktSentenceTokenizer()
            nltk_there = SimpleNamespace(tokenize=nltk.tokenize, word_tokenize=_words)
            stack.enter_context(patch.object(instructions_util, "nltk", nltk_there))
            stack.enter_context(patch.object(instructions_util, "_get_sentence_tokenizer", lambda: untrained))
        yield


def _words(text: str) -> list[str]:
    """As `nltk.word_tokenize` cuts, by the same splitter without what it learned of abbreviations."""
    cutter = NLTKWordTokenizer()
    return [word for sentence in PunktSentenceTokenizer().tokenize(text) for word in cutter.tokenize(sentence)]
