"""Everything that `planish antislop` can be told."""

from typing import Annotated, Literal

from pydantic import Field

from planish.recipes.engine_settings import EngineSettings
from planish.steer.sampling import Sampling
from planish.train.dpo import DpoSettings
from planish.train.ftpo_settings import FtpoSettings
from planish.train.gguf import GgufType

Stage = Literal["write", "find", "ban", "mine", "train", "prove"]
STAGES: tuple[Stage, ...] = ("write", "find", "ban", "mine", "train", "prove")

Strength = Annotated[float, Field(gt=0)]


class AntislopSettings(EngineSettings):
    """What is read, how much is written, what counts as slop, how it is trained out."""

    model: str
    """A folder, a Hub id, bundled, or tiny."""
    tune_model: str | None = None
    """Another model with the same tokenizer, to be trained and judged in its place."""
    prompts: str | None = None
    """A text file, JSONL, Parquet or Hub data set of prompts; by default our own requests for stories."""
    openings: bool = False
    """Prompts are beginnings of texts to be continued, not requests."""
    first_words: int | None = Field(default=None, ge=1)
    """Cut every prompt to so many words."""
    limit: int | None = Field(default=None, ge=3)
    """Use only so many prompts."""
    system: str | None = None
    """A system turn before every request."""
    prompt_template: str | None = None
    """What is asked, with {prompt} in it."""
    baseline: str | None = None
    """A text, JSONL or Parquet file of human texts to compare with; by default the profile that ships."""
    ban: str | None = None
    """A file of rules of your own: banned, mined and trained out beside what is found."""
    whitelist: tuple[str, ...] = ()
    """Words and phrases that are never listed."""
    behaviour: str | None = None
    """A behaviour of your own, as my_file.py:Class or an entry point: banned, mined and trained out too."""
    own_only: bool = False
    """Nothing is looked for: only the behaviour and the rules of your own are banned, mined and trained out."""
    index: str | None = None
    """A file of rules from another source, which only judge; by default the slop index that ships."""
    reference_text: str | None = None
    """Human prose on which the perplexity of both models is compared; by default our own."""
    device: str = "auto"
    """Where the model runs: cpu, cuda, mps, or auto: a graphics card where there is one."""

    seed: int = Field(default=0, ge=0, le=2**31)
    """Of every draw."""
    samples: int = Field(default=2, ge=1)
    """Texts a prompt."""
    block: int = Field(default=256, ge=1)
    """Texts that are written and saved together."""
    max_failures: float = Field(default=0.5, ge=0, le=1)
    """The run ends when more than this share of a stage's texts failed."""
    sampling: Sampling = Sampling()

    iterations: int = Field(default=1, ge=1)
    """How often the model writes with bans; after each, what is overused then joins the list."""
    least_ratio: float = Field(default=10.0, ge=1)
    """An entry is listed when it is surely this many times as frequent as among people."""
    least_share: float = Field(default=0.04, ge=0, le=1)
    """And when at least this share of the texts has it."""
    false_discovery_rate: float = Field(default=0.05, gt=0, lt=1)
    """How many of the listed entries may be listed by chance."""

    mine: Literal["bans", "spans", "both"] = "both"
    """Preference points from what was banned while writing, from what stands in plain texts, or from both."""
    tuner: Literal["ftpo", "dpo"] = "ftpo"
    """Token by token, or plain against banned texts as a whole."""
    ftpo: FtpoSettings = FtpoSettings()
    dpo: DpoSettings = DpoSettings()
    front: tuple[Strength, ...] = (0.3, 0.45, 0.6, 0.8, 1.0)
    """The strengths at which the adapter is tried, on the prompts that were learned from; none: it is used whole."""
    target: Annotated[float, Field(gt=0, le=1)] | Literal["human"] = 0.85
    """The weakest adapter is kept that takes this share of the slop away there, or brings it down to what people do."""
    gguf: GgufType | None = None
    """Save the trained model as GGUF too, its weights stored as this."""
    until: Stage = "prove"
    """The last stage."""
