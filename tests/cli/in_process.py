"""The command line in this process."""

import pytest

from planish.cli import main


class Ended:
    """How the command ended, and what it printed."""

    def __init__(self, code: object, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


class Planish:
    """Runs the command line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> Ended:
        self._monkeypatch.setattr("sys.argv", ["planish", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Ended(ended.value.code or 0, *self._capsys.readouterr())

    def fails(self, code: int, *arguments: object) -> str:
        """Run something that cannot work: nothing on standard output, a line of what and a line of what next."""
        ended = self(*arguments)
        assert (ended.code, ended.out) == (code, "")
        what, following = ended.err.splitlines()[-2:]
        assert what.startswith("planish: ")
        assert following.startswith("  next: ")
        assert "Traceback" not in ended.err
        return what + "\n" + following
