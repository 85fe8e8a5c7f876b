"""A model that is asked for instructions, verifiers and cases, and replies what a test wants."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from planish.errors import ModelError
from planish.records.reply import Draw, Reply

NO_COMMAS, CAPITALS, FIVE_WORDS = (
    "Do not use any commas.",
    "Write it all in capital letters.",
    "Use exactly five words.",
)
# Where each call of ours can be told by.
CALLS = {
    "new_instruction": "Write the new demand",
    "rewrite_instructions": "new ones in the same spirit",
    "write_verifier": "Write a Python function",
    "write_cases_blind": "short replies on various subjects",
    "write_cases_beside": "This program is meant to decide",
    "back_translate": "What was the assistant told?",
    "judge_same": "Here are two demands",
    "judge_quality": "How well does the reply serve",
}
# Right programs, and texts that follow each instruction and that break it.
RIGHT = {NO_COMMAS: "',' not in response", CAPITALS: "response == response.upper()"}
RIGHT[FIVE_WORDS] = "len(response.split()) == 5"
GOOD = {
    NO_COMMAS: ["One two", "Red. Blue."],
    CAPITALS: ["HEY", "RED IS HOT"],
    FIVE_WORDS: ["a b c d e", "I am a red cat"],
}
BAD = {NO_COMMAS: ["One, two", "a,b"], CAPITALS: ["Hey", "RED IS hot"], FIVE_WORDS: ["a b c d", "I am a very red cat"]}

# What is said to a request of a call, for a draw's number; an exception fails the draw.
Script = Callable[[str, int], str]


def right_verifier(request: str, number: int) -> str:
    """A right program for the instruction, each of another source."""
    [text] = [text for text in RIGHT if text in request]
    return f"```python\ndef evaluate(response):\n    return ({RIGHT[text]}) and {number} == {number}\n```"


def right_cases(request: str, number: int) -> str:
    """Right cases for the instruction; each reply has its own."""
    [text] = [text for text in RIGHT if text in request]
    cases = [*((each, True) for each in GOOD[text]), *((each, False) for each in BAD[text])]
    return "\n".join(json.dumps({"response": each, "result": holds}) for each, holds in cases)


class Author:
    """Replies by a script for each call, and gives up after so many replies."""

    def __init__(self, scripts: Mapping[str, Script], most: int = 10_000) -> None:
        self.scripts = {
            "write_verifier": right_verifier,
            "write_cases_blind": right_cases,
            "write_cases_beside": right_cases,
            **scripts,
        }
        self.most = most
        self.asked: list[Draw] = []

    def say(self, request: str, number: int) -> str:
        """The reply to what a request says."""
        [name] = [name for name, words in CALLS.items() if words in request]
        return self.scripts[name](request, number)

    def replies(self, draws: Sequence[Draw]) -> Iterator[Reply]:
        """See `ReplySource`."""
        for draw in draws:
            if len(self.asked) == self.most:
                raise ModelError("no answer")
            self.asked.append(draw)
            try:
                yield draw.reply(self.say(draw.request.messages[-1].content, draw.sample), "stop")
            except LookupError as error:
                yield draw.failure(str(error))

    def count(self, call: str) -> int:
        """How often it was asked so."""
        return sum(draw.request.template.startswith(call) for draw in self.asked)
