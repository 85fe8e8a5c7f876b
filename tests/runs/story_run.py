"""A recipe small enough to be killed many times. As a program: `story_run.py FOLDER [KILL_AT]`.

With KILL_AT, the process kills itself before the call of that number that `planish.runs` makes to the system or the
library underneath. Without, it prints how many there are.
"""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from planish.records.record import Record
from planish.runs.run import Run

CONFIG: Mapping[str, Any] = {"model": "stories260k", "seed": 7, "limit": None, "sampling": {"top_p": 0.9}}
# What a resumed run may have otherwise: who wrote when.
TIMED = {"events.jsonl", "provenance.json", "lock"}
BLOCKS = 5


class Line(Record):
    text: str
    status: Literal["ok", "failed"] = "ok"


def block(number: int) -> list[Line]:
    """Blocks differ in size, and one is empty; some text is no ASCII."""
    return [Line(text=f"{number}é{row}\n", status="failed" if row == 2 else "ok") for row in range(number % 4)]


def blocks(first: int) -> Iterator[list[Line]]:
    return (block(number) for number in range(first, BLOCKS))


def make_model(folder: Path) -> None:
    (folder / "weights").mkdir()
    (folder / "weights" / "layer").write_bytes(bytes(range(256)))
    (folder / "config.json").write_text("{}")


def story_run(folder: Path) -> None:
    with Run.start(folder, "story", CONFIG, {}) as run:
        plain = run.rows("plain", Line, blocks)
        run.folder("tuned", make_model)
        after = run.rows("after", Line, lambda first: ([Line(text=row.text.upper())] for row in plain[first:]))
        run.file("report.txt", "".join(row.text for row in after))
        run.finish()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run that must not depend on kills."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in TIMED]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def main(folder: str, kill_at: int = 0) -> None:
    calls = 0

    def count(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        if event == "c_call" and frame.f_globals["__name__"].startswith("planish.runs."):
            calls += 1
            if calls == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    story_run(Path(folder))
    sys.setprofile(None)
    print(calls)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
