"""The calls that AutoIF makes to models: of each its wording, how its reply begins, and how it is drawn."""

from collections.abc import Sequence
from typing import Any

from planish.recipes.prompt_template import prompt_template
from planish.records.reply import Request

# A list of cases begins so; a model that may go on from here writes nothing around them.
CASE = '{"response": "'
CODE = "```python\n"
# Judges and translators are to say what is likeliest; several samples of them still differ.
LOW_TEMPERATURE = 0.3


class Calls:
    """Requests to one model. The same arguments always give the same request, and so the same reply of a store."""

    def __init__(self, model: str, seed: int = 0) -> None:
        self._model = model
        self._seed = seed

    def new_instruction(self, query: str, examples: Sequence[str], samples: int = 1) -> Request:
        """Think of an instruction that goes with a query."""
        values = {"query": query, "examples": list(examples)}
        return self._request("new_instruction", values, samples, max_tokens=128)

    def rewrite_instructions(self, instructions: Sequence[str], count: int = 20, samples: int = 1) -> Request:
        """Think of so many instructions like others."""
        values = {"instructions": list(instructions), "count": count}
        return self._request("rewrite_instructions", values, samples, max_tokens=2048)

    def write_verifier(self, instruction: str, samples: int = 4) -> Request:
        """Write the program that checks an instruction."""
        return self._request("write_verifier", {"instruction": instruction}, samples, prefix=CODE)

    def write_cases_blind(self, instruction: str, count: int = 6, samples: int = 2) -> Request:
        """Write replies that follow an instruction or break it, without having seen any program."""
        values = {"instruction": instruction, "count": count}
        return self._request("write_cases_blind", values, samples, prefix=CASE)

    def write_cases_beside(self, instruction: str, code: str, count: int = 4, samples: int = 1) -> Request:
        """Write replies that may show a program to be wrong."""
        values = {"instruction": instruction, "code": code, "count": count}
        return self._request("write_cases_beside", values, samples, prefix=CASE)

    def back_translate(self, code: str, samples: int = 1) -> Request:
        """Say which instruction a program checks."""
        return self._request("back_translate", {"code": code}, samples, max_tokens=128, temperature=LOW_TEMPERATURE)

    def judge_same(self, first: str, second: str, samples: int = 1) -> Request:
        """Say whether two instructions ask for the same: yes or no."""
        values = {"first": first, "second": second}
        return self._request("judge_same", values, samples, max_tokens=16, temperature=LOW_TEMPERATURE)

    def judge_quality(self, query: str, instruction: str, response: str, samples: int = 1) -> Request:
        """Say how well a reply answers its query; the last line is `Score: n`, from 0 to 10."""
        values = {"query": query, "instruction": instruction, "response": response}
        return self._request("judge_quality", values, samples, max_tokens=512, temperature=LOW_TEMPERATURE)

    def answer(self, query: str, instruction: str, samples: int = 8) -> Request:
        """Answer a query under an instruction, without having seen any program."""
        return self._request("answer", {"query": query, "instruction": instruction}, samples)

    def _request(self, name: str, values: dict[str, Any], samples: int, **settings: Any) -> Request:
        return prompt_template(name).request(self._model, values, samples=samples, seed=self._seed, **settings)
