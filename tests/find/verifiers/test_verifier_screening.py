import pytest

from planish.find.verifiers.screening import screen


@pytest.mark.parametrize(
    "source",
    [
        "def evaluate(response):\n    return True",
        "import re\n\ndef own(x):\n    return x\n\ndef evaluate(response: str, least: int = 3):\n    return True",
        "def evaluate(*parts):\n    return True",
        "def evaluate(response, /, *, least=1):\n    return True\n\nif __name__ == '__main__':\n    pass",
    ],
)
def test_one_function_of_one_text_is_let_pass(source: str) -> None:
    assert screen(source) is None


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("def evaluate(response)\n    return True", "no_python"),
        ("\0", "no_python"),
        ("(" * 5000, "no_python"),
        ("", "no_evaluate"),
        ("evaluate = len", "no_evaluate"),
        ("class A:\n    def evaluate(self):\n        return True", "no_evaluate"),
        ("async def evaluate(response):\n    return True", "no_evaluate"),
        ("def evaluate(a):\n    return True\ndef evaluate(a):\n    return False", "several_evaluates"),
        ("def evaluate():\n    return True", "arguments"),
        ("def evaluate(a, b):\n    return True", "arguments"),
        ("def evaluate(a, *, b):\n    return True", "arguments"),
        ("def evaluate(a):\n    return a.__class__", "dunder"),
        ("def evaluate(a):\n    return __import__('os')", "dunder"),
        ("x" * 20_001, "too_long"),
    ],
)
def test_what_cannot_be_used_has_its_own_code(source: str, code: str) -> None:
    reason = screen(source)
    assert reason is not None
    assert reason.code == code
    assert reason.words
