"""What a training by points says of what it chose."""

from typing import Any

import pytest
from frozen_libraries import frozen_libraries

from planish.models.language_model import LanguageModel
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import AdapterSettings
from planish.train.balance import BalanceSettings
from planish.train.ftpo import train_ftpo
from planish.train.ftpo_settings import FtpoSettings

_libraries_are_no_garbage = pytest.fixture(scope="module", autouse=True)(frozen_libraries)

ADAPTER = AdapterSettings(rank=4, targets=("lm_head",))


def texts(number: int) -> list[TokenPreferences]:
    """Of each text two points, and two more on a branch, of which the second is behind a rejected token."""

    def path(name: str, *, is_branch: bool) -> TokenPreferences:
        return TokenPreferences(
            generation_id=name,
            token_ids=tuple(range(3 + is_branch, 15)),
            prompt_length=1,
            is_branch=is_branch,
            points=tuple(
                Point(
                    position=at,
                    rejected=40,
                    chosen=(100, 101),
                    chosen_probs=(),
                    rule="r",
                    after_rejected=is_branch and at == 8,
                )
                for at in (4, 8)
            ),
        )

    return [path(f"g{at:02}", is_branch=is_branch) for at in range(number) for is_branch in (False, True)]


def choices(model: LanguageModel, number: int, **more: Any) -> str:
    settings = FtpoSettings.from_user({"epochs": 1, "adapter": ADAPTER, **more})
    return "\n".join(train_ftpo(model, texts(number), settings).choices)


def test_they_say_the_learning_rate_and_why_and_what_became_of_the_points(tiny: LanguageModel) -> None:
    said = choices(tiny, 12)
    assert f"learning rate: 0.001 = 1 × (0.13 / {tiny.width}, the model's width, at most 0.001)" in said
    assert "points: 36, 12 of them on abandoned branches; 12 dropped (12 × on an abandoned branch)" in said
    most = choices(tiny, 12, balance=BalanceSettings(most_points=30, branches="none"))
    assert "points: 24, 0 of them on abandoned branches; 24 dropped" in most
    assert "learning rate: 0.0005, as set" in choices(tiny, 12, learning_rate=5e-4)


def test_they_say_the_precision_that_was_not_set(tiny: LanguageModel) -> None:
    assert "computed in float32: cpu has no fast bfloat16" in choices(tiny, 12)
    assert "computed in" not in choices(tiny, 12, precision="float32")


@pytest.mark.parametrize(("number", "is_held_out"), [(9, False), (10, True)])
def test_where_nothing_is_held_out_nothing_ends_it_early(number: int, is_held_out: bool, tiny: LanguageModel) -> None:
    said = choices(tiny, number)
    assert ("nothing ends training early" in said) is not is_held_out
    assert ("fewer than 10 texts" in said) is not is_held_out
