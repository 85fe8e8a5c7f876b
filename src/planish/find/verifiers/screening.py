"""What can be said against a verifier by reading it. It is about quality; safety is the sandbox's."""

import ast

from planish.find.verifiers.verifier import Reason, parsed

# The longest of the recorded verifiers has 2,000 characters.
MOST_CHARS = 20_000


def screen(source: str, most_chars: int = MOST_CHARS) -> Reason | None:
    """Why a source is not even tried; None where it defines one `evaluate` that takes one text."""
    if len(source) > most_chars:
        return Reason(code="too_long", words=f"its source has {len(source)} characters, more than {most_chars}")
    try:
        tree = parsed(source)
    except SyntaxError as error:
        return Reason(code="no_python", words=f"its source is no Python: {error}")
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "evaluate"]
    if len(functions) != 1:
        words = f"its source defines {len(functions)} functions `evaluate`"
        return Reason(code="several_evaluates" if functions else "no_evaluate", words=words)
    if not takes_one(functions[0]):
        return Reason(code="arguments", words="its `evaluate` does not take exactly one text")
    if name := _dunder(tree):
        return Reason(code="dunder", words=f"its source reaches for `{name}`")
    return None


def takes_one(function: ast.FunctionDef) -> bool:
    """Whether a function can be called with one positional argument."""
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    needs_names = any(default is None for default in arguments.kw_defaults)
    return required <= 1 and (positional >= 1 or arguments.vararg is not None) and not needs_names


def _dunder(tree: ast.Module) -> str | None:
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        # `if __name__ == "__main__"` is a habit, and does nothing here.
        if name.startswith("__") and name.endswith("__") and name != "__name__":
            return name
    return None
