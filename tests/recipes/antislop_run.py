"""An antislop run small enough to be made many times, on a random model that has a few tics."""

from pathlib import Path
from typing import Any

from planish.recipes.antislop import antislop
from planish.recipes.antislop_settings import AntislopSettings
from planish.recipes.outcome import Outcome

# As little as leaves something to find: "r", "k" and two other letters.
SMALL: dict[str, Any] = {"limit": 12, "samples": 3, "sampling": {"max_tokens": 40}, "front": (0.5,)}
# Nothing that a model writes is so much more frequent than among people: the list is the user's own.
FIND_NOTHING = {"least_ratio": 1e9}
# What a resumed run may have otherwise: who wrote when.
TIMED = {"events.jsonl", "provenance.json", "lock"}
OWN_BEHAVIOUR = '''
from planish.records.score import Score
from planish.text.phrases import PhraseMatcher
from planish.text.span import longest_without_overlap
from planish.text.words import words


class LonelyLetters:
    """Some letters that stand alone."""

    name = "lonely_letters"
    version = "1"

    def matcher(self):
        return PhraseMatcher(["p", "h", "m"])

    def locate(self, texts):
        return [longest_without_overlap(self.matcher().locate(text)) for text in texts]

    def score(self, samples):
        found = self.locate([sample.text for sample in samples])
        return [
            Score(generation_id=sample.generation_id, behaviour=self.name, version="1", value=float(bool(spans)),
                  hits=len(spans), words=len(words(sample.text)), spans=tuple(spans))
            for sample, spans in zip(samples, found)
        ]
'''


def own_behaviour(folder: Path) -> str:
    """A user's file with a behaviour, as `--behaviour` takes it."""
    (folder / "letters.py").write_text(OWN_BEHAVIOUR, encoding="utf-8")
    return f"{folder / 'letters.py'}:LonelyLetters"


def small_run(folder: Path, **settings: Any) -> Outcome:
    return antislop(AntislopSettings.from_user({"model": "tiny", **SMALL, **settings}), folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run that must not depend on kills."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in TIMED]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
