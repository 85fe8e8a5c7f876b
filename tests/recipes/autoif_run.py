"""An autoif run small enough to be made many times, on a random model whose answers differ in a few things."""

from pathlib import Path
from typing import Any

from planish.recipes.autoif import autoif
from planish.recipes.autoif_settings import AutoifSettings
from planish.recipes.outcome import Outcome

KINDS = ("no_full_stops", 'no_letter{"letter": "f"}', 'shortest_sentence_at_least{"count": 6}', "no_apostrophes")
HELD_OUT_KINDS = ('no_letter{"letter": "m"}', "no_commas")
SMALL: dict[str, Any] = {
    "limit": 12,
    "samples": 6,
    "sampling": {"max_tokens": 24},
    "kinds": KINDS,
    "held_out_kinds": HELD_OUT_KINDS,
    "judged_kinds": 2,
    "judged_samples": 1,
    "dpo": {"epochs": 1},
}


def small_autoif(folder: Path, listener: Any = None, **settings: Any) -> Outcome:
    return autoif(AutoifSettings.from_user({"model": "tiny", **SMALL, **settings}), folder, listener)
