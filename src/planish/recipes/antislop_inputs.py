"""What an antislop run reads before it writes anything: so a wrong path costs seconds and not hours."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import cast

from planish.errors import UsageError
from planish.find.behaviour import Bannable
from planish.find.human import HumanProfile
from planish.find.own import load_behaviour
from planish.models import bundled
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.prove.reference import reference_passages
from planish.recipes.antislop_settings import AntislopSettings
from planish.records.ban_file import read_rules
from planish.records.prompt import Prompt
from planish.records.prompt_file import read_prompts
from planish.records.prompt_split import Split, split_prompts
from planish.records.rule import BanRule
from planish.text.rules import RuleMatcher
from planish.train.gguf import find_converter

# Requests for stories.
OWN_PROMPTS = "story_requests.txt"


@dataclass(frozen=True)
class AntislopInputs:
    """`model` writes what is searched and banned; `subject` is trained and judged, and mostly the same model.

    `prompts.used` are learned from, `prompts.held_out` only judge. `rules` and `behaviour` are the user's own; `index`
    only judges.
    """

    model: LanguageModel
    subject: LanguageModel
    prompts: Split
    rules: list[BanRule]
    whitelist: frozenset[str]
    behaviour: Bannable | None
    human: HumanProfile
    index: list[BanRule]
    reference: list[str]
    baseline: str
    """Tells apart what `human` was counted on."""

    @property
    def fingerprint(self) -> dict[str, str]:
        """Tells apart inputs that stand under the same names: a run goes on only with the same."""
        prompts = [prompt.id for side in self.prompts for prompt in side]
        return {
            "model": self.model.model_hash,
            "subject": self.subject.model_hash,
            "template": self.model.template_hash,
            "prompts": _digest(prompts),
            "rules": _digest(rule.model_dump_json() for rule in self.rules),
            "index": _digest(rule.model_dump_json() for rule in self.index),
            "reference": _digest(self.reference),
            "baseline": self.baseline,
            "behaviour": "" if self.behaviour is None else self.behaviour.version,
        }


def read_inputs(
    settings: AntislopSettings, model: LanguageModel | None = None, prompts: list[Prompt] | None = None
) -> AntislopInputs:
    """Read everything that the settings name; a model or prompts that are already there are not read again.

    Raises:
        UsageError: a setting does not fit, or the two models have different tokenizers.
        DataError: a file is not there or is off; its line is named.
        ModelError: a model cannot be loaded.
    """
    split = split_prompts((_prompts(settings) if prompts is None else prompts)[: settings.limit])
    rules = [] if settings.ban is None else read_rules(Path(settings.ban))
    RuleMatcher(rule.pattern for rule in rules)  # refuses what cannot be matched
    behaviour = None if settings.behaviour is None else cast(Bannable, load_behaviour(settings.behaviour, Bannable))
    if settings.own_only and not rules and behaviour is None:
        raise UsageError("nothing of your own is there, and nothing else is looked for", "add --ban or --behaviour")
    if settings.own_only and settings.target == "human":
        raise UsageError("nobody knows how often people write what is only yours", "give a share: --set target=0.85")
    if settings.gguf is not None:
        find_converter()
    reference = reference_passages(None if settings.reference_text is None else Path(settings.reference_text))
    human = HumanProfile.bundled() if settings.baseline is None else HumanProfile.open(settings.baseline)
    baseline = "" if settings.baseline is None else _digest_of_file(Path(settings.baseline))
    model = model or load_model(settings.model, settings.device)
    subject = model if settings.tune_model is None else load_model(settings.tune_model, settings.device)
    model.require_same_tokenizer(subject)
    model.encode(split.used[0])  # a template that refuses the prompts says so now
    if settings.system is not None and not model.is_chat:
        raise UsageError(f"{model.name!r} has no chat template, so nobody reads --system", "leave --system out")
    return AntislopInputs(
        model=model,
        subject=subject,
        prompts=split,
        rules=rules,
        whitelist=frozenset(settings.whitelist) | model.template_words,
        behaviour=behaviour,
        human=human,
        index=bundled.slop_index_rules() if settings.index is None else read_rules(Path(settings.index)),
        reference=reference,
        baseline=baseline,
    )


def _prompts(settings: AntislopSettings) -> list[Prompt]:
    return read_prompts(
        settings.prompts or Path(str(files(bundled).joinpath(OWN_PROMPTS))),
        system=settings.system,
        template=settings.prompt_template,
        as_opening=settings.openings,
        first_words=settings.first_words,
        limit=settings.limit,
    )


def _digest_of_file(path: Path) -> str:
    if not path.is_file():
        raise UsageError(f"the baseline {path} is not a file", "give human texts, or a profile of some")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()
