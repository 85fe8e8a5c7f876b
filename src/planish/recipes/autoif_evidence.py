"""What held-out queries say of a model that learned to follow instructions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from planish.errors import DataError
from planish.find.behaviour import Behaviour
from planish.find.refusals import Refusals
from planish.models.language_model import LanguageModel
from planish.prove.collateral import drift, refusal_share, repetition, variety_and_length
from planish.prove.evidence import HELD_OUT
from planish.prove.lift import Asked, Judged, lift_evidence
from planish.prove.reference import perplexity_reference
from planish.recipes.autoif_settings import AutoifSettings
from planish.records.evidence import Evidence
from planish.records.prompt import Prompt
from planish.runs.run import Run

# Kinds that were learned from, and kinds that were not.
GROUPS = {"trained": HELD_OUT, "held out": "held-out prompts, kinds not learned from"}
BY_KIND = "held-out prompts, asked minus not asked, each kind"
CONTROL = "control: the sides of all pairs drawn by lot"
# A control may move the lift by so much: half of what a training has to.
CONTROL_MARGIN = 0.05


def lift_lines(
    behaviour: Behaviour, judging: Mapping[str, Sequence[Asked]], before: Judged, after: Judged
) -> list[Evidence]:
    """How much more often instructions are kept because they are asked for, and how often."""
    return [
        line
        for side, asked in judging.items()
        for line in lift_evidence(behaviour, _judge(behaviour), asked, before, after, GROUPS[side])
    ]


def kind_lines(
    behaviour: Behaviour, judging: Mapping[str, Sequence[Asked]], before: Judged, after: Judged
) -> list[Evidence]:
    """How much more often the constraints of each kind are kept because they are asked for.

    A kind of which every text failed has no line.
    """
    by_kind: dict[str, list[Asked]] = defaultdict(list)
    for each in chain.from_iterable(judging.values()):
        by_kind[each.kind].append(each)
    lines = []
    for kind, asked in by_kind.items():
        with suppress(DataError):
            lift, _ = lift_evidence(behaviour, _judge(behaviour), asked, before, after, BY_KIND)
            lines.append(lift.model_copy(update={"name": kind}))
    return lines


def control_line(
    behaviour: Behaviour, judging: Mapping[str, Sequence[Asked]], before: Judged, after: Judged
) -> list[Evidence]:
    """What a training on pairs that say nothing did: it should be nothing."""
    asked = judging["trained"]
    return lift_evidence(behaviour, _judge(behaviour), asked, before, after, CONTROL, CONTROL_MARGIN)


def collateral(
    model: LanguageModel, tuned: LanguageModel, before: Judged, after: Judged, reference: Sequence[str]
) -> list[Evidence]:
    """What it cost elsewhere: in texts for prompts that ask for nothing, and in how human prose is read."""
    prompts = {text.prompt_id: Prompt(id=text.prompt_id, text="") for text in before.plain}
    return [
        perplexity_reference(model, tuned, reference),
        drift(model, tuned, before.plain),
        *variety_and_length(before.plain, after.plain),
        repetition(before.plain, after.plain),
        refusal_share(Refusals(), list(prompts.values()), before.plain, after.plain),
    ]


def benchmarked(
    run: Run, settings: AutoifSettings, adapter: Path, training: str = ""
) -> tuple[list[Evidence], list[str]]:
    """The model without an adapter and with it on public benchmarks, by lm-evaluation-harness.

    Args:
        run: is open.
        settings: which, and their rows.
        adapter: its folder.
        training: what the adapter comes from, where it is not the one that is kept.

    Raises:
        MissingPackageError: it is not installed.
        DataError: the rows cannot be read.
    """
    from planish.recipes.bench import BenchSettings, bench

    lines: list[Evidence] = []
    notes: list[str] = []
    for name in dict.fromkeys(settings.benchmarks):
        stage = "-".join(filter(None, (training, name)))

        def measure(name: str = name, stage: str = stage) -> list[Evidence]:
            data = {"ifeval": settings.ifeval, "hellaswag": settings.hellaswag}[name]
            found = bench(
                BenchSettings(
                    benchmark=name,
                    model=settings.model,
                    adapter=adapter,
                    against=settings.model,
                    data=data,
                    limit=settings.benchmark_limit,
                    device=settings.device,
                )
            )
            run.file(f"{stage}.txt", "".join(f"{note}\n" for note in found.notes))
            return list(found.evidence)

        lines += run.rows_at_once(stage, Evidence, measure)
        notes += [f"{name}: {note}" for note in (run.path / f"{stage}.txt").read_text(encoding="utf-8").splitlines()]
    return lines, notes


def _judge(behaviour: Behaviour) -> str:
    return f"{behaviour.name.replace('_', ' ')} {behaviour.version}"
