from pathlib import Path

from planish.find.instructions.kinds import KINDS
from planish.find.instructions.table import constraint_table

PAGE = Path(__file__).parents[3] / "docs" / "constraints.md"


def test_the_page_has_the_table_that_the_code_makes() -> None:
    assert PAGE.read_text(encoding="utf-8").endswith(constraint_table())


def test_every_kind_and_its_parameters_are_in_the_table() -> None:
    rows = [line for line in constraint_table().splitlines() if line.startswith("| `")]
    assert len(rows) == len(KINDS)
    for row, kind in zip(sorted(rows), sorted(KINDS.values(), key=lambda kind: f"| `{kind.name}`"), strict=True):
        assert row.startswith(f"| `{kind.name}` |")
        assert all(f"`{field}`" in row for field in kind.model_fields)
