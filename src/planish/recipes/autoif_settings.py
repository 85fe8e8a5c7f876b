"""Everything that `planish autoif` can be told."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from planish.config import Settings
from planish.errors import PlanishError, UsageError
from planish.find.instructions import parse_constraint
from planish.find.instructions.kinds import KINDS
from planish.recipes.engine_settings import EngineSettings
from planish.recipes.generator import GeneratorSetting
from planish.recipes.written_settings import WrittenSettings
from planish.steer.sampling import Sampling
from planish.train.dpo import DpoSettings
from planish.train.gguf import GgufType
from planish.train.pairing import PairingSettings

Stage = Literal["instructions", "write", "pair", "train", "prove"]
STAGES: tuple[Stage, ...] = ("instructions", "write", "pair", "train", "prove")
Benchmark = Literal["ifeval", "hellaswag"]
BENCHMARKS: tuple[Benchmark, ...] = ("ifeval", "hellaswag")


def _known(spelled: str) -> str:
    """A kind, whose parameters are drawn for each prompt, or a constraint with them."""
    if spelled not in KINDS:
        try:
            parse_constraint(spelled)
        except PlanishError as error:
            raise UsageError(error.message, error.hint) from error
    return spelled


Kinds = tuple[Annotated[str, AfterValidator(_known)], ...]


class SweepSettings(Settings):
    """Trainings that are tried beside the one that is kept, each measured on the same held-out prompts."""

    betas: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Values of `dpo.beta`."""
    likelihoods: tuple[Annotated[float, Field(ge=0)], ...] = ()
    """Values of `dpo.likelihood`, each with each beta."""


class AutoifSettings(EngineSettings):
    """What is asked for, how it is checked, how answers become pairs, and how these are trained on."""

    model: str
    """A folder, a Hub id, bundled, or tiny."""
    prompts: str | None = None
    """A text file, JSONL, Parquet or Hub data set of queries; ShareGPT's conversations too. Default: our own."""
    limit: int | None = Field(default=None, ge=3)
    """Use only so many of them."""
    system: str | None = None
    """A system turn before every query."""
    device: str = "auto"
    """Where the model runs: cpu, cuda, mps, or auto: a graphics card where there is one."""
    seed: int = Field(default=0, ge=0, le=2**31)
    """Of every draw."""

    instructions: Literal["built-in", "written"] = "built-in"
    """Constraints that planish can check, or instructions that a model writes, with the programs that check them."""
    kinds: Kinds = ()
    """Kinds of built-in constraints to learn from, by name, or with their parameters; by default all but those held
    out."""
    held_out_kinds: Kinds = ()
    """Kinds that only judge."""
    most_constraints: int = Field(default=1, ge=1, le=5)
    """Of how many of them a prompt may have; how many it has is drawn."""
    generator: GeneratorSetting = "self"
    """Who writes instructions and verifiers: the model itself, or the URL of an OpenAI-compatible chat server."""
    generator_model: str | None = None
    """By the name that the server has for it; by default the only one that it serves."""
    replay: bool = False
    """Nobody is asked: every reply must stand in the run's `replies.jsonl`."""
    written: WrittenSettings = WrittenSettings()
    sandbox: Literal["auto", "wasm", "linux"] = "auto"
    """Where verifiers run that models wrote."""

    samples: int = Field(default=8, ge=1)
    """Answers a prompt."""
    sampling: Sampling = Sampling(max_tokens=512)
    block: int = Field(default=256, ge=1)
    """Answers that are written and saved together."""
    max_failures: float = Field(default=0.5, ge=0, le=1)
    """The run ends when more than this share of a stage's texts failed."""

    crossed: bool = False
    """Answers are written before anything is asked for. Two of them are then set against each other twice: under a
    constraint that only the first keeps, and under one that only the second keeps. So nothing can be learned but to
    read what is asked for. For built-in constraints."""
    crossings: int = Field(default=2, ge=1)
    """In how many such couples an answer may stand."""
    near_misses: int = Field(default=0, ge=0)
    """Of a passing answer so many pairs with itself, changed a little so that it fails."""
    relaxed: int = Field(default=0, ge=0)
    """So many answers a prompt to the prompt without one of its constraints: those that break it are rejected ones."""
    pairing: PairingSettings = PairingSettings()
    dpo: DpoSettings = DpoSettings()
    sweep: SweepSettings = SweepSettings()
    control: bool = False
    """Train a second time on the same pairs with their sides drawn by lot: that must teach nothing."""

    judged_kinds: int = Field(default=12, ge=1)
    """Of so many kinds each held-out prompt is asked one constraint, in turn."""
    judged_samples: int = Field(default=2, ge=1)
    """Answers to each of these, before and after; twice as many to the same prompt when it asks for nothing."""
    benchmarks: tuple[Benchmark, ...] = ()
    """What both models are scored on besides."""
    ifeval: Path | None = None
    """Rows of IFEval; the Hub's by default."""
    hellaswag: Path | None = None
    """Rows of HellaSwag; the Hub's by default."""
    benchmark_limit: int | None = Field(default=None, ge=1)
    """Only so many rows of each."""
    reference_text: str | None = None
    """Human prose on which the perplexity of both models is compared; by default our own."""
    gguf: GgufType | None = None
    """Save the trained model as GGUF too, its weights stored as this."""
    until: Stage = "prove"
    """The last stage."""
