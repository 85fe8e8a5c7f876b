"""Rows as HellaSwag has them, made up."""

from typing import Any

BEGINNINGS = [
    ("Baking", "A man is in a kitchen.", "he"),
    ("Cleaning a lamp", "[header] How to clean a lamp [title] Unplug it. [step] Wait.", ""),
    ("Skating", "Two girls stand on the ice.", "one of them"),
    ("Reading", "A dog sits by a fire. A boy opens a book.", "the boy"),
]
ENDINGS = [
    "takes a long spoon.",
    "reads [substeps] a  story to it.",
    "falls and laughs.",
    "waits until it is cold again.",
]


def hellaswag_row(number: int) -> dict[str, Any]:
    label, first, second = BEGINNINGS[number % len(BEGINNINGS)]
    turn = number % 4
    return {
        "ind": number,
        "activity_label": label,
        "ctx_a": f"{first} It is {number}.",
        "ctx_b": second,
        "ctx": f"{first} It is {number}. {second}",
        "endings": ENDINGS[turn:] + ENDINGS[:turn],
        "label": str(number * 7 % 4),
        "split": "val",
    }
