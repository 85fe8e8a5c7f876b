from collections.abc import Sequence

import pytest

from planish.errors import ModelError
from planish.models.language_model import LanguageModel
from planish.records.prompt import Prompt, opening
from planish.steer.batch import Batch
from planish.steer.engine import Engine
from planish.steer.row import Row
from planish.steer.sampling import Sampling

PROMPTS = [opening(text) for text in ("Once", "Then", "word " * 600, "And")]


def in_order(engine: Engine, rows: Sequence[Row], prompts: Sequence[Prompt]) -> list[object]:
    places = {prompt.id: at for at, prompt in enumerate(prompts)}
    return [*engine.generations(sorted(rows, key=lambda row: (places[row.prompt.id], row.sample)))]


@pytest.mark.parametrize("batch_size", [1, 3, None])
def test_the_rows_are_those_of_the_engine(tiny: LanguageModel, batch_size: int | None) -> None:
    engine = Engine(tiny, sampling=Sampling(max_tokens=30), batch_size=batch_size)
    wanted = engine.generate(PROMPTS, samples=2, seed=5)
    assert in_order(engine, list(engine.write(PROMPTS, 2, 5)), PROMPTS) == wanted
    assert sum(row.status == "failed" for row in wanted) == 2


def test_a_row_is_handed_over_before_the_others_are_written(tiny: LanguageModel) -> None:
    engine = Engine(tiny, sampling=Sampling(max_tokens=30), batch_size=1)
    prompts = [opening("Once"), opening("Then")]
    begun = []
    plan = engine.plan()
    for row in engine.write(prompts, plan=plan):
        begun.append(row.prompt.id)
        if len(begun) == 1:
            break
    assert begun == [prompts[0].id]


@pytest.mark.parametrize("place", ["join", "step"])
def test_where_memory_runs_out_fewer_are_written_at_once(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    engine = Engine(tiny, sampling=Sampling(max_tokens=9), batch_size=8)
    wanted = engine.generate(PROMPTS, samples=2, seed=5)
    works = getattr(Batch, place)

    def fits_two(batch: Batch, *rows: Sequence[Row]) -> object:
        if len(batch.rows) + len(rows[0] if rows else ()) > 2:
            raise RuntimeError("CUDA out of memory")
        return works(batch, *rows)

    monkeypatch.setattr(Batch, place, fits_two)
    assert in_order(engine, list(engine.write(PROMPTS, 2, 5)), PROMPTS) == wanted

    def fits_none(*_: object) -> None:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(Batch, place, fits_none)
    with pytest.raises(ModelError, match="not even one row"):
        list(engine.write(PROMPTS, 2, 5))


def test_a_streamed_text_comes_in_pieces_and_is_the_text(tiny: LanguageModel) -> None:
    engine = Engine(tiny, sampling=Sampling(max_tokens=40))
    pieces = []
    words = engine.stream(PROMPTS[0], 5)
    try:
        while True:
            pieces.append(next(words))
    except StopIteration as end:
        row = end.value
    assert "".join(pieces) == row.text == engine.generate([PROMPTS[0]], seed=5)[0].text
    assert len(pieces) > 5


def test_a_prompt_that_cannot_be_decoded_has_no_words(tiny: LanguageModel) -> None:
    words = Engine(tiny).stream(PROMPTS[2])
    with pytest.raises(StopIteration) as end:
        next(words)
    assert end.value.value.finish == "failed"
