"""Find out what texts say too often, and how they differ: one source by itself, or several side by side."""

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from planish.errors import DataError, PlanishError, UsageError
from planish.find.human import HumanProfile
from planish.find.languages import detect_language, function_words
from planish.find.slop import Slop
from planish.find.slop.candidates import count_candidates
from planish.find.slop.discovery import LEAST_PROMPTS, overused
from planish.find.slop.family import compared, family
from planish.find.slop.profile import measure
from planish.models.bundled import slop_index_rules
from planish.recipes.find_report import report
from planish.recipes.find_settings import FindSettings
from planish.recipes.find_source import Source, open_source
from planish.records.ban_file import read_rules
from planish.records.corpus_profile import CorpusProfile, Rate
from planish.records.family import Family
from planish.records.rule import BanRule
from planish.runs.disk import explain_refusal, make_folder, replace_text
from planish.runs.event import RunEvent, now
from planish.text.corpus import Shard
from planish.text.words import words

# The language is told from the texts.
AUTO = "auto"
PROFILE, BANS = "profile.json", "bans.jsonl"
REPORT, FAMILY, TREE = "report.html", "family.json", "family.nwk"
# A list from fewer asks for fewer than what is sure to come again.
ENOUGH_PROMPTS = 2 * LEAST_PROMPTS


class Found(NamedTuple):
    """A profile a source, in the order of the sources; what they have in common, where there are several; the texts.

    `notes` say what was chosen automatically, and why, and of which lists one cannot be sure.
    """

    profiles: list[CorpusProfile]
    family: Family | None
    shards: list[Sequence[Shard]]
    notes: list[str]


def find(
    settings: FindSettings, folder: Path | None = None, listener: Callable[[RunEvent], None] | None = None
) -> Found:
    """What each source overuses, how often that and more stands in it, and what several sources share.

    Args:
        settings: everything there is to say.
        folder: is given what was found: a page; a profile and a ban file, of several sources in a folder each; their
            tree; and the texts that models wrote.
        listener: is called with every event.

    Raises:
        UsageError: the settings do not fit the sources, or the folder cannot be written.
        DataError: a source or a file is not there or off, or has no words.
        ModelError: a model cannot be loaded, or its server not be reached.
        PlanishError: a process was killed, as where memory ran out.
    """
    try:
        return _Find(settings, folder, listener).found()
    except BrokenProcessPool as error:
        hint = 'in a script, call it under if __name__ == "__main__":, or with processes=1'
        raise PlanishError("a process that was to read texts could not start, or was killed", hint) from error


