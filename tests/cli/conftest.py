from pathlib import Path

import pytest
from in_process import Planish


@pytest.fixture
def planish(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Planish:
    """The command line, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    return Planish(monkeypatch, capsys)
