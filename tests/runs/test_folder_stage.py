from collections.abc import Callable
from pathlib import Path

import pytest
from story_run import make_model

from planish.errors import DataError
from planish.runs.folder_stage import FolderStage


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail_half_way(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise RuntimeError("killed")

    stage = FolderStage(tmp_path / "stage")
    with pytest.raises(RuntimeError, match="killed"):
        stage.make(fail_half_way)
    assert not stage.made.exists()
    assert not stage.is_closed
    stage.make(make_model)
    assert stage.is_closed
    stage.check()
    assert names(tmp_path / "stage") == [
        "done.json",
        "made",
        "made/config.json",
        "made/weights",
        "made/weights/layer",
    ]


def test_a_folder_that_was_not_closed_is_made_again(tmp_path: Path) -> None:
    stage = FolderStage(tmp_path)
    stage.make(make_model)
    (tmp_path / "done.json").unlink()
    (stage.made / "from an earlier attempt").write_text("")
    stage.make(make_model)
    assert "from an earlier attempt" not in names(stage.made)
    stage.check()


@pytest.mark.parametrize(
    "change",
    [
        lambda made: (made / "config.json").write_text("[]"),
        lambda made: (made / "config.json").unlink(),
        lambda made: (made / "config.json").rename(made / "settings.json"),
        lambda made: (made / "new").write_text(""),
        lambda made: (made.parent / "done.json").write_text("{"),
    ],
)
def test_a_finished_folder_that_was_changed_is_refused(tmp_path: Path, change: Callable[[Path], object]) -> None:
    stage = FolderStage(tmp_path)
    stage.make(make_model)
    change(stage.made)
    with pytest.raises(DataError, match="was changed after its stage was finished") as caught:
        stage.check()
    assert str(tmp_path) in caught.value.hint
