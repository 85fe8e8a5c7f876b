"""Everything that `planish find` can be told."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from planish.recipes.engine_settings import EngineSettings

# One on the command line; from Python there may be several.
Several = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]


class FindSettings(EngineSettings):
    """What is read, with what it is compared, and what counts as overused."""

    sources: Several = Field(min_length=1)
    """Text, JSONL, CSV or Parquet files, folders of them, Hub data sets; or models, which write first."""
    labels: Several = ()
    """What the sources are called, in their order; by default as their files or models are."""
    text_column: str | None = None
    """The column of a table that holds the texts."""
    prompt_column: str | None = None
    """The column that holds what each was written for: no text is blamed for words of its own prompt."""
    limit: int | None = Field(default=None, ge=1)
    """Only so many documents of each source."""
    language: str = "en"
    """Of the texts, as a code; or auto, to tell it from the texts of each source."""

    baseline: str | None = None
    """Human texts to compare with, or a saved profile of some; by default the profile that ships."""
    index: str | None = None
    """A file of rules whose rate is told as one figure; by default the slop index that ships."""
    whitelist: Several = ()
    """Words and phrases that are never listed."""
    names: bool = True
    """Whether names are listed, and phrases with a name in them: models have favourite ones."""
    least_ratio: float = Field(default=5.0, ge=1)
    """An entry is listed when it is surely this many times as frequent as among people."""
    least_share: float = Field(default=0.02, ge=0, le=1)
    """And when at least this share of the texts has it."""
    least_prompts: int = Field(default=6, ge=2)
    """And when so many prompts bring it; half of them where they are few. A text without one counts as its own."""
    false_discovery_rate: float = Field(default=0.05, gt=0, lt=1)
    """How many of the listed entries may be listed by chance."""

    prompts: str | None = None
    """What a model is asked: a text file, JSONL, Parquet or Hub data set; by default our own requests for stories."""
    samples: int = Field(default=2, ge=1)
    """Texts a prompt."""
    block: int = Field(default=256, ge=1)
    """Texts that are written and saved together."""
    sampling: dict[str, Any] = Field(default_factory=dict)
    """How a model draws its texts: any field of `Sampling`, which is only looked at where one writes."""
    device: str = "auto"
    """Where a model runs: cpu, cuda, mps, or auto: a graphics card where there is one."""

    processes: int | None = Field(default=None, ge=1)
    """How many read at once; by default one on each core. It changes no figure."""
    seed: int = Field(default=0, ge=0, le=2**31)
    """Of every draw."""
