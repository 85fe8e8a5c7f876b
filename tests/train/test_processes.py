"""Several processes learn what one does."""

import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_multi_gpu_env
from launched import Result, launched
from torch.distributed.fsdp import StateDictType
from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy

SCRIPT = """
import json
from pathlib import Path

import torch
from accelerate import PartialState

from planish.models.tiny import tiny_llama
from planish.records.preference import Point, TokenPreferences
from planish.train import ftpo
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import FTPOTrainer


def path(number: int) -> TokenPreferences:
    draws = torch.Generator().manual_seed(number)
    length = 6 + 5 * (number % 7)
    points = [
        Point(position=at, rejected=40 + at, chosen=(100, 101, 102)[: 1 + at % 3], chosen_probs=(), rule="r")
        for at in range(2, length, 3)
    ]
    return TokenPreferences(
        generation_id=f"g{number:02}",
        token_ids=tuple(torch.randint(3, 250, (length,), generator=draws).tolist()),
        prompt_length=1,
        points=tuple(points),
    )


class Killed(Exception):
    pass


def trained(given: dict) -> dict | None:
    kill_at, spoil_at = given.pop("kill_at", None), given.pop("spoil_at", None)
    folder = given.pop("folder", None)
    paths = [path(number) for number in range(given.pop("paths"))]
    passes = []

    class Watched(FTPOTrainer):
        def training_step(self, *args, **more):
            if self.state.global_step == kill_at:
                raise Killed
            return super().training_step(*args, **more)

        def compute_loss(self, *args, **more):
            passes.append(1)
            is_spoilt = self.state.global_step == spoil_at and PartialState().process_index == 0
            return super().compute_loss(*args, **more) * (torch.nan if is_spoilt else 1)

    ftpo.FTPOTrainer = Watched
    settings = FtpoSettings.from_user(given)
    try:
        tuned = ftpo.train_ftpo(tiny_llama(), paths, settings, folder=None if folder is None else Path(folder))
    except Killed:
        return None
    weights = [weight.detach().flatten() for weight in tuned.adapted.adapter.parameters() if weight.requires_grad]
    return {
        "processes": PartialState().num_processes,
        "passes": len(passes),
        "losses": [each.loss for each in tuned.steps],
        "norms": [each.gradient_norm for each in tuned.steps],
        "checks": [[each.step, each.win_rate, each.drift] for each in tuned.checks],
        "weights": torch.cat(weights).tolist(),
        "ended": tuned.ended,
    }


results = [trained(given) for given in json.loads(Path("given.json").read_text())]
Path(f"result-{PartialState().process_index}.json").write_text(json.dumps(results))
"""

RATE = 5e-4
WHOLE = {"paths": 23, "epochs": 2, "step_points": 40, "learning_rate": RATE, "enough": 1.0, "adapter": {"rank": 4}}
OTHERS: dict[str, dict[str, Any]] = {
    "an odd number of paths": {},
    "several passes a process": {"pass_tokens": 60},
    "fewer paths in a step than processes": {"step_points": 1, "epochs": 1, "paths": 9},
    "one path": {"paths": 1},
    "the head alone": {"adapter": {"rank": 4, "targets": ["lm_head"]}},
    "checkpointed, and layers left alone": {
        "adapter": {"rank": 4, "last_layers": 1, "targets": ["q_proj", "lm_head"]},
        "checkpoint_activations": True,
    },
}


@pytest.fixture(scope="module")
def by_one_and_two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Result, list[Result]]]:
    """Each training by one process and by two; libraries are loaded but once for all of them."""
    given = [WHOLE | other for other in OTHERS.values()]
    one, two = (launched(SCRIPT, tmp_path_factory.mktemp("processes"), processes, *given) for processes in (1, 2))
    return {name: (alone, both) for name, (alone,), both in zip(OTHERS, one, two, strict=True)}


def assert_same(found: Result, owed: Result) -> None:
    for name in ("losses", "norms"):
        assert found[name] == pytest.approx(owed[name], abs=1e-4, rel=1e-4), name
    assert [check[0] for check in found["checks"]] == [check[0] for check in owed["checks"]]
    for check, other in zip(found["checks"], owed["checks"], strict=True):
        assert check == pytest.approx(other, abs=1e-4)
    assert found["ended"] == owed["ended"]
    # Where a gradient is but what rounding left, Adam goes its way at full speed all the same: so do a few weights.
    apart = [abs(one - other) for one, other in zip(found["weights"], owed["weights"], strict=True)]
    assert max(apart) < RATE * len(found["losses"])


@pytest.mark.parametrize("name", OTHERS)
def test_two_processes_learn_what_one_does(name: str, by_one_and_two: dict[str, tuple[Result, list[Result]]]) -> None:
    one, both = by_one_and_two[name]
    assert one["processes"] == 1
    assert [each["processes"] for each in both] == [2, 2]
    for each in both:
        assert_same(each, one)
    assert both[0]["weights"] == both[1]["weights"]
    assert both[0]["passes"] == both[1]["passes"], "one would wait for the other for ever"
    assert len(one["losses"]) > 1
    assert bool(one["checks"]) == (name != "one path" and "fewer" not in name)


@pytest.mark.slow
def test_two_processes_go_on_where_they_were_killed(
    tmp_path: Path, by_one_and_two: dict[str, tuple[Result, list[Result]]]
) -> None:
    whole, _ = by_one_and_two["an odd number of paths"]
    given = WHOLE | {"folder": str(tmp_path / "checkpoints"), "save_every_min": 1e-9}
    killed, resumed = launched(SCRIPT, tmp_path / "work", 2, given | {"kill_at": 4}, given)
    assert killed == [None, None]
    for each in resumed:
        assert_same(each, whole)
        assert each["passes"] < whole["passes"]


def test_the_configuration_for_split_models_is_one_that_accelerate_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(files("planish.train") / "fsdp.yaml")
    config = load_config_from_file(path)
    assert config.distributed_type == DistributedType.FSDP
    parser = launch_command_parser()
    known = {action.dest for action in parser._actions}
    assert set(config.fsdp_config) <= known
    for action in parser._actions:
        if action.dest in config.fsdp_config and action.choices:
            assert str(config.fsdp_config[action.dest]) in action.choices
    monkeypatch.setattr(os, "environ", os.environ.copy())
    arguments, *_ = _validate_launch_command(parser.parse_args(["--config_file", path, "script.py"]))
    assert (arguments.use_fsdp, arguments.mixed_precision) == (True, "bf16")
    for name, value in prepare_multi_gpu_env(arguments).items():
        monkeypatch.setenv(name, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.state_dict_type == StateDictType.FULL_STATE_DICT
    assert plugin.auto_wrap_policy is transformer_auto_wrap_policy
    # The reference is worked out before weights are split, so every process needs all of them.
    assert plugin.cpu_ram_efficient_loading is False


@pytest.mark.slow
def test_what_is_no_number_in_one_process_ends_all_of_them(tmp_path: Path) -> None:
    """None is left waiting for another that has ended."""
    (both,) = launched(SCRIPT, tmp_path, 2, WHOLE | {"pass_tokens": 60, "spoil_at": 2})
    assert both[0]["ended"] == both[1]["ended"]
    assert "step 3" in both[0]["ended"]
    assert both[0]["weights"] == both[1]["weights"]
