"""Teach a model to follow instructions that a program can check, from its own better and worse answers."""

import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from planish.diff.text_shifts import text_shifts
from planish.errors import DataError
from planish.find.behaviour import Behaviour
from planish.find.instructions import BrokenInstructions
from planish.find.verifiers.broken_constraints import BrokenConstraints
from planish.find.verifiers.funnel import FunnelRow
from planish.find.verifiers.verified import VerifiedInstructions
from planish.models.language_model import LanguageModel
from planish.prove.evidence import score_all
from planish.prove.lift import Asked, Judged
from planish.prove.report import Example
from planish.recipes.asked_prompts import asked_in_turn, asked_together
from planish.recipes.autoif_evidence import benchmarked, collateral, control_line, kind_lines, lift_lines
from planish.recipes.autoif_inputs import AutoifInputs, read_inputs
from planish.recipes.autoif_pairs import by_lot, crossed, near_misses, paired, require_pairs, without_one
from planish.recipes.autoif_report import card, report
from planish.recipes.autoif_settings import BENCHMARKS, STAGES, AutoifSettings
from planish.recipes.autoif_sweep import sweep
from planish.recipes.generator import Generator, open_generator
from planish.recipes.judging import judged
from planish.recipes.outcome import Outcome
from planish.recipes.texts import write_texts
from planish.recipes.trained_model import ADAPTER, save_trained
from planish.recipes.training import CHECKPOINTS, checkpoint_folder, read_training, write_training
from planish.recipes.writer import TextEngine, Writer
from planish.recipes.written_instructions import write_instructions
from planish.records.evidence import Evidence
from planish.records.generation import Generation, successes
from planish.records.preference import CompletionPreference
from planish.records.prompt import Prompt
from planish.runs.event import RunEvent
from planish.runs.layout import is_finished
from planish.runs.run import Run
from planish.sandbox.opening import open_sandbox
from planish.sandbox.sandbox import Sandbox
from planish.steer.engine import Engine
from planish.train.adapter import Adapted, load_adapter
from planish.train.dpo import DpoSettings, train_dpo

SERVER_LOG = "server.log"
# Answers whose tokens the report colours by how much likelier they became.
SHIFTED_TEXTS = 6


def autoif(settings: AutoifSettings, folder: Path, listener: Callable[[RunEvent], None] | None = None) -> Outcome:
    """Ask for something checkable, rank the answers by the check, train on the pairs, and prove it.

    Args:
        settings: everything there is to say.
        folder: the run: new, or one with the same settings, which goes on.
        listener: is called with every event of the run.

    Raises:
        DataError: no prompt got both an answer that passes and one that fails, or too many texts failed.
        UsageError: the settings do not fit the inputs, the engine or the run.
        ModelError: the model cannot be loaded, or a server is not there any more.
        MissingPackageError: verifiers are to run, and there is no sandbox.
    """
    given = read_inputs(settings)
    # Where to stop is no part of it: a run that ended early goes on to its end.
    config = {**settings.model_dump(mode="json", exclude={"until"}), "fingerprint": given.fingerprint}
    changeable = ["max_failures", "concurrency", "replay"]
    is_scored = any(is_finished(folder, name) for name in BENCHMARKS)
    changeable += [] if is_scored else ["benchmarks", "ifeval", "hellaswag", "benchmark_limit"]
    changeable += [] if is_finished(folder, "model") else ["gguf"]
    changeable += [] if is_finished(folder, "train") else ["dpo"]
    with ExitStack() as open_parts:
        # What is not there is refused before anything is written.
        sandbox = None
        if settings.instructions == "written":
            sandbox = open_parts.enter_context(open_sandbox(settings.sandbox))
        queries = [prompt for side in given.queries for prompt in side]
        writer = open_parts.enter_context(
            Writer(given.model, settings, settings.sampling, queries, folder / SERVER_LOG)
        )
        run = open_parts.enter_context(Run.start(folder, "autoif", config, {}, listener, changeable))
        return _Autoif(run, settings, given, writer, sandbox).outcome()


