"""What an autoif run reads before it writes anything: so a wrong path costs seconds and not hours."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from planish.errors import DataError, MissingPackageError, UsageError
from planish.models import bundled
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.prove.reference import reference_passages
from planish.recipes.antislop_inputs import OWN_PROMPTS
from planish.recipes.asked_prompts import Kinds, kinds_of
from planish.recipes.autoif_settings import AutoifSettings
from planish.recipes.bench import NEEDED
from planish.recipes.generator import SELF
from planish.records.prompt import Message, Prompt
from planish.records.prompt_file import read_prompts
from planish.records.prompt_split import Split, split_prompts
from planish.records.queries import read_queries
from planish.train.gguf import find_converter

# In characters: no query is longer.
LONGEST_QUERY = 4000


@dataclass(frozen=True)
class AutoifInputs:
    """`queries.used` are learned from, `queries.held_out` only judge; none of them asks for anything yet."""

    model: LanguageModel
    queries: Split
    kinds: Kinds
    reference: list[str]
    notes: list[str]

    @property
    def fingerprint(self) -> dict[str, str]:
        """Tells apart inputs that stand under the same names: a run goes on only with the same."""
        return {
            "model": self.model.model_hash,
            "template": self.model.template_hash,
            "prompts": _digest(prompt.id for side in self.queries for prompt in side),
            "reference": _digest(self.reference),
        }


def read_inputs(settings: AutoifSettings) -> AutoifInputs:
    """Read everything that the settings name.

    Raises:
        UsageError: a setting does not fit.
        DataError: a file is not there or is off; its line is named.
        ModelError: the model cannot be loaded.
    """
    _refuse_idle(settings)
    _require_benchmarks(settings)
    kinds = kinds_of(settings.kinds, settings.held_out_kinds)
    prompts, notes = _queries(settings)
    queries = split_prompts(prompts[: settings.limit])
    if settings.gguf is not None:
        find_converter()
    reference = reference_passages(None if settings.reference_text is None else Path(settings.reference_text))
    model = load_model(settings.model, settings.device)
    model.encode(queries.used[0])  # a template that refuses the prompts says so now
    if settings.system is not None and not model.is_chat:
        raise UsageError(f"{model.name!r} has no chat template, so nobody reads a system turn", "leave system out")
    return AutoifInputs(model, queries, kinds, reference, notes)


def _refuse_idle(settings: AutoifSettings) -> None:
    """Refuse settings that would do nothing beside others."""
    is_written = settings.instructions == "written"
    if settings.crossed and is_written:
        raise UsageError(
            "answers are crossed under built-in constraints only", "--set crossed=false, or leave instructions built-in"
        )
    if settings.generator != SELF and not is_written:
        raise UsageError(
            f"generator = {settings.generator!r}: nobody writes built-in constraints",
            "--instructions written, or leave generator out",
        )
    for key in ("most_constraints", "near_misses", "relaxed"):
        value, usual = getattr(settings, key), AutoifSettings.model_fields[key].default
        if value != usual and (settings.crossed or is_written):
            why = "answers are crossed" if settings.crossed else "instructions are written"
            raise UsageError(f"{key} = {value} does nothing where {why}", f"leave {key} out, or --set {key}={usual}")


def _require_benchmarks(settings: AutoifSettings) -> None:
    """They come last: what they need is looked for now."""
    for package in NEEDED if settings.benchmarks else ():
        if find_spec(package) is None:
            raise MissingPackageError(package)
    for name in settings.benchmarks:
        path = {"ifeval": settings.ifeval, "hellaswag": settings.hellaswag}[name]
        if path is not None and not path.is_file():
            raise DataError(f"{name}: there is no file {path}", "check the path")


def _queries(settings: AutoifSettings) -> tuple[list[Prompt], list[str]]:
    """What people asked, and what was skipped."""
    if settings.prompts is None or not Path(settings.prompts).is_file():
        path = settings.prompts or Path(str(files(bundled).joinpath(OWN_PROMPTS)))
        return read_prompts(path, system=settings.system, limit=settings.limit), []
    found = read_queries(Path(settings.prompts), most_characters=LONGEST_QUERY, limit=settings.limit)
    before = () if settings.system is None else (Message(role="system", content=settings.system),)
    prompts = [Prompt(messages=(*before, Message(role="user", content=text))) for text in found.texts]
    skipped = [f"{count} rows of {settings.prompts}: {reason}" for reason, count in found.skipped.most_common()]
    return prompts, [f"skipped: {line}" for line in skipped]


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()
