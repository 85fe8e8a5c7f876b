import os
import pty
import select
import signal
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import Planish

from planish.cli.review import Conversation
from planish.find.slop.examples import Example
from planish.find.slop.review import Review
from planish.records.ban_file import read_rules, write_rules
from planish.records.rule import BanRule, Overuse

OVERUSE = Overuse(
    count=41, texts=30, rate_per_1k_words=0.52, human_rate_per_1k_words=0.013, log_odds=3.7, z=9.0, q=1e-9
)
RULES = [
    BanRule(text="tapestry", reason="41 times in 30 of 96 texts", overuse=OVERUSE),
    BanRule(text="delve \x1b[31m[bold]"),
    BanRule(text="a+", kind="regex", strength=0.75),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_rules(tmp_path / "bans.jsonl", RULES)
    return tmp_path / "bans.jsonl"


def talk(path: Path, keys: str, lines: tuple[str, ...] = ()) -> None:
    """Go through the list with these keys; running out of them is a terminal that was closed."""
    given, answers = iter(keys), iter(lines)
    examples = [[Example("the rich ", "tapestry", " of\x07 life")], [], []]

    def read(queue: Iterator[str]) -> str:
        try:
            return next(queue)
        except StopIteration:
            raise EOFError from None

    Conversation(Review(path), examples, lambda: read(given), lambda asked: read(answers)).hold()


def test_every_answer_is_in_the_list_at_once(path: Path) -> None:
    talk(path, "kds", ("0.25",))
    assert read_rules(path) == [RULES[0], RULES[2].model_copy(update={"strength": 0.25})]
    assert Review(path).first_open() is None


def test_it_goes_on_where_it_was(path: Path) -> None:
    talk(path, "kq")
    talk(path, "d")
    assert [entry.answer for entry in Review(path).entries] == ["keep", "drop", None]


def test_going_back_asks_again_and_brings_back_what_was_dropped(path: Path) -> None:
    talk(path, "dkbbk")
    assert read_rules(path) == RULES
    assert [entry.answer for entry in Review(path).entries] == ["keep", "keep", None]


def test_before_the_first_rule_there_is_none(path: Path) -> None:
    talk(path, "bbd")
    assert read_rules(path) == RULES[1:]


def test_an_empty_strength_is_a_half_and_nonsense_is_asked_again(path: Path) -> None:
    talk(path, "ss", ("much", "0", "2", "nan", "", "1"))
    assert [entry.strength for entry in Review(path).entries] == [0.5, 1.0, None]


def test_other_keys_are_not_heard(path: Path) -> None:
    talk(path, "xy1\nD")
    assert [entry.answer for entry in Review(path).entries] == ["drop", None, None]


def test_a_rule_is_shown_with_its_reason_its_rates_and_where_it_stands(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk(path, "kkq")
    shown = capsys.readouterr().out
    for expected in (
        "1 of 3",
        "tapestry",
        "(phrase)",
        "41 times in 30 of 96 texts",
        "0.52 in 1,000 words; people 0.013",
    ):
        assert expected in shown
    assert "the rich tapestry of␇ life" in shown
    assert "(regex, strength 0.75)" in shown


def test_what_a_model_wrote_is_shown_and_not_obeyed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk(path, "kq")
    shown = capsys.readouterr().out
    assert "delve ␛[31m[bold]" in shown
    assert "\x1b[31m" not in shown


def test_without_a_terminal_it_says_what_to_type(planish: Planish, path: Path) -> None:
    assert "--drop" in planish.fails(2, "bans", "review", path)
    assert read_rules(path) == RULES


def test_answers_may_come_as_flags(planish: Planish, path: Path) -> None:
    ended = planish("bans", "review", path, "--drop", "tapestry", "--soften", "a+=0.5", "--keep", RULES[1].text)
    assert (ended.code, ended.out) == (0, f"1 rule kept, 1 dropped, 1 softened, 0 not reviewed yet: {path}\n")
    assert read_rules(path) == [RULES[1], RULES[2].model_copy(update={"strength": 0.5})]
    assert planish("bans", "review", path).code == 0


@pytest.mark.parametrize(
    "flags", [("--drop", "nothing"), ("--soften", "tapestry"), ("--soften", "tapestry=2"), ("--soften", "tapestry=x")]
)
def test_where_one_flag_is_off_none_counts(planish: Planish, path: Path, flags: tuple[str, str]) -> None:
    planish.fails(2, "bans", "review", path, "--keep", "a+", *flags)
    assert read_rules(path) == RULES
    assert Review(path).counts()["open"] == 3


def test_at_a_terminal_a_key_answers_and_a_kill_loses_none(path: Path) -> None:
    (path.parent / "texts.txt").write_text("A tapestry of light.\n", encoding="utf-8")
    command = [sys.executable, "-m", "planish.cli", "bans", "review", str(path)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*command, "--texts", str(path.parent / "texts.txt")])  # noqa: S606
    try:
        shown = until(terminal, "uit")
        assert "A tapestry of light." in shown.replace("\x1b[7m", "").replace("\x1b[0m", "")
        while termios.tcgetattr(terminal)[3] & termios.ICANON:  # what is typed before it listens is lost
            time.sleep(0.01)
        os.write(terminal, b"d")
        until(terminal, "2 of 3")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    assert read_rules(path) == RULES[1:]
    assert Review(path).first_open() == 1


def until(terminal: int, expected: str) -> str:
    """What the terminal shows, as soon as this is part of it."""
    shown, patience = "", time.monotonic() + 60
    while expected not in shown and time.monotonic() < patience:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    assert expected in shown
    return shown
