"""What a checkpoint holds of the weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from frozen_libraries import frozen_libraries
from safetensors.torch import load_file
from torch import Tensor
from tuned_weights import flat_weights

from planish.models.language_model import LanguageModel
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import AdapterSettings
from planish.train.ftpo import train_ftpo
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import FTPOTrainer

_libraries_are_no_garbage = pytest.fixture(scope="module", autouse=True)(frozen_libraries)


class Killed(Exception):  # noqa: N818 - it stands for a kill
    pass


def many_paths() -> list[TokenPreferences]:
    draws = torch.Generator().manual_seed(0)
    return [
        TokenPreferences(
            generation_id=f"g{number}",
            token_ids=tuple(torch.randint(3, 250, (12,), generator=draws).tolist()),
            prompt_length=1,
            points=(Point(position=5, rejected=40, chosen=(100, 101), chosen_probs=(), rule="r"),),
        )
        for number in range(9)
    ]


@pytest.mark.parametrize("targets", [(), ("lm_head",)], ids=["all layers", "the head alone"])
def test_it_holds_the_adapter_alone_and_that_is_enough_to_go_on(
    targets: tuple[str, ...], tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = AdapterSettings(rank=4, targets=targets)
    settings = FtpoSettings(epochs=4, step_points=3, learning_rate=1e-3, save_every_min=1e-9, adapter=adapter)
    whole = train_ftpo(tiny, many_paths(), settings)
    plain = FTPOTrainer.training_step

    def killed(trainer: FTPOTrainer, *given: Any, **more: Any) -> Tensor:
        if trainer.state.global_step == 5:
            raise Killed
        return plain(trainer, *given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(FTPOTrainer, "training_step", killed)
        with pytest.raises(Killed):
            train_ftpo(tiny, many_paths(), settings, folder=tmp_path)
    (checkpoint,) = tmp_path.glob("checkpoint-*")
    saved = load_file(checkpoint / "adapter_model.safetensors")
    assert any("lm_head" in name for name in saved)
    assert not [name for name in saved if "lora_" not in name]
    resumed = train_ftpo(tiny, many_paths(), settings, folder=tmp_path)
    assert [step.loss for step in resumed.steps] == [step.loss for step in whole.steps]
    assert torch.equal(flat_weights(resumed), flat_weights(whole))
