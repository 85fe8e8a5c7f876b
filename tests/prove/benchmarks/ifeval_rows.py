"""Each type of instruction of IFEval with arguments, a response that follows it, and one that does not."""

import json
from pathlib import Path
from typing import Any, NamedTuple


class Example(NamedTuple):
    name: str
    arguments: dict[str, Any]
    good: str
    bad: str


TWENTY = "one two three four five six seven eight nine ten " * 2
MANY = {"relation": "at least"}

EXAMPLES = [
    Example("keywords:existence", {"keywords": ["tea", "cup"]}, "A cup of tea.", "A mug of coffee."),
    Example("keywords:frequency", {"keyword": "tea", "frequency": 2, **MANY}, "Tea, more tea.", "Tea."),
    Example("keywords:forbidden_words", {"forbidden_words": ["tea"]}, "Coffee, teapots.", "Some tea."),
    Example(
        "keywords:letter_frequency", {"letter": "z", "let_frequency": 3, "let_relation": "at least"}, "Zzz.", "Zz."
    ),
    Example(
        "language:response_language",
        {"language": "de"},
        "Der Hund schläft heute auf dem alten Sofa und träumt von der Wiese.",
        "The dog sleeps on the old sofa today and dreams of the meadow.",
    ),
    Example("length_constraints:number_sentences", {"num_sentences": 3, **MANY}, "I ran. You sat. We fell.", "I ran."),
    Example("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One.\n***\nTwo.", "One."),
    Example("length_constraints:number_words", {"num_words": 20, **MANY}, TWENTY, "Too few."),
    Example(
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        "First this.\n\nThen that.",
        "First this.\n\nNow that.",
    ),
    Example("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name], [street]", "[name], street"),
    Example("detectable_content:postscript", {"postscript_marker": "P.S."}, "Hello.\nP.S. Bye.", "Hello. Bye."),
    Example("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* one\n* two", "* one"),
    Example("detectable_format:constrained_response", {}, "My answer is yes.", "Perhaps."),
    Example("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*one* and *two*", "*one* and two"),
    Example(
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        "Section 1\nOne.\nSection 2\nTwo.",
        "Section 1\nOne.",
    ),
    Example("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', "a = 1"),
    Example("detectable_format:title", {}, "<<Tea>>\nIs hot.", "Tea\nIs hot."),
    Example("combination:two_responses", {}, "Tea.\n******\nCoffee.", "Tea or coffee."),
    Example(
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Which drink?"},
        "Which drink? Tea.",
        "Tea.",
    ),
    Example("startend:end_checker", {"end_phrase": "That is all."}, "Tea. That is all.", "Tea. That is all, friends."),
    Example("startend:quotation", {}, '"Tea."', "Tea."),
    Example(
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "HOT and WET.",
        "HOT and wet.",
    ),
    Example(
        "change_case:english_capital",
        {},
        "WHAT WOULD YOU SAY IF I TOLD YOU THAT THERE IS NOTHING LIKE TEA WITH YOUR FRIENDS?",
        "The dog sleeps on the old sofa today.",
    ),
    Example(
        "change_case:english_lowercase",
        {},
        "the dog sleeps on the old sofa today and dreams.",
        "The dog sleeps on the old sofa today.",
    ),
    Example("punctuation:no_comma", {}, "Tea and milk.", "Tea, milk."),
]


def row(*examples: Example, prompt: str | None = None) -> dict[str, Any]:
    """A line of the data set with these instructions."""
    return {
        "key": 1,
        "prompt": prompt or f"Write of tea, and keep to: {', '.join(each.name for each in examples)}",
        "instruction_id_list": [each.name for each in examples],
        "kwargs": [each.arguments for each in examples],
    }


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path
