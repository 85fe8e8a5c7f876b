"""A recipe that does nothing, in place of the one that a verb calls."""

from typing import Any

import pytest

from planish.recipes.outcome import Outcome


def fake_recipe(verb: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the recipe of this verb is told, once it is called."""
    told: dict[str, Any] = {}

    def recipe(**settings: Any) -> Outcome:
        told.update(settings)
        return Outcome([])

    monkeypatch.setattr(f"planish.cli.{verb}.run_recipe", recipe)
    return told
