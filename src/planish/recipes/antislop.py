"""Take a model's verbal tics out of its weights, and show what that did to texts it was not trained on."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from planish.errors import DataError
from planish.find.behaviour import Bannable, Locatable
from planish.find.refusals import Refusals
from planish.find.slop import Slop, find_slop
from planish.models.language_model import LanguageModel
from planish.prove.evidence import samples_of, score_all
from planish.prove.plot import before_after_svg
from planish.prove.slop_evidence import antislop_evidence, slop_rate
from planish.recipes.antislop_inputs import AntislopInputs, read_inputs
from planish.recipes.antislop_report import card, iteration_row, iterations_csv, report, rules_jsonl, target_name
from planish.recipes.antislop_rows import counted, pairs_of, points_of, refuse_unmet, write_for_others
from planish.recipes.antislop_settings import STAGES, AntislopSettings
from planish.recipes.engine_settings import LOCAL
from planish.recipes.outcome import Outcome
from planish.recipes.strength import at_strength, weakest_enough
from planish.recipes.texts import write_texts
from planish.recipes.trained_model import ADAPTER, save_trained
from planish.recipes.training import CHECKPOINTS, Training, checkpoint_folder, read_training, write_training
from planish.recipes.writer import TextEngine, Writer
from planish.records.evidence import Evidence
from planish.records.generation import Generation, successes
from planish.records.preference import CompletionPreference, TokenPreferences
from planish.records.prompt import Prompt
from planish.records.rule import BanRule
from planish.records.score import Sample
from planish.records.training import PointGap
from planish.runs.event import RunEvent
from planish.runs.layout import is_finished
from planish.runs.run import Run
from planish.steer.ban import Ban
from planish.steer.engine import Engine
from planish.train.adapter import Adapted, load_adapter
from planish.train.dpo import train_dpo
from planish.train.ftpo import train_ftpo
from planish.train.gaps import point_gaps
from planish.train.presets import with_preset

# What a server says that was started for the run.
SERVER_LOG = "server.log"
# A text that refuses is nobody's style.
REFUSED = 0.5


def antislop(
    settings: AntislopSettings,
    folder: Path,
    listener: Callable[[RunEvent], None] | None = None,
    model: LanguageModel | None = None,
    prompts: list[Prompt] | None = None,
) -> Outcome:
    """Find what a model overuses, ban it while it writes again, and train the model to write the same by itself.

    The engine of the settings writes the texts to learn from, plain and banned; the local engine writes those that are
    compared: see `Writer`.

    Args:
        settings: everything there is to say.
        folder: the run: new, or one with the same settings, which goes on.
        listener: is called with every event of the run.
        model: the model of the settings, where it is loaded already; it is left as it is.
        prompts: the prompts of the settings, where they are there already.

    Raises:
        DataError: the model overuses nothing, or too many texts failed.
        UsageError: the settings do not fit the inputs, the engine or the run.
        ModelError: the server of the settings is not there any more, or has another model.
    """
    given = read_inputs(settings, model, prompts)
    ftpo, preset = with_preset(settings.ftpo, given.subject)
    settings = settings.model_copy(update={"ftpo": ftpo})
    # Where to stop is no part of it: a run that ended early goes on to its end.
    config = {**settings.model_dump(mode="json", exclude={"until"}), "fingerprint": given.fingerprint}
    # What has had no effect yet may change: less memory for the training, or more patience.
    changeable = ["max_failures", "concurrency"]
    changeable += [] if is_finished(folder, "model") else ["gguf"]
    changeable += [] if is_finished(folder, "train") else [settings.tuner]
    with Writer(given.model, settings, settings.sampling, given.prompts.used, folder / SERVER_LOG) as writer:
        writer.engine([Ban(Slop(given.rules))])  # what no server can do is refused now
        with Run.start(folder, "antislop", config, {}, listener, changeable) as run:
            return _Antislop(run, settings, given, writer, preset).outcome()


class _Antislop:
    """The chain of stages. Each is made once in a run, and read from there whenever the run goes on."""

    def __init__(
        self, run: Run, settings: AntislopSettings, given: AntislopInputs, writer: Writer, preset: str
    ) -> None:
        self.run = run
        self.settings = settings
        self.given = given
        self.writer = writer
        self.used, self.held_out = given.prompts
        self.rows: dict[str, Sequence[Any]] = {}
        self.notes = [preset] if settings.tuner == "ftpo" else []
        self.iterations: list[dict[str, object]] = []
        self.trained = Training()

    def outcome(self) -> Outcome:
        """Find it, steer it, train it out, prove it: as far as `until` says."""
        last = STAGES.index(self.settings.until)
        if self.settings.engine != LOCAL:
            written = "the texts to learn from; the local engine wrote those that are compared"
            self.notes.append(f"engine: {self.settings.engine} wrote {written}")
        self.rows["plain"] = plain = self._write("write", self.writer.engine(), self.used, self.settings.seed)
        if last < STAGES.index("find"):
            return self._so_far()
        slop = self._find(plain)
        if last < STAGES.index("ban"):
            return self._so_far()
        slop, banned = self._ban(slop, plain)
        if last < STAGES.index("mine"):
            return self._so_far()
        self.writer.close()
        preferences = self._mine(slop, plain, banned)
        if last < STAGES.index("train"):
            return self._so_far()
        adapted = self._train(preferences)
        if last < STAGES.index("prove"):
            return self._so_far(adapted.merged())
        # What is compared with the tuned model's texts comes from its own weights, and from the same engine.
        is_own = self.given.subject is self.given.model and self.settings.engine == LOCAL
        own = plain if is_own else self._write("own", self._local(), self.used, self.settings.seed, samples=1)
        strength, front = self._choose(adapted, slop, own)
        tuned = adapted.merged(strength)
        self.rows["gaps"] = self._gaps(tuned, preferences)
        return self._prove(adapted, tuned, strength, slop, front)

    # Find it: what stands in plain texts far more often than people write it.

    def _find(self, plain: Sequence[Generation]) -> Slop:
        rules = self.run.rows_at_once("find", BanRule, lambda: [*self.given.rules, *self._overused(plain)])
        if not rules and self.given.behaviour is None:
            raise DataError(f"nothing is overused in {len(plain)} texts", "give more prompts, or more --samples")
        if self.settings.own_only:
            refuse_unmet(self._unwanted(Slop(rules)), self._answers(plain))
        self.rows["bans"] = rules
        self.run.file("bans.jsonl", rules_jsonl(rules))
        self.iterations.append(iteration_row(0, Slop(rules), rules, self.index, self._samples(plain), plain))
        return Slop(rules)

    def _overused(self, texts: Sequence[Generation]) -> list[BanRule]:
        if self.settings.own_only:
            return []
        return find_slop(
            self._samples(texts),
            self.given.human,
            self.settings.least_ratio,
            self.settings.least_share,
            self.settings.false_discovery_rate,
            self.given.whitelist,
        )

    def _newly_overused(self, texts: Sequence[Generation], slop: Slop) -> list[BanRule]:
        known = {rule.text for rule in slop.rules}
        return [rule for rule in self._overused(texts) if rule.text not in known]

    # Steer it: write again with the list banned; what becomes overused then joins the list.

    def _ban(self, slop: Slop, plain: Sequence[Generation]) -> tuple[Slop, list[Generation]]:
        banned: list[Generation] = []
        for iteration in range(1, self.settings.iterations + 1):
            seed = self.settings.seed + iteration
            bans = [Ban(behaviour) for behaviour in self._unwanted(slop)]
            banned = self._write(f"ban-{iteration}", self.writer.engine(bans), self.used, seed)
            added: list[BanRule] = []
            if iteration < self.settings.iterations:
                added = self.run.rows_at_once(f"find-{iteration}", BanRule, partial(self._newly_overused, banned, slop))
            self.iterations.append(iteration_row(iteration, slop, added, self.index, self._samples(banned), banned))
            slop = Slop([*slop.rules, *added])
        self.rows["bans"], self.rows["banned"] = slop.rules, banned
        self.run.file("bans.jsonl", rules_jsonl(slop.rules))
        self.run.file("iterations.csv", iterations_csv(self.iterations))
        passed = sum(event.let_pass for text in banned for event in text.events)
        spent = sum(text.tokens_spent for text in banned)
        kept = sum(len(text.token_ids) for text in banned) / max(1, spent)
        self.notes.append(f"bans: {kept:.0%} of {spent} drawn tokens were kept, {passed} hits let pass")
        return slop, banned

    # Train it out: at every point, the model's own next best tokens become likelier than what was rejected.

    def _mine(
        self, slop: Slop, plain: Sequence[Generation], banned: Sequence[Generation]
    ) -> list[TokenPreferences] | list[CompletionPreference]:
        texts = self._unwanted(slop), self._answers(plain), self._answers(banned)
        if self.settings.tuner == "dpo":
            return self.run.rows_at_once("mine", CompletionPreference, lambda: pairs_of(self.used, *texts))
        mine = self.settings.mine
        points = self.run.rows_at_once("mine", TokenPreferences, lambda: points_of(self.given.subject, *texts, mine))
        self.notes.append(counted(points))
        self.notes.append(write_for_others(self.run.path, points, self.given.subject))
        return points

    def _train(self, preferences: Sequence[TokenPreferences] | Sequence[CompletionPreference]) -> Adapted:
        folder = self.run.folder("train", partial(self._tune, preferences))
        shutil.rmtree(self.run.path / CHECKPOINTS, ignore_errors=True)
        self.trained, self.adapter = read_training(folder), folder / ADAPTER
        self.notes += [f"training: {line}" for line in (*self.trained.choices, self.trained.ended)]
        # Read back also what was just trained: a run that was killed goes on with the very same weights.
        return load_adapter(self.given.subject, self.adapter)

    def _tune(self, preferences: Sequence[TokenPreferences | CompletionPreference], folder: Path) -> None:
        subject, seed = self.given.subject, self.settings.seed
        is_ftpo = self.settings.tuner == "ftpo"
        checkpoints = checkpoint_folder(self.run.path, self.settings.ftpo if is_ftpo else self.settings.dpo)
        points = [row for row in preferences if isinstance(row, TokenPreferences)]
        if points:
            tuned = train_ftpo(subject, points, self.settings.ftpo, seed, checkpoints)
        else:
            pairs = [row for row in preferences if isinstance(row, CompletionPreference)]
            tuned = train_dpo(subject, pairs, self.settings.dpo, seed, checkpoints)
        write_training(folder, tuned)

    def _choose(self, adapted: Adapted, slop: Slop, plain: Sequence[Generation]) -> tuple[float, list[Evidence]]:
        """The weakest adapter that does enough, and slop and distance at every strength that was tried.

        Measured on the prompts that were learned from, the first text of each: the others are there to judge.
        """
        firsts = [text for text in plain if text.sample == 0]
        own = self.given.behaviour
        rules = [rule for rule in slop.rules if rule.overuse] if self.settings.target == "human" else slop.rules
        aim: Locatable = Slop(rules) if slop.rules or own is None else own
        strengths = self.settings.front

        def lines(first: int) -> Iterator[list[Evidence]]:
            for strength in strengths[first:]:
                model = adapted.merged(strength)
                texts = Engine(model, sampling=self.settings.sampling).generate(self.used, 1, self.settings.seed)
                yield at_strength(strength, model, self.given.subject, aim, self.used, firsts, texts)
                del model  # before the next copy is made

        self.run.say("expect", rows=2 * len(strengths))
        front = self.run.rows("front", Evidence, lines)
        strength, reason = weakest_enough(strengths, front[::2], self.settings.target, rules, target_name(slop, own))
        self.notes.append(reason)
        return strength, front

    def _gaps(self, tuned: LanguageModel, preferences: Sequence[Any]) -> list[PointGap]:
        """How far each point is apart before and after; pairs of texts have none."""
        points = [row for row in preferences if isinstance(row, TokenPreferences)]
        before, ftpo = self.given.subject, self.settings.ftpo
        return self.run.rows_at_once("gaps", PointGap, lambda: point_gaps(before, tuned, points, ftpo))

    # Prove it: plain sampling from both models, on prompts that none of the above has seen.

    def _prove(
        self, adapted: Adapted, tuned: LanguageModel, strength: float, slop: Slop, front: Sequence[Evidence]
    ) -> Outcome:
        seed = self.settings.seed
        before = self._write("before", self._local(), self.held_out, seed)
        after = self._write("after", Engine(tuned, sampling=self.settings.sampling), self.held_out, seed)
        evidence = self.run.rows_at_once("evidence", Evidence, lambda: self._evidence(tuned, slop, before, after))
        aimed_at = {rule.text for rule in slop.rules}
        shared = sum(rule.text in aimed_at for rule in self.index.rules)
        self.notes.append(f"slop_index: {shared} of its {len(self.index.rules)} entries are also on the list aimed at")

        def save(folder: Path) -> None:
            name = self.settings.tune_model or self.settings.model
            save_trained(folder, name, adapted, self.adapter, strength, gguf=self.settings.gguf)
            (folder / "README.md").write_text(card(self.settings, evidence), encoding="utf-8")

        folder = self.run.folder("model", save)
        self.rows |= {"before": before, "after": after, "evidence": evidence, "front": front}
        texts = (before, after)
        page = report(
            self.settings,
            self.given,
            evidence,
            front,
            slop,
            texts,
            training=self.trained,
            gaps=self.rows["gaps"],
            iterations=self.iterations,
            notes=self.notes,
        )
        self.run.file("report.html", page)
        self.run.file("before_after.svg", before_after_svg(evidence))
        self.run.finish()
        return Outcome(evidence, tuned, self.rows, self.notes, folder=self.run.path, adapter=folder / ADAPTER)

    def _evidence(
        self, tuned: LanguageModel, slop: Slop, before: Sequence[Generation], after: Sequence[Generation]
    ) -> list[Evidence]:
        own, aimed_at = self.given.behaviour, slop if slop.rules else None
        evidence = antislop_evidence(
            self.given.subject, tuned, self.held_out, before, after, aimed_at, self.index, self.given.reference
        )
        if own is not None:
            # Second where there is a list: what was aimed at stands before all that only guards.
            evidence.insert(int(aimed_at is not None), slop_rate(own.name, own, self.held_out, before, after))
        return evidence

    # What all stages share.

    @cached_property
    def index(self) -> Slop:
        """The list of another source."""
        return Slop(self.given.index)

    def _local(self) -> Engine:
        """Plain decoding with the weights that are trained and judged."""
        return Engine(self.given.subject, sampling=self.settings.sampling)

    def _write(
        self, stage: str, engine: TextEngine, prompts: Sequence[Prompt], seed: int, samples: int | None = None
    ) -> list[Generation]:
        settings = self.settings
        return write_texts(
            self.run,
            stage,
            engine,
            prompts,
            samples=samples or settings.samples,
            seed=seed,
            block=settings.block,
            max_failures=settings.max_failures,
        )

    def _unwanted(self, slop: Slop) -> list[Bannable]:
        """The list, and the user's own behaviour."""
        return [slop] if self.given.behaviour is None else [slop, self.given.behaviour]

    def _answers(self, texts: Sequence[Generation]) -> list[Generation]:
        """The texts that answer: neither failed nor refused."""
        scores = score_all(Refusals(), self.used, texts)
        refused = {score.generation_id for score in scores if score.value >= REFUSED}
        return [text for text in successes(texts) if text.id not in refused]

    def _samples(self, texts: Sequence[Generation]) -> list[Sample]:
        return samples_of(self.used, self._answers(texts))

    def _so_far(self, model: LanguageModel | None = None) -> Outcome:
        self.run.finish(f"done until {self.settings.until}")
        return Outcome((), model, self.rows, self.notes, folder=self.run.path)