class _Find:
    """The chain of stages: open, count, compare with people, measure."""

    def __init__(
        self, settings: FindSettings, folder: Path | None, listener: Callable[[RunEvent], None] | None
    ) -> None:
        self.settings = settings
        self.listener = listener
        self.processes = settings.processes or os.cpu_count() or 1
        self.index = Slop(slop_index_rules() if settings.index is None else read_rules(Path(settings.index)))
        self.names = _names(settings)
        self.folders = _folders(folder, self.names)
        self.folder = folder
        self.notes: list[str] = []
        self.baselines: dict[str, HumanProfile] = {}

    def found(self) -> Found:
        """Every list is found before anything is measured: each source is measured on what the others overuse, too."""
        sources = [
            open_source(source, name, self.settings, folder, self.say)
            for source, name, folder in zip(self.settings.sources, self.names, self.folders, strict=True)
        ]
        humans = [self._human(source) for source in sources]
        lists = {source.name: self._overused(source, human) for source, human in zip(sources, humans, strict=True)}
        texts = {name: [rule.text for rule in rules] for name, rules in lists.items()}
        common = compared(texts)
        profiles, rates = [], {}
        for source, human in zip(sources, humans, strict=True):
            profile, rates[source.name] = self._measure(source, human.language, lists[source.name], common)
            profiles.append(profile)
        related = family(texts, rates, self.settings.false_discovery_rate) if len(sources) > 1 else None
        found = Found(profiles, related, [source.shards for source in sources], self.notes)
        self._save(found)
        return found

    def _human(self, source: Source) -> HumanProfile:
        """The people with whom a source is compared: they speak its language."""
        language, baseline = self.settings.language, self.settings.baseline
        if language == AUTO:
            texts = (document.text for shard in source.shards for document in shard.documents(Counter()))
            language, reason = detect_language(texts)
            self.notes.append(f"{source.name}: {reason}")
        if baseline is None:
            return HumanProfile.of_language(language)
        if language not in self.baselines:
            self.baselines[language] = HumanProfile.open(baseline, language)
        human = self.baselines[language]
        if human.language != language:
            raise UsageError(
                f"{baseline} is a profile of the language {human.language!r}, and {source.name} is {language!r}",
                f"give a baseline in {language!r}, or --language {human.language}",
            )
        return human

    def _overused(self, source: Source, human: HumanProfile) -> list[BanRule]:
        settings = self.settings
        allowed = {*settings.whitelist, *source.known}
        # A word that is excused counts in no phrase either.
        excused = {said[0] for said in map(words, allowed) if len(said) == 1} | function_words(human.language)
        self.say("begin", f"count {source.name}")
        counts = count_candidates(source.shards, settings.least_share, excused, self.processes)
        self.say("end", f"count {source.name}", rows=counts.texts)
        if not counts.words:
            raise DataError(f"{source.name} holds no words", "give texts, or name their column with --text-column")
        limits = settings.least_ratio, settings.false_discovery_rate
        rules = overused(counts, human, *limits, allowed, names=settings.names, least_prompts=settings.least_prompts)
        if rules and counts.prompts < ENOUGH_PROMPTS:
            kind = "prompts" if counts.prompts < counts.texts else "texts"
            self.notes.append(
                f"{source.name}: the list is from {counts.prompts} {kind} only; much of it may not come again in others"
            )
        return rules

    def _measure(
        self, source: Source, language: str, rules: Sequence[BanRule], common: Sequence[str]
    ) -> tuple[CorpusProfile, dict[str, Rate]]:
        """The profile, and the rates of what any source overuses."""
        own = {rule.text for rule in rules}
        others = [BanRule(text=text) for text in common if text not in own]
        self.say("begin", f"measure {source.name}")
        measured = measure(
            source.shards,
            [*rules, *others],
            self.index.rules,
            processes=self.processes,
            seed=self.settings.seed,
        )
        self.say("end", f"measure {source.name}", rows=measured.texts)
        profile = CorpusProfile(
            source=source.name,
            language=language,
            texts=measured.texts,
            words=measured.words,
            characters=measured.characters,
            left_out=Counter(source.left_out) + Counter(measured.left_out),
            overused=tuple(rules),
            overused_rates=measured.rates[: len(rules)],
            index=measured.index_rate,
            index_version=self.index.version,
            structures=measured.structures,
            figures=measured.figures,
        )
        return profile, {rate.name: rate for rate in measured.rates}

    def _save(self, found: Found) -> None:
        if self.folder is None:
            return
        for folder, profile in zip(self.folders, found.profiles, strict=True):
            _write(folder, PROFILE, profile.model_dump_json(indent=1) + "\n")
            _write(folder, BANS, "".join(rule.model_dump_json() + "\n" for rule in profile.overused))
        if found.family is not None:
            _write(self.folder, FAMILY, found.family.model_dump_json(indent=1) + "\n")
            _write(self.folder, TREE, found.family.newick + "\n")
        _write(self.folder, REPORT, report(found, self.settings))

    def say(self, kind: str, stage: str, **figures: object) -> None:
        """Tell the listener that something happened."""
        if self.listener is not None:
            self.listener(RunEvent(now(), kind, stage, figures))


def _names(settings: FindSettings) -> list[str]:
    """What the sources are called.

    Raises:
        UsageError: there are more or fewer names than sources, or two sources have one name.
    """
    names = list(settings.labels) or [_own_name(source) for source in settings.sources]
    if not settings.labels and len(set(names)) < len(names):
        names = list(settings.sources)
    if len(names) != len(settings.sources):
        raise UsageError(
            f"{len(names)} labels for {len(settings.sources)} sources", "give one for each, in their order"
        )
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise UsageError(f"two sources are called {twice[0]!r}", "tell them apart by labels, one for each source")
    return names


def _own_name(source: str) -> str:
    """Of a file or a folder its last part; of what is on the Hub all of it."""
    return Path(source).resolve().name if Path(source).exists() else source


def _folders(folder: Path | None, names: Sequence[str]) -> list[Path | None]:
    """Where what was found of each source goes; all of it into one folder where there is only one source."""
    if folder is None or len(names) == 1:
        return [folder] * len(names)
    own = [re.sub(r"[^\w.-]+", "-", name).strip(".-") or "source" for name in names]
    return [folder / (name if own.count(name) == 1 else f"{number}-{name}") for number, name in enumerate(own, start=1)]


def _write(folder: Path | None, name: str, text: str) -> None:
    if folder is not None:
        with explain_refusal(folder):
            make_folder(folder)
            replace_text(folder / name, text)
