"""What a recipe hands back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from planish.models.language_model import LanguageModel
from planish.models.value_head import ValueHead
from planish.records.evidence import Evidence
from planish.records.record import Record, write_records

VALUE_HEAD = "value_head.safetensors"


@dataclass(frozen=True)
class Outcome:
    """The before/after table, the model that a recipe made (None where weights stayed), and every row behind them."""

    evidence: Sequence[Evidence]
    model: LanguageModel | None = None
    rows: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    report: str = ""
    """A page for people, as HTML, where the recipe makes one."""
    folder: Path | None = None
    """The run that holds all of it, where there is one."""
    adapter: Path | None = None
    """The trained adapter alone, for `PeftModel.from_pretrained`."""
    head: ValueHead | None = None
    """What a cap foresees by, where the recipe fits one."""
    tables: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    """Further tables by their headings; the rows of one have the same keys, which head the columns."""

    def save(self, folder: Path) -> None:
        """Write all of it.

        The model to `model/`, the value head to `value_head.safetensors`, the report, and the rows, the evidence among
        them, to a JSONL file each.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for name, records in {**self.rows, "evidence": self.evidence}.items():
            write_records(folder / f"{name}.jsonl", records)
        if self.report:
            (folder / "report.html").write_text(self.report, encoding="utf-8")
        if self.model is not None:
            self.model.save(folder / "model")
        if self.head is not None:
            self.head.save(folder / VALUE_HEAD)