class _Autoif:
    """The chain of stages. Each is made once in a run, and read from there whenever the run goes on."""

    def __init__(
        self, run: Run, settings: AutoifSettings, given: AutoifInputs, writer: Writer, sandbox: Sandbox | None
    ) -> None:
        self.run = run
        self.settings = settings
        self.given = given
        self.writer = writer
        self.sandbox = sandbox
        self.behaviour: Behaviour = BrokenInstructions()
        self.funnel: list[FunnelRow] = []
        self.rows: dict[str, Sequence[Any]] = {}
        self.notes = [*given.notes]

    def outcome(self) -> Outcome:
        """Ask, write, rank, train, prove: as far as `until` says."""
        last = STAGES.index(self.settings.until)
        used, judging = self._ask()
        if last < STAGES.index("write"):
            return self._so_far()
        self.rows["answers"] = answers = self._answer(used)
        if last < STAGES.index("pair"):
            return self._so_far()
        pairs = self._pair(used, answers)
        self.writer.close()
        if last < STAGES.index("train"):
            return self._so_far()
        adapted, adapter = self._train("train", pairs, self.settings.dpo)
        if last < STAGES.index("prove"):
            return self._so_far(adapted.merged())
        return self._prove(adapted, adapter, pairs, judging)

    # Ask for something: what planish can check itself, or what a model wrote with the programs that check it.

    def _ask(self) -> tuple[list[Asked], dict[str, list[Asked]]]:
        """Prompts to learn from, and those that judge, by what they are."""
        if self.sandbox is not None:
            return self._ask_written(self.sandbox)
        settings, queries, kinds = self.settings, self.given.queries, self.given.kinds
        draws = random.Random(settings.seed)
        used = []
        if not settings.crossed:
            used = asked_together(queries.used, kinds.used, settings.most_constraints, draws)
        judging = {"trained": asked_in_turn(queries.held_out, kinds.used, settings.judged_kinds, draws)}
        if kinds.held_out:
            judging["held out"] = asked_in_turn(queries.held_out, kinds.held_out, settings.judged_kinds, draws)
        if not (used or settings.crossed) or not all(judging.values()):
            raise DataError(
                "none of the kinds fits the queries, on one side of them at least", "add kinds, or give other queries"
            )
        rows = [asked.prompt for asked in (*used, *(each for side in judging.values() for each in side))]
        self.rows["prompts"] = self.run.rows_at_once("instructions", Prompt, lambda: rows)
        return used, judging

    def _ask_written(self, sandbox: Sandbox) -> tuple[list[Asked], dict[str, list[Asked]]]:
        settings, queries = self.settings, self.given.queries
        generator = self._generator()
        # In the order of their ids every third is held out, so any beginning has some of both.
        every = sorted([*queries.used, *queries.held_out], key=lambda prompt: prompt.id)
        written = write_instructions(
            self.run, generator.asker, generator.calls, every, sandbox, settings.written, settings.seed
        )
        self.notes += written.notes
        self.funnel += written.funnel
        self.behaviour = BrokenConstraints(BrokenInstructions(), VerifiedInstructions(written.verifiers, sandbox))
        asked = [Asked(prompt, written.plain[prompt.id]) for prompt in written.prompts]
        held_out = {prompt.id for prompt in queries.held_out}
        judging = [each for each in asked if each.plain.id in held_out]
        used = [each for each in asked if each.plain.id not in held_out]
        if not used or not judging:
            raise DataError(
                f"{len(used)} prompts to learn from and {len(judging)} to judge by have verified instructions",
                "give more queries, more written.instructions, or a stronger --generator; the funnel says what went",
            )
        self.rows["prompts"] = written.prompts
        return used, {"trained": judging}

    def _generator(self) -> Generator:
        settings = self.settings
        return open_generator(
            self.run,
            settings.generator,
            lambda: self.given.model,
            name=settings.generator_model,
            concurrency=settings.concurrency,
            seed=settings.seed,
            is_recorded=settings.replay,
        )

    # Write and rank: the writer sees no verifier.

    def _answer(self, used: Sequence[Asked]) -> list[Generation]:
        if self.settings.crossed:
            return self._write("write", self.writer.engine(), self.given.queries.used, self.settings.samples)
        return self._write("write", self.writer.engine(), [each.prompt for each in used], self.settings.samples)

    def _pair(self, used: Sequence[Asked], answers: Sequence[Generation]) -> list[CompletionPreference]:
        settings = self.settings
        if settings.crossed:
            answers_of = {prompt: _of(prompt, answers) for prompt in self.given.queries.used}
            make = partial(
                crossed, self.given.model, answers_of, self.given.kinds.used, settings.crossings, settings.seed
            )
        else:
            prompts: Sequence[Prompt] = [each.prompt for each in used]
            pool = [*answers, *self._relaxed(used)]
            prompts, quality = self._judge(prompts, {each.prompt.id: each.plain for each in used}, answers)
            make = partial(self._ranked, prompts, pool, quality)
        found = self.run.rows_at_once("pair", CompletionPreference, make)
        require_pairs(found)
        self.rows["pairs"] = found
        asked = len({answer.prompt_id for answer in answers})
        self.notes.append(f"pairs: {len(found)}, of {len(successes(answers))} answers to {asked} prompts")
        return found

    def _ranked(
        self, prompts: Sequence[Prompt], answers: Sequence[Generation], quality: Mapping[str, float]
    ) -> list[CompletionPreference]:
        settings = self.settings
        broken = {score.generation_id: score.value for score in score_all(self.behaviour, prompts, answers)}
        found = paired(prompts, answers, broken, quality, settings.pairing)
        if settings.near_misses and settings.instructions == "built-in":
            found += near_misses(prompts, answers, broken, settings.near_misses, settings.seed)
        return found

    def _relaxed(self, used: Sequence[Asked]) -> list[Generation]:
        """Answers to prompts with one constraint less, as answers to the whole ones."""
        settings = self.settings
        if not settings.relaxed or settings.instructions != "built-in":
            return []
        fewer = without_one(used, random.Random(settings.seed))
        distinct = list({prompt.id: prompt for prompt in fewer.values()}.values())
        texts = self._write("relax", self.writer.engine(), distinct, settings.relaxed)
        by_prompt = {prompt.id: _of(prompt, texts) for prompt in distinct}
        return [
            text.model_copy(update={"id": f"{text.id}-for-{whole}", "prompt_id": whole})
            for whole, prompt in fewer.items()
            for text in by_prompt[prompt.id]
        ]

    def _judge(
        self, prompts: Sequence[Prompt], plain: Mapping[str, Prompt], answers: Sequence[Generation]
    ) -> tuple[Sequence[Prompt], Mapping[str, float]]:
        """The quality of the answers, where it is asked for, and the prompts whose instruction goes with the query."""
        settings = self.settings.written
        if self.sandbox is None or not settings.judge_quality:
            return prompts, {}
        generator = self._generator()
        found = judged(
            self.run,
            generator.asker,
            generator.calls,
            prompts,
            plain,
            answers,
            settings.least_quality,
            settings.block,
        )
        self.funnel += found.funnel
        return found.prompts, found.quality

    # Train on the pairs.

    def _train(self, stage: str, pairs: Sequence[CompletionPreference], dpo: DpoSettings) -> tuple[Adapted, Path]:
        folder = self.run.folder(stage, partial(self._tune, pairs, dpo))
        shutil.rmtree(self.run.path / CHECKPOINTS, ignore_errors=True)
        training = read_training(folder)
        if stage == "train":
            self.notes += [f"training: {line}" for line in (*training.choices, training.ended)]
        return load_adapter(self.given.model, folder / ADAPTER), folder / ADAPTER

    def _tune(self, pairs: Sequence[CompletionPreference], dpo: DpoSettings, folder: Path) -> None:
        checkpoints = checkpoint_folder(self.run.path, dpo)
        write_training(folder, train_dpo(self.given.model, pairs, dpo, self.settings.seed, checkpoints))

    # Prove it: on queries that none of the above has seen, asked and not asked.

    def _prove(
        self,
        adapted: Adapted,
        adapter: Path,
        pairs: Sequence[CompletionPreference],
        judging: Mapping[str, Sequence[Asked]],
    ) -> Outcome:
        settings, model = self.settings, self.given.model
        tuned = adapted.merged()
        before, after = (self._judged_texts(side, one, judging) for side, one in (("before", model), ("after", tuned)))
        evidence = self.run.rows_at_once("evidence", Evidence, lambda: self._evidence(tuned, judging, before, after))
        evidence = [*evidence, *self._control(pairs, judging, before)]
        tried = sweep(settings.sweep, settings.dpo, partial(self._tried, pairs, judging, before))

        def save(folder: Path) -> None:
            save_trained(folder, settings.model, adapted, adapter, 1.0, gguf=settings.gguf)
            (folder / "README.md").write_text(card(settings, evidence), encoding="utf-8")

        folder = self.run.folder("model", save)
        scores, notes = benchmarked(self.run, settings, adapter)
        evidence += scores
        self.notes += notes
        self.rows |= {"before": before.asked, "after": after.asked, "evidence": evidence}
        tables: dict[str, Sequence[Mapping[str, object]]] = {
            "Where everything went": [row.model_dump() for row in self.funnel],
            "Other trainings": tried,
        }
        page = report(
            settings,
            self.given.fingerprint,
            evidence,
            subtitle=f"{len(pairs)} pairs from {len(self.given.queries.used)} queries, "
            f"{len(self.given.queries.held_out)} held out",
            examples=_examples(judging["trained"], before.asked, after.asked),
            training=read_training(adapter.parent),
            tables=tables,
            shifts=text_shifts(model, tuned, before.asked[:SHIFTED_TEXTS]).html(),
            notes=self.notes,
        )
        self.run.file("report.html", page)
        self.run.finish()
        return Outcome(
            evidence,
            tuned,
            self.rows,
            self.notes,
            folder=self.run.path,
            adapter=folder / ADAPTER,
            tables={heading: rows for heading, rows in tables.items() if rows},
        )

    def _judged_texts(self, stage: str, model: LanguageModel, judging: Mapping[str, Sequence[Asked]]) -> Judged:
        engine = Engine(model, sampling=self.settings.sampling)
        asked = [each.prompt for side in judging.values() for each in side]
        plain = list({each.plain.id: each.plain for side in judging.values() for each in side}.values())
        samples = self.settings.judged_samples
        return Judged(
            self._write(stage, engine, asked, samples), self._write(f"{stage}-plain", engine, plain, 2 * samples)
        )

    def _evidence(
        self,
        tuned: LanguageModel,
        judging: Mapping[str, Sequence[Asked]],
        before: Judged,
        after: Judged,
    ) -> list[Evidence]:
        lines = lift_lines(self.behaviour, judging, before, after)
        if self.sandbox is None:
            lines += kind_lines(self.behaviour, judging, before, after)
        return [*lines, *collateral(self.given.model, tuned, before, after, self.given.reference)]

    def _control(
        self, pairs: Sequence[CompletionPreference], judging: Mapping[str, Sequence[Asked]], before: Judged
    ) -> list[Evidence]:
        if not self.settings.control:
            return []
        adapted, _ = self._train("control", by_lot(pairs, self.settings.seed), self.settings.dpo)
        texts = self._judged_texts("control-after", adapted.merged(), judging)
        return self.run.rows_at_once(
            "control-evidence", Evidence, lambda: control_line(self.behaviour, judging, before, texts)
        )

    def _tried(
        self,
        pairs: Sequence[CompletionPreference],
        judging: Mapping[str, Sequence[Asked]],
        before: Judged,
        name: str,
        dpo: DpoSettings,
    ) -> list[Evidence]:
        """What another training on the same pairs comes to."""
        adapted, adapter = self._train(name, pairs, dpo)
        tuned = adapted.merged()
        texts = self._judged_texts(f"{name}-after", tuned, judging)

        def measure() -> list[Evidence]:
            lines = lift_lines(self.behaviour, {"trained": judging["trained"]}, before, texts)
            return [*lines, *collateral(self.given.model, tuned, before, texts, self.given.reference)]

        lines = self.run.rows_at_once(f"{name}-evidence", Evidence, measure)
        return [*lines, *benchmarked(self.run, self.settings, adapter, name)[0]]

    # What all stages share.

    def _write(self, stage: str, engine: TextEngine, prompts: Sequence[Prompt], samples: int) -> list[Generation]:
        settings = self.settings
        return write_texts(
            self.run,
            stage,
            engine,
            prompts,
            samples=samples,
            seed=settings.seed,
            block=settings.block,
            max_failures=settings.max_failures,
        )

    def _so_far(self, model: LanguageModel | None = None) -> Outcome:
        self.run.finish(f"done until {self.settings.until}")
        return Outcome((), model, self.rows, self.notes, folder=self.run.path)


def _of(prompt: Prompt, texts: Sequence[Generation]) -> list[Generation]:
    return [text for text in successes(texts) if text.prompt_id == prompt.id]


def _examples(asked: Sequence[Asked], before: Sequence[Generation], after: Sequence[Generation]) -> list[Example]:
    """The first text of every prompt that both models wrote, in the order of the prompts: nothing is picked."""
    firsts = [{text.prompt_id: text.text for text in reversed(successes(side))} for side in (before, after)]
    return [
        Example(each.prompt.content, firsts[0][each.prompt.id], firsts[1][each.prompt.id])
        for each in asked
        if all(each.prompt.id in side for side in firsts)
    ]
