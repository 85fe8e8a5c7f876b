import pytest

from planish.find.instructions.parts import lines, paragraphs, sentences


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("A b. C d! E?", ["A b.", "C d!", "E?"]),
        ("Dr. No met J. R. Smith. He left.", ["Dr. No met J. R. Smith.", "He left."]),
        ("It was I. So it was.", ["It was I.", "So it was."]),
        ("“Why?” he asked. “Go!” She went.", ["“Why?” he asked.", "“Go!”", "She went."]),
        ("so it was. then it was not.", ["so it was.", "then it was not."]),
        ("Well... so it was... Then no.", ["Well... so it was...", "Then no."]),
        ("1. One\n2. Two", ["One", "Two"]),
        ("- One. Two.\n# Three", ["One.", "Two.", "Three"]),
        ("It is 3.50 at a.com, e.g. here. Bye", ["It is 3.50 at a.com, e.g. here.", "Bye"]),
        ("At 5 p.m. he came. At 6 p.m. She left.", ["At 5 p.m. he came.", "At 6 p.m.", "She left."]),
        ("今日は。明日は?", ["今日は。", "明日は?"]),
        ("...\n***\n", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


def test_paragraphs_have_blank_lines_between_and_words_in_them() -> None:
    assert paragraphs("\nOne\ntwo\n \n\n***\n\nThree\n") == ["One\ntwo", "Three"]


def test_blank_lines_are_no_lines() -> None:
    assert lines("One\n \n\n  two\n") == ["One", "  two"]
