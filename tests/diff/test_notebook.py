import re
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "token_shifts.ipynb"


@pytest.fixture(scope="module")
def cells() -> list[Any]:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cells: list[Any], kind: str) -> list[str]:
    """What cells show of a kind."""
    outputs = [output for cell in cells for output in cell.outputs if output.output_type == "execute_result"]
    return [output.data[kind] for output in outputs if kind in output.data]


def test_the_notebook_runs_and_shows_the_texts_in_colour(cells: list[Any]) -> None:
    pages = shown(cells, "text/html")
    assert len(pages) == 3
    assert all("planish-shifts" in page and 'class="likelier"' in page for page in pages)


def test_the_lesson_became_likelier(cells: list[Any]) -> None:
    printed = "".join(output.text for cell in cells for output in cell.outputs if output.get("name") == "stdout")
    learned, elsewhere = (float(nats) for nats in re.findall(r": ([+-][\d.]+) nats", printed))
    assert learned > max(1, elsewhere)


def test_no_outputs_are_kept_in_the_file() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
