"""With TRL's losses too, neither processes nor passes change what is learned."""

from pathlib import Path
from typing import Any

import pytest
from launched import Result, launched

SCRIPT = """
import json
from pathlib import Path

import torch
from accelerate import PartialState

from planish.models.tiny import tiny_llama
from planish.train import dpo, sft
from planish.train.token_pairs import TokenPair


def ids(length: int, seed: int) -> tuple[int, ...]:
    return tuple(torch.randint(3, 250, (length,), generator=torch.Generator().manual_seed(seed)).tolist())


def pair(number: int) -> TokenPair:
    chosen, rejected = ids(1 + 5 * number % 7, 100 + number), ids(1 + 3 * number % 5, 200 + number)
    return TokenPair(ids(2 + number % 4, number), chosen, rejected)


class Killed(Exception):
    pass


TRAINERS = {"dpo": dpo._Dpo, "sft": sft._Sft}


def trained(given: dict) -> dict | None:
    kill_at, spoil_at = given.pop("kill_at", None), given.pop("spoil_at", None)
    folder, tuner = given.pop("folder", None), given.pop("tuner")
    pairs = [pair(number) for number in range(given.pop("rows"))]
    passes = []

    class Watched(TRAINERS[tuner]):
        def training_step(self, *args, **more):
            if self.state.global_step == kill_at:
                raise Killed
            return super().training_step(*args, **more)

        def compute_loss(self, *args, **more):
            passes.append(1)
            is_spoilt = self.state.global_step == spoil_at and PartialState().process_index == 0
            return super().compute_loss(*args, **more) * (torch.nan if is_spoilt else 1)

    folder = None if folder is None else Path(folder)
    try:
        if tuner == "dpo":
            dpo._Dpo = Watched
            tuned = dpo.train_dpo(tiny_llama(), pairs, dpo.DpoSettings.from_user(given), folder=folder)
        else:
            sft._Sft = Watched
            texts = [sft.Completion(pair.context, pair.chosen) for pair in pairs]
            tuned = sft.train_sft(tiny_llama(), texts, sft.SftSettings.from_user(given), folder=folder)
    except Killed:
        return None
    weights = [weight.detach().flatten() for weight in tuned.adapted.adapter.parameters() if weight.requires_grad]
    return {
        "processes": PartialState().num_processes,
        "passes": len(passes),
        "losses": [each.loss for each in tuned.steps],
        "norms": [each.gradient_norm for each in tuned.steps],
        "weights": torch.cat(weights).tolist(),
        "ended": tuned.ended,
    }


results = [trained(given) for given in json.loads(Path("given.json").read_text())]
Path(f"result-{PartialState().process_index}.json").write_text(json.dumps(results))
"""

RATE = 5e-4
WHOLE = {"rows": 23, "batch_size": 4, "epochs": 2, "learning_rate": RATE, "adapter": {"rank": 4}}
DPO = WHOLE | {"tuner": "dpo"}
LIKELIHOOD = DPO | {"likelihood": 1.0}
SFT = WHOLE | {"tuner": "sft"}
GIVEN: dict[str, dict[str, Any]] = {
    "the preference alone": DPO,
    "with the likelihood": LIKELIHOOD,
    "by the mean token": LIKELIHOOD | {"length_normalised": True, "beta": 3.0},
    "texts": SFT,
    "a pair a pass": LIKELIHOOD | {"pass_tokens": 1},
    "a text a pass": SFT | {"pass_tokens": 1},
    "some passes a process": LIKELIHOOD | {"pass_tokens": 30},
    "an odd batch": LIKELIHOOD | {"batch_size": 7},
    "fewer pairs in a step than processes": LIKELIHOOD | {"batch_size": 1, "rows": 9},
    "fewer texts in a step than processes": SFT | {"batch_size": 1, "rows": 9},
    "all at once": LIKELIHOOD | {"batch_size": 100, "epochs": 4},
    "checkpointed": LIKELIHOOD | {"checkpoint_activations": True},
}


@pytest.fixture(scope="module")
def by_one_and_two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Result, list[Result]]]:
    """Each training by one process and by two; libraries are loaded but once for all of them."""
    one, two = (
        launched(SCRIPT, tmp_path_factory.mktemp("processes"), processes, *GIVEN.values()) for processes in (1, 2)
    )
    return {name: (alone, both) for name, (alone,), both in zip(GIVEN, one, two, strict=True)}


def assert_same(found: Result, owed: Result) -> None:
    for name in ("losses", "norms"):
        assert found[name] == pytest.approx(owed[name], abs=1e-4, rel=1e-4), name
    assert found["ended"] == owed["ended"]
    # Where a gradient is but what rounding left, Adam goes its way at full speed all the same.
    apart = [abs(one - other) for one, other in zip(found["weights"], owed["weights"], strict=True)]
    assert max(apart) < RATE


def assert_learned_together(several: list[Result], alone: Result) -> None:
    assert [each["processes"] for each in several] == [len(several)] * len(several)
    for each in several:
        assert_same(each, alone)
        assert each["weights"] == several[0]["weights"]
        assert each["passes"] == several[0]["passes"], "one would wait for the other for ever"


@pytest.mark.slow
@pytest.mark.parametrize("name", GIVEN)
def test_two_processes_learn_what_one_does(name: str, by_one_and_two: dict[str, tuple[Result, list[Result]]]) -> None:
    one, both = by_one_and_two[name]
    assert one["processes"] == 1
    assert len(one["losses"]) > 1
    assert len(both) == 2
    assert_learned_together(both, one)


@pytest.mark.slow
def test_three_processes_learn_what_one_does_though_a_batch_is_none_of_their_multiples(
    tmp_path: Path, by_one_and_two: dict[str, tuple[Result, list[Result]]]
) -> None:
    names = ("with the likelihood", "texts")
    for name, three in zip(names, launched(SCRIPT, tmp_path, 3, *(GIVEN[name] for name in names)), strict=True):
        assert len(three) == 3
        assert_learned_together(three, by_one_and_two[name][0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["with the likelihood", "texts"])
def test_two_processes_go_on_where_they_were_killed(
    name: str, tmp_path: Path, by_one_and_two: dict[str, tuple[Result, list[Result]]]
) -> None:
    whole, _ = by_one_and_two[name]
    given = GIVEN[name] | {"folder": str(tmp_path / "checkpoints"), "save_every_min": 1e-9}
    # With less read at once, as someone does whose memory ran out.
    killed, resumed = launched(SCRIPT, tmp_path / "work", 2, given | {"kill_at": 4}, given | {"pass_tokens": 20})
    assert killed == [None, None]
    for each in resumed:
        assert_same(each, whole)


@pytest.mark.slow
@pytest.mark.parametrize("tuner", [DPO, SFT], ids=["dpo", "sft"])
def test_what_is_no_number_in_one_process_ends_all_of_them(tuner: dict[str, Any], tmp_path: Path) -> None:
    """None is left waiting for another that has ended."""
    (both,) = launched(SCRIPT, tmp_path, 2, tuner | {"pass_tokens": 20, "spoil_at": 2})
    assert both[0]["ended"] == both[1]["ended"]
    assert "step 3" in both[0]["ended"]
    assert both[0]["weights"] == both[1]["weights"]
