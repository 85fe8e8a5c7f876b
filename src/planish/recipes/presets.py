"""What a recipe does otherwise for a model that ships: it is far smaller than any other."""

import tomllib
from importlib.resources import files
from typing import Any

from planish import recipes


def preset(recipe: str, model: str) -> dict[str, Any]:
    """The settings that a recipe has for a model by its name, unchecked; none for most."""
    file = files(recipes).joinpath("presets", f"{recipe}-{model}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
