import pytest

from planish.cli.table import show_evidence, show_tables
from planish.prove.evidence import compare
from planish.recipes.outcome import Outcome
from planish.records.evidence import Evidence


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


def test_the_table_of_a_recipe_fits_a_terminal_and_names_what_each_line_was_measured_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = [("slop_per_1k_words", 112.7, 19.66), ("repetition", 0.0216, 0.0123), ("kl_per_token_reversed", 0.1, 0.114)]
    prose = "reference text"
    lines = [line(name, before, after) for name, before, after in long]
    lines.append(line("perplexity_reference", 21.24, 22.16, group=prose))
    show_evidence(Outcome(lines))
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 1 + len(lines) + 1, "no row is broken"
    assert all(len(row) <= 80 and "…" not in row for row in out)
    assert out[0].startswith("on held-out prompts")
    assert out[-2].startswith("on reference text")
    assert out[-1].startswith("perplexity_reference")


def test_a_name_that_is_too_long_is_still_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = "".join(f"part{number}" for number in range(12))
    show_evidence(Outcome([line(name, 112.7, 19.66)]))
    assert "".join(row.split()[0] for row in capsys.readouterr().out.splitlines()[1:]) == name


def line(name: str, before: float, after: float, group: str = "held-out prompts") -> Evidence:
    sides = ({str(number): [(figure * (1 + 0.1 * number), 1.0)] for number in range(120)} for figure in (before, after))
    return compare(name, "", "", *sides, better="lower", group=group)


def test_further_tables_are_shown_with_their_headings_and_nothing_in_them_is_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_tables(Outcome([], tables={"Other [red]trainings": [{"beta": "0.1", "[b]lift": 0.3456}]}))
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("Other [red]trainings", "beta", "[b]lift", "0.1", "0.346"))
