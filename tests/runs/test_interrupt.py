"""Ctrl+C, raised as the real signal."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from story_run import CONFIG, Line, block, blocks, contents, make_model

from planish.runs.event import RunEvent
from planish.runs.interrupt import Interrupted
from planish.runs.run import Run


def blocks_with_interrupts(first: int, presses: int) -> Iterator[list[Line]]:
    """Ctrl+C, so many times, while the second block is being made."""
    for number, rows in enumerate(blocks(first), start=first):
        if number == 1:
            for _ in range(presses):
                signal.raise_signal(signal.SIGINT)
        yield rows


def start(folder: Path, events: list[RunEvent] | None = None) -> Run:
    return Run.start(folder, "story", CONFIG, {}, None if events is None else events.append)


def test_the_first_finishes_the_block_and_says_how_to_go_on(tmp_path: Path) -> None:
    events: list[RunEvent] = []
    with pytest.raises(Interrupted) as caught, start(tmp_path / "run", events) as run:
        run.rows("plain", Line, lambda first: blocks_with_interrupts(first, presses=1))
    assert caught.value.exit_code == 130
    assert caught.value.hint == f"planish resume {tmp_path / 'run'}"
    assert [event.kind for event in events] == ["start", "begin", "block", "interrupt", "block", "stopped"]
    rows = (tmp_path / "run" / "stages" / "1-plain" / "rows.jsonl").read_text()
    assert rows == "".join(row.model_dump_json() + "\n" for row in block(0) + block(1))


def test_an_interrupted_run_goes_on_behind_the_block(tmp_path: Path) -> None:
    with pytest.raises(Interrupted), start(tmp_path / "stopped") as run:
        run.rows("plain", Line, lambda first: blocks_with_interrupts(first, presses=1))
    asked = []
    for name in ("stopped", "undisturbed"):
        with start(tmp_path / name) as run:
            run.rows("plain", Line, lambda first: asked.append(first) or blocks(first))  # type: ignore[func-returns-value]
    assert asked == [2, 0]
    assert contents(tmp_path / "stopped") == contents(tmp_path / "undisturbed")


def test_the_second_stops_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), start(tmp_path) as run:
        run.rows("plain", Line, lambda first: blocks_with_interrupts(first, presses=2))
    assert (tmp_path / "stages" / "1-plain" / "rows.jsonl").read_text() == ""  # the first block is an empty one
    assert not (tmp_path / "lock").exists()


def test_a_folder_at_hand_is_finished(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        make_model(folder)

    with pytest.raises(Interrupted), start(tmp_path) as run:
        run.folder("tuned", make)
    with start(tmp_path) as run:
        made = run.folder("tuned", lambda _: pytest.fail("it was made before"))
    assert (made / "config.json").exists()


def test_between_stages_nothing_new_is_begun(tmp_path: Path) -> None:
    with start(tmp_path) as run:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted):
            run.rows("plain", Line, lambda _: pytest.fail("a stage was begun"))


def test_ctrl_c_is_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with start(tmp_path):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_a_run_works_outside_the_main_thread(tmp_path: Path) -> None:
    read = []

    def work() -> None:
        with start(tmp_path) as run:
            read.extend(run.rows("plain", Line, blocks))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert read
