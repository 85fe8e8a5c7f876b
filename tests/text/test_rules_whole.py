"""Whole texts: the same spans as in a stream."""

import pytest
from cutting import in_pieces
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planish.text.pattern import Pattern
from planish.text.rules import RuleMatcher
from planish.text.span import Span

# Letters of two cases, also with a lower case of two characters, of another alphabet's two small forms and of ASCII;
# marks that stand on letters, words of one character, half characters, apostrophes, hyphens, underscores, white space.
CHARACTERS = "aAbkK\N{KELVIN SIGN}éÉßİiΣ\u03c3\u03c2\u0301眼\ud83d\ude00😀'’-_1 \n\u00a0.!”—,"
PHRASES = st.lists(
    st.builds(
        Pattern,
        st.text(CHARACTERS, max_size=5) | st.sampled_from(["run", "a b", "a-b", "_a", " a", "a. ", "—", "b'", "B’"]),
        kind=st.just("phrase"),
        case_sensitive=st.booleans(),
        inflections=st.booleans(),
        whole_words=st.booleans(),
    ),
    max_size=8,
)


@st.composite
def phrases_and_a_text(draw: st.DrawFn) -> tuple[list[Pattern], str]:
    """The text is made of the phrases in other cases, and of what stands around them."""
    rules = draw(PHRASES)
    written = [spelled for rule in rules for spelled in (rule.text, rule.text.upper(), rule.text.replace("'", "’"))]
    return rules, "".join(draw(st.lists(st.sampled_from([*written, *CHARACTERS]), max_size=20)))


PIECES = [
    "deep",
    "Breaths",
    "breath",
    "took",
    "the",
    "run",
    "ran",
    ".",
    "!”",
    "…",
    "\n",
    " ",
    " ",
    " ",
    "-",
    "’",
    "é",
    "眼",
    "İ",
]
SENTENCES = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
IN_SENTENCES = st.lists(
    st.sampled_from(
        [
            *(Pattern(text, "ngram") for text in ("deep breath", "took deep breath", "breath", "run deep breath")),
            *(Pattern(text, "ngram", inflections=True) for text in ("deep breath", "run breath")),
            *(
                Pattern(text, "regex")
                for text in (r"^\w+", r"breath$", r"took.*deep", r"\bthe\b", r"[.!…]$", "é", r"\s$")
            ),
            Pattern("B[a-z]+", "regex", case_sensitive=True),
            Pattern("took"),
        ]
    ),
    max_size=6,
)


def in_a_stream(rules: list[Pattern], text: str) -> list[Span]:
    return sorted(in_pieces(RuleMatcher(rules), text, []))


@given(phrases_and_a_text())
@example(([Pattern("kelvin")], "\N{KELVIN SIGN}elvin"))
@example(([Pattern("a b"), Pattern("A-B"), Pattern("a.b")], "a—b a b a-b éa b a bé"))
@example(([Pattern("a--"), Pattern("--a"), Pattern("a-")], "A"))
@example(([Pattern("Ab", case_sensitive=True)], "ab Ab"))
@example(([Pattern("\ud83d", whole_words=False)], "\ud83d"))
@example(([Pattern("a\ud800b"), Pattern("—"), Pattern("a")], "a\ud800b — a"))
def test_phrases_are_found_in_a_whole_text_as_in_a_stream(drawn: tuple[list[Pattern], str]) -> None:
    rules, text = drawn
    assert RuleMatcher(rules).locate(text) == in_a_stream(rules, text)


@given(IN_SENTENCES, SENTENCES)
@example([Pattern("deep breath", "ngram")], "deep 眼 breath")
@example([Pattern(r"^\w+", "regex")], "The. \n  Breath")
def test_ngrams_and_regexes_are_found_in_a_whole_text_as_in_a_stream(rules: list[Pattern], text: str) -> None:
    assert RuleMatcher(rules).locate(text) == in_a_stream(rules, text)


@given(IN_SENTENCES, st.lists(SENTENCES, min_size=1, max_size=4), st.integers(350, 450))
@example([Pattern("b$", "regex")], ["b" * 400 + "c"], 401)
@example([Pattern(r"x.*y\b", "regex")], ["x" + "z" * 398 + "y", "\n"], 400)
@settings(max_examples=50)
def test_so_they_are_in_sentences_as_long_as_what_is_looked_at_at_once(
    rules: list[Pattern], parts: list[str], length: int
) -> None:
    one, *rest = parts
    long = (one.translate(dict.fromkeys(map(ord, ".!…\n"))) or "deep breath ") * length
    text = "".join([long[:length], *rest])
    assert RuleMatcher(rules).locate(text) == in_a_stream(rules, text)


def test_of_rules_that_say_the_same_the_first_is_reported_in_a_whole_text() -> None:
    rules = [Pattern("Well’s "), Pattern("well's"), Pattern("WELL'S")]
    assert RuleMatcher(rules).locate("Well's") == [Span(0, 6, "Well’s")]


@pytest.mark.parametrize("kind", ["phrase", "ngram", "regex"])
def test_a_text_with_half_a_character_is_read_by_every_kind(kind: str) -> None:
    assert RuleMatcher([Pattern("breath", kind)]).locate("a \ud83d breath") == [Span(4, 10, "breath")]
