import pytest

from planish.cli.table import show_evidence
from planish.prove.evidence import compare
from planish.recipes.outcome import Outcome


def test_every_figure_and_note_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    before, after = ({prompt: [(figure, 1.0)] for prompt in "abcdefg"} for figure in (4.0, 1.0))
    lines = [
        compare("“[bold] lily”", "", "", before, after, better="lower"),
        compare("kl", "nats", "", {prompt: [(0.0, 1.0)] for prompt in before}, after, better="same", margin=0.2),
    ]
    show_evidence(Outcome(lines, notes=["[red] is a tag"]))
    out = capsys.readouterr().out.splitlines()
    slop, kl = (next(line for line in out if name in line) for name in ("“[bold] lily”", "kl"))
    for cell in ("4", "1", "-3 to -3", "-75%", "7", "better"):
        assert cell in slop.split("lily”")[1]
    assert "%" not in kl
    assert "changed" in kl
    assert "[red] is a tag" in out
