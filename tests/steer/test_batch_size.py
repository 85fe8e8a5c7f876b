from collections.abc import Sequence

import pytest
import torch
from random_models import DECODED, random_model

from planish.errors import ModelError
from planish.find.slop import Slop
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.records.generation import Generation
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.steer import batch_size
from planish.steer.ban import Ban
from planish.steer.batch_size import cache_bytes_per_token, fitting_batch_size, row_bytes
from planish.steer.cache import ColumnCache
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

PROMPTS = [opening("Hello"), opening("A rather long beginning, so that rows differ")]
CPU_OUT_OF_MEMORY = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "999999999 bytes. Error code 12 (Cannot allocate memory)"
)
CUDA_OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def engine(model: LanguageModel, rows: int | None = None) -> Engine:
    ban = Ban(Slop([BanRule(text=letter) for letter in "rmzb234"]))
    return Engine(model, [ban], Sampling(max_tokens=25, top_p=0.9), batch_size=rows)


def run_out(monkeypatch: pytest.MonkeyPatch, rows: int, columns: int, error: RuntimeError) -> None:
    """Memory that holds so many columns of all rows together, and no more."""
    plain = ColumnCache.feed

    def feed(self: ColumnCache, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        hidden = plain(self, tokens)
        if len(self.lengths) * max(self.lengths) > rows * columns:
            raise error
        return hidden

    monkeypatch.setattr(ColumnCache, "feed", feed)


# --- what is found


@pytest.mark.parametrize("name", DECODED)
def test_the_bytes_of_a_token_are_those_by_which_the_cache_grows(name: str) -> None:
    model = random_model(DECODED[name]())
    config = model.model.config
    shape = (config.num_hidden_layers, 2, config.num_key_value_heads, config.head_dim)
    assert cache_bytes_per_token(model) == torch.zeros(shape, dtype=model.model.dtype).nbytes


def test_rows_are_as_many_as_surely_fit_and_the_reason_says_so(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = batch_size.MOST_ROWS["cpu"]
    each = row_bytes(tiny, 100)
    for rows in (1, 5, most, 10 * most):
        monkeypatch.setattr(batch_size, "free_bytes", lambda _, rows=rows: int((rows + 0.5) * each / 0.4))
        found = fitting_batch_size([tiny], 100)
        assert found.rows == min(rows, most)
        assert found.reason.startswith(f"{found.rows} rows")
    monkeypatch.setattr(batch_size, "free_bytes", lambda _: 0)
    assert fitting_batch_size([tiny], 100).rows == 1


def test_longer_rows_and_companions_leave_room_for_fewer(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_size, "free_bytes", lambda _: 20_000_000)
    rows = fitting_batch_size([tiny], 500).rows
    assert rows > fitting_batch_size([tiny], 5000).rows
    assert rows > fitting_batch_size([tiny, tiny_llama(seed=1)], 500).rows


def test_where_nobody_knows_what_is_free_there_is_a_batch_size_too(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_size, "free_bytes", lambda _: None)
    assert "unknown" in fitting_batch_size([tiny], 500).reason


def test_an_engine_keeps_its_batch_size_with_the_reason(tiny: LanguageModel) -> None:
    found, asked = engine(tiny), engine(tiny, rows=3)
    assert found.generate(PROMPTS) == asked.generate(PROMPTS)
    assert found.size is not None
    assert asked.size is not None
    assert asked.size.rows == 3
    assert all(str(batch.rows) in batch.reason for batch in (found.size, asked.size))


# --- when memory runs out all the same


@pytest.mark.parametrize("error", [CPU_OUT_OF_MEMORY, CUDA_OUT_OF_MEMORY])
@pytest.mark.parametrize("asked", [None, 16])
def test_the_texts_are_the_same_when_memory_runs_out_on_the_way(
    tiny: LanguageModel, error: RuntimeError, asked: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough: list[Generation] = engine(tiny).generate(PROMPTS, samples=8, seed=2)
    run_out(monkeypatch, rows=5, columns=80, error=error)
    scarce = engine(tiny, asked)
    assert scarce.generate(PROMPTS, samples=8, seed=2) == enough
    assert any(text.events for text in enough)
    assert scarce.size is not None
    assert scarce.size.rows < 16
    assert "memory ran out" in scarce.size.reason
    # What has been learned is not learned twice.
    rows = scarce.size.rows
    scarce.generate(PROMPTS[:1])
    assert scarce.size.rows == rows


@pytest.mark.parametrize("error", [CPU_OUT_OF_MEMORY, CUDA_OUT_OF_MEMORY])
def test_when_not_even_one_row_fits_the_error_says_what_to_change(
    tiny: LanguageModel, error: RuntimeError, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out(monkeypatch, rows=1, columns=10, error=error)
    with pytest.raises(ModelError, match="not even one row") as raised:
        engine(tiny).generate(PROMPTS, samples=8)
    assert "GB" in raised.value.message
    assert raised.value.hint.count(",") == 2
    assert "--max-tokens" in raised.value.hint


def test_any_other_error_is_not_taken_for_one_of_memory(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    run_out(monkeypatch, rows=1, columns=10, error=RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        engine(tiny).generate(PROMPTS)
