from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from planish.errors import DataError, PlanishError, UsageError
from planish.find import own
from planish.find.behaviour import Bannable, Behaviour, Locatable
from planish.find.own import load_behaviour
from planish.records.prompt import opening
from planish.records.score import Sample, Score

SCORING = '''
from dataclasses import dataclass

from planish.records.score import Score


@dataclass
class Shouting:
    """How loud a text is."""

    name: str = "shouting"
    version: str = "1"

    def score(self, samples):
        return [
            Score(generation_id="", behaviour="shouting", version="1", value=float("!" in text), hits=0, words=1)
            for _, text, _ in samples
        ]


class Locating(Shouting):
    def locate(self, texts):
        return [[] for text in texts]


class Banning(Locating):
    def matcher(self):
        return None
'''
FAULTY = """
raised = ValueError


class NeedsMore:
    def __init__(self, threshold):
        self.threshold = threshold


class Broken:
    def __init__(self):
        raise ValueError("no word list\\nhere")


class Nameless:
    version = "1"

    def score(self, samples):
        return []


class Numbered(Nameless):
    name = "numbered"
    version = 2


class Scoreless:
    name = "scoreless"
    version = "1"
    score = None


value = 3
"""


@pytest.fixture
def scoring(tmp_path: Path) -> str:
    path = tmp_path / "shouting.py"
    path.write_text("from __future__ import annotations\n" + SCORING, encoding="utf-8")
    return str(path)


def error_of(name: str, needs: type = Behaviour) -> PlanishError:
    with pytest.raises(PlanishError) as caught:
        load_behaviour(name, needs)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


def test_a_behaviour_from_a_file_scores(scoring: str) -> None:
    behaviour = load_behaviour(f"{scoring}:Shouting")
    loud, quiet = behaviour.score([Sample(opening(""), "Stop!"), Sample(opening(""), "Stop.")])
    assert isinstance(loud, Score)
    assert isinstance(quiet, Score)
    assert (behaviour.name, loud.value, quiet.value) == ("shouting", 1, 0)


def test_what_is_needed_decides_what_is_asked(scoring: str) -> None:
    able = {"Shouting": 1, "Locating": 2, "Banning": 3}
    for name, number in able.items():
        for needed, needs in enumerate([Behaviour, Locatable, Bannable], start=1):
            if needed <= number:
                assert type(load_behaviour(f"{scoring}:{name}", needs)).__name__ == name
            else:
                missing = ["locate", "matcher"][number - 1]
                assert f"{name} lacks the method {missing}" in error_of(f"{scoring}:{name}", needs).message


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("NeedsMore", "cannot be made: TypeError: .*threshold"),
        ("Broken", "cannot be made: ValueError: no word list"),
        ("Nameless", "lacks the text name"),
        ("Numbered", "lacks the text version"),
        ("Scoreless", "lacks the method score"),
    ],
)
def test_a_faulty_class_is_named_with_its_fault(tmp_path: Path, name: str, reason: str) -> None:
    path = tmp_path / "faulty.py"
    path.write_text(FAULTY, encoding="utf-8")
    with pytest.raises(DataError, match=f"faulty.py:{name} {reason}"):
        load_behaviour(f"{path}:{name}")


@pytest.mark.parametrize("ending", ["", ":", ":Whisper", ":Score", ":dataclass"])
def test_a_class_that_is_not_there_is_answered_with_those_that_are(scoring: str, ending: str) -> None:
    if ending == ":Score":
        # Imported there, so it can be named; it is no behaviour.
        assert "cannot be made" in error_of(scoring + ending).message
        return
    error = error_of(scoring + ending)
    assert isinstance(error, UsageError)
    assert error.message.endswith("it has Shouting, Locating, Banning")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def (", "SyntaxError"),
        ("import no_such_package_anywhere", "no_such_package_anywhere"),
        ("raise SystemExit(0)", "SystemExit"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_with_its_own_error(tmp_path: Path, code: str, reason: str) -> None:
    path = tmp_path / "faulty.py"
    path.write_text(code, encoding="utf-8")
    message = error_of(f"{path}:Any").message
    assert str(path) in message
    assert reason in message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    for name in ("missing.py", "folder.py"):
        assert f"there is no file {tmp_path / name}" in error_of(f"{tmp_path / name}:Class").message


def test_a_file_is_not_mistaken_for_a_module_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "json.py"
    path.write_text(SCORING, encoding="utf-8")
    load_behaviour(f"{path}:Shouting")
    import json

    assert json.loads("1") == 1


def test_a_behaviour_of_an_installed_package_goes_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"gloom": "planish.find.sentiment:Negativity", "gone": "no_such_package_anywhere:Class", "odd": "math:pi"}
    installed = EntryPoints(EntryPoint(name, value, own.ENTRY_POINTS) for name, value in points.items())
    monkeypatch.setattr(own, "entry_points", lambda group: installed.select(group=group))
    assert load_behaviour("gloom").name == "negativity"
    assert "no_such_package_anywhere" in error_of("gone").message
    assert "not callable" in error_of("odd").message
    unknown = error_of("glom")
    assert isinstance(unknown, UsageError)
    assert "gloom, gone, loops, odd" in unknown.message


def test_a_built_in_behaviour_goes_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "entry_points", lambda group: EntryPoints())
    for name in own.BUILT_IN:
        assert load_behaviour(name, Bannable).name == name
    unknown = error_of("loop")
    assert isinstance(unknown, UsageError)
    assert "loops" in unknown.message
    assert "loops" in unknown.hint
