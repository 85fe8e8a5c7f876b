import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import nltk
import pytest
from ifeval_rows import EXAMPLES, Example
from langdetect import DetectorFactory

from planish.prove.benchmarks import checkers
from planish.prove.benchmarks.checkers import fault_of, followed

# Imported by name, and so only once the checkers have kept it from downloading.
registry = import_module("lm_eval.tasks.ifeval.instructions_registry").INSTRUCTION_DICT
instructions_util = import_module("lm_eval.tasks.ifeval.instructions_util")


@pytest.fixture(autouse=True)
def _without_nltks_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on every machine, whatever data NLTK has there."""
    monkeypatch.setattr(nltk.data, "path", [])


def kept(example: Example, response: str) -> tuple[bool, bool]:
    (strict,), (loose,) = followed("Write of tea.", [example.name], [example.arguments], response)
    return strict, loose


def test_there_is_an_example_of_every_type() -> None:
    assert {example.name for example in EXAMPLES} == set(registry)
    assert len(EXAMPLES) == 25


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_what_follows_an_instruction_passes_and_what_does_not_fails(example: Example) -> None:
    assert fault_of(example.name, example.arguments) == ""
    assert kept(example, example.good) == (True, True)
    assert kept(example, example.bad)[0] is False


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_empty_response_follows_nothing(example: Example) -> None:
    assert kept(example, " \n") == (False, False)


def test_the_loose_way_forgives_a_first_line_and_asterisks() -> None:
    example = Example("startend:quotation", {}, "", "")
    assert kept(example, 'Sure:\n*"Tea."*') == (False, True)


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.arguments], ids=lambda example: example.name)
def test_an_argument_that_is_missing_is_named_and_never_drawn(example: Example) -> None:
    for name in example.arguments:
        others: dict[str, Any] = {key: value for key, value in example.arguments.items() if key != name}
        for given in (others, {**others, name: None}):
            assert name in fault_of(example.name, given)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("keywords:letter_frequency", {"letter": "ab", "let_frequency": 2, "let_relation": "at least"}),
        ("keywords:frequency", {"keyword": "tea", "frequency": -1, "relation": "at least"}),
        ("keywords:frequency", {"keyword": "tea", "frequency": 1, "relation": "about"}),
        ("length_constraints:number_words", {"num_words": "ten", "relation": "at least"}),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "then"},
        ),
        ("punctuation:no_comma", {"num_words": 3}),
        ("punctuation:no_dots", {}),
    ],
)
def test_what_cannot_be_checked_is_said_and_nothing_is_drawn_of_the_users_chance(
    name: str, arguments: dict[str, Any]
) -> None:
    before = random.getstate()
    assert name in fault_of(name, arguments)
    assert random.getstate() == before


def test_a_sign_that_is_no_letter_is_the_one_that_is_counted() -> None:
    hashes = Example(
        "keywords:letter_frequency", {"letter": "#", "let_frequency": 4, "let_relation": "at least"}, "", ""
    )
    assert fault_of(hashes.name, hashes.arguments) == ""
    for _ in range(20):
        assert kept(hashes, "# # # #") == (True, True)
        assert kept(hashes, "# # # abcdefghijklmnopqrstuvwxyz") == (False, False)


def test_what_language_a_text_is_in_is_always_answered_the_same() -> None:
    unsure = Example("language:response_language", {"language": "de"}, "", "")
    texts = ["Hotel Bus Taxi", "so also nun in rest", "die man was here", "Radio Piano Solo"]
    for text in texts:
        assert len({kept(unsure, text) for _ in range(20)}) == 1


def test_without_nltks_data_the_splitter_is_the_untrained_one() -> None:
    assert not checkers.has_punkt()
    sentences = Example("length_constraints:number_sentences", {"num_sentences": 3, "relation": "at least"}, "", "")
    assert kept(sentences, "It cost 3.5 dollars. Really? Yes!")[0]
    assert not kept(sentences, "- one\n- two\n- three")[0]


def test_the_harness_is_left_as_it_was() -> None:
    before = dict(registry), instructions_util.nltk, DetectorFactory.seed
    for example in EXAMPLES:
        kept(example, example.good)
    assert (dict(registry), instructions_util.nltk, DetectorFactory.seed) == before


def test_importing_it_downloads_and_prints_nothing(tmp_path: Path) -> None:
    code = """
import nltk

def refuse(*_, **__):
    raise SystemExit("it downloads")

nltk.download = refuse
nltk.data.path[:] = []
import planish.prove.benchmarks.checkers
"""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
