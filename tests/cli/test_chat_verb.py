import io
from collections.abc import Generator
from pathlib import Path

import pytest
from in_process import Planish

from planish.cli.terminal_text import harmless
from planish.models.language_model import LanguageModel
from planish.records.prompt import Message, Prompt
from planish.steer.contrast import Contrast, LogRatio, behind
from planish.steer.engine import Engine
from planish.steer.row import Row
from planish.steer.sampling import Sampling

SHORT = ["--max-tokens", 9, "--device", "cpu"]


def answer(model: LanguageModel, *turns: str, system: str | None = None) -> str:
    """What the model answers to turns that alternate between user and assistant."""
    said = [Message(role=("user", "assistant")[at % 2], content=turn) for at, turn in enumerate(turns)]
    front = [] if system is None else [Message(role="system", content=system)]
    return Engine(model, sampling=Sampling(max_tokens=9)).generate([Prompt(messages=(*front, *said))])[0].text


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> "Says":
    return Says(monkeypatch)


class Says:
    """Puts lines on standard input."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, *lines: str) -> None:
        self._monkeypatch.setattr("sys.stdin", io.StringIO("".join(line + "\n" for line in lines)))


def shown(*texts: str) -> str:
    return "".join(harmless(text) + "\n" for text in texts)


def test_every_turn_is_answered_with_the_ones_before_in_mind(planish: Planish, says: Says, tiny: LanguageModel) -> None:
    says("Hi", "", "And you?")
    ended = planish("chat", "tiny", *SHORT)
    first = answer(tiny, "Hi")
    assert (ended.code, ended.out) == (0, shown(first, answer(tiny, "Hi", first, "And you?")))
    assert "no steers" in ended.err


def test_a_reset_forgets_all_but_the_system_turn(planish: Planish, says: Says, tiny: LanguageModel) -> None:
    says("Hi", "/reset", "Hi")
    ended = planish("chat", "tiny", "--system", "Be brief.", *SHORT)
    assert ended.out == shown(*[answer(tiny, "Hi", system="Be brief.")] * 2)


def test_commands_are_not_answered_and_exit_leaves(planish: Planish, says: Says) -> None:
    says("/help", "/nothing", "/exit", "Hi")
    ended = planish("chat", "tiny", *SHORT)
    assert (ended.code, ended.out) == (0, "")
    assert "/reset" in ended.err
    assert "there is no /nothing" in ended.err


def test_an_answer_that_is_stopped_stays_as_far_as_it_was_shown(
    planish: Planish, says: Says, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Prompt] = []

    def stream(_: Engine, prompt: Prompt, __: int) -> Generator[str, None, Row]:
        seen.append(prompt)
        yield "So far"
        if len(seen) == 1:
            raise KeyboardInterrupt
        return Engine(tiny).row(prompt, 0, 0, Engine(tiny).plan())

    monkeypatch.setattr("planish.steer.engine.Engine.stream", stream)
    says("Hi", "Go on")
    ended = planish("chat", "tiny", *SHORT)
    assert ended.code == 0
    assert [turn.content for turn in seen[1].messages or ()] == ["Hi", "So far", "Go on"]


def test_ctrl_c_at_the_prompt_leaves(planish: Planish, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    assert planish("chat", "tiny", *SHORT).code == 130


def test_a_conversation_that_fills_the_context_says_so_and_goes_on(
    planish: Planish, says: Says, tiny: LanguageModel
) -> None:
    says("word " * 200, "Hi")
    ended = planish("chat", "tiny", *SHORT)
    assert "512 tokens" in ended.err
    assert ended.out == "\n" + shown(answer(tiny, "Hi"))


def test_the_steers_are_named_and_hold(planish: Planish, says: Says, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("re: [a-z]\n", encoding="utf-8")
    says("Hi")
    ended = planish("chat", "tiny", "--ban", "list.txt", "--max-tokens", 40, "--device", "cpu")
    assert "ban list.txt" in ended.err
    assert not any(char.isascii() and char.isalpha() for char in ended.out)


def test_a_contrast_with_all_its_options_holds(planish: Planish, says: Says, tiny: LanguageModel) -> None:
    says("Hi")
    steer = Contrast(None, LogRatio(strength=3, plausible=0.5), other_prompt=behind("Be gloomy."))
    turn = Prompt(messages=(Message(role="user", content="Hi"),))
    wanted = Engine(tiny, [steer], Sampling(max_tokens=9)).generate([turn])[0].text
    arguments = ["--contrast", "tiny", "--contrast-strength", 3, "--contrast-prompt", "Be gloomy."]
    ended = planish("chat", "tiny", *arguments, "--set", "contrast.plausible=0.5", *SHORT)
    assert ended.out == shown(wanted) != shown(answer(tiny, "Hi"))
    assert "contrast_prompt Be gloomy." in ended.err


def test_a_terminal_is_shown_signs_and_not_commands() -> None:
    assert harmless("a\tb\n") == "a\tb\n"
    assert harmless("\x1b[2J\r\x07\x7f\x9b1m\u202e") == "␛[2J␍␇␡<U+009B>1m<U+202E>"
