import copy

import pytest
import torch

from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import AdapterSettings, with_adapter
from planish.train.ftpo_settings import FtpoSettings
from planish.train.gaps import point_gaps


def paths() -> list[TokenPreferences]:
    """Longest first, so that passes read them in another order than they are given."""
    draws = torch.Generator().manual_seed(0)
    found = []
    for number, length in enumerate((30, 4, 17, 1)):
        points = tuple(
            Point(
                position=at,
                rejected=10 * number + at,
                chosen=tuple(range(100, 101 + at % 3)),
                chosen_probs=(),
                rule=f"rule {number}",
            )
            for at in range(length, 0, -2)
        )
        ids = tuple(torch.randint(3, 250, (length,), generator=draws).tolist())
        found.append(TokenPreferences(generation_id=f"g{number}", token_ids=ids, prompt_length=1, points=points))
    return found


@torch.no_grad()
def plain_gap(model: LanguageModel, path: TokenPreferences, point: Point) -> float:
    """Of its context alone."""
    logits = model.model(input_ids=torch.tensor([path.token_ids[: point.position]])).logits[0, -1].float()
    return float(logits[list(point.chosen)].mean() - logits[point.rejected])


@pytest.mark.parametrize("pass_tokens", [1, 40, 8192])
def test_every_gap_is_that_of_its_context_alone_and_in_its_place(
    pass_tokens: int, tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planish.train.gaps.FtpoSettings", lambda: FtpoSettings(pass_tokens=pass_tokens))
    other = tiny_llama(seed=5)
    gaps = point_gaps(tiny, other, paths())
    owed = [(path, point) for path in paths() for point in path.points]
    assert [(gap.generation_id, gap.position, gap.rejected, gap.rule) for gap in gaps] == [
        (path.generation_id, point.position, point.rejected, point.rule) for path, point in owed
    ]
    assert [gap.before for gap in gaps] == pytest.approx([plain_gap(tiny, *each) for each in owed], abs=1e-4)
    assert [gap.after for gap in gaps] == pytest.approx([plain_gap(other, *each) for each in owed], abs=1e-4)
    assert max(abs(gap.before - gap.after) for gap in gaps) > 1


def test_a_model_and_itself_are_nothing_apart(tiny: LanguageModel) -> None:
    untouched = with_adapter(tiny, AdapterSettings(rank=4))
    for after in (tiny, untouched.merged()):
        assert all(gap.before == gap.after for gap in point_gaps(tiny, after, paths()))


def test_a_difference_smaller_than_a_step_of_bfloat16_is_seen(tiny: LanguageModel) -> None:
    model = LanguageModel(copy.deepcopy(tiny.model).to(torch.bfloat16), tiny.tokenizer, "tiny")
    gaps = [gap.before for gap in point_gaps(model, model, paths())]
    assert any(gap != float(torch.tensor(gap).to(torch.bfloat16)) for gap in gaps)


def test_of_no_paths_there_are_no_gaps(tiny: LanguageModel) -> None:
    assert point_gaps(tiny, tiny, []) == []
