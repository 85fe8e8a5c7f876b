from pathlib import Path

import pytest

from planish.errors import UsageError
from planish.models.language_model import LanguageModel
from planish.recipes.made_model import made_model
from planish.recipes.outcome import Outcome
from planish.runs.run import Run


def finished_run(folder: Path, model: LanguageModel) -> None:
    with Run.start(folder, "antislop", {"model": "tiny"}, {}) as run:
        run.folder("train", lambda made: (made / "adapter").mkdir())
        run.folder("model", model.save)
        run.finish()


def test_a_run_stands_for_what_it_made(tiny: LanguageModel, tmp_path: Path) -> None:
    finished_run(tmp_path / "mine", tiny)
    made = str(tmp_path / "mine" / "stages" / "2-model" / "made")
    for name in ("mine", "latest", str(tmp_path / "mine")):
        assert made_model(name, tmp_path) == made


def test_a_saved_recipe_stands_for_its_model(tiny: LanguageModel, tmp_path: Path) -> None:
    Outcome([], model=tiny).save(tmp_path / "saved")
    assert made_model(str(tmp_path / "saved"), tmp_path) == str(tmp_path / "saved" / "model")


@pytest.mark.parametrize("name", ["bundled", "tiny", "owner/model", "./folder"])
def test_any_other_name_is_left_alone(tiny: LanguageModel, tmp_path: Path, name: str) -> None:
    finished_run(tmp_path / "bundled", tiny)
    assert made_model(name, tmp_path) == name


def test_a_folder_with_a_model_is_that_model(tiny: LanguageModel, tmp_path: Path) -> None:
    tiny.save(tmp_path)
    assert made_model(str(tmp_path), tmp_path / "runs") == str(tmp_path)


def test_a_run_without_a_model_says_how_to_go_on(tmp_path: Path) -> None:
    with Run.start(tmp_path / "mine", "antislop", {"model": "tiny"}, {}):
        pass
    for name in ("mine", "latest"):
        with pytest.raises(UsageError, match="no model yet") as error:
            made_model(name, tmp_path)
        assert str(tmp_path / "mine") in error.value.hint


def test_where_there_is_no_run_there_is_no_latest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="latest"):
        made_model("latest", tmp_path)
