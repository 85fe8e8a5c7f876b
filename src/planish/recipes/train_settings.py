"""Everything that `planish train` can be told."""

from typing import Literal

from pydantic import Field

from planish.config import Settings
from planish.train.dpo import DpoSettings
from planish.train.ftpo_settings import FtpoSettings
from planish.train.gguf import GgufType
from planish.train.sft import SftSettings

Tuner = Literal["ftpo", "dpo", "sft"]


class TrainSettings(Settings):
    """What is trained on what, how, and what is made of it."""

    model: str
    """A folder, a Hub id, bundled, or tiny."""
    data: str
    """A JSONL file of preference points, of pairs of texts, or of the FTPO rows of other tools."""
    tuner: Tuner = "ftpo"
    """Points token by token, pairs of texts, or their chosen side alone."""
    seed: int = Field(default=0, ge=0, le=2**31)
    """Of the adapter's first weights, of the order, and of which points stay."""
    device: str = "auto"
    """Where the model runs: cpu, cuda, mps, or auto: a graphics card where there is one."""
    four_bit: bool = False
    """Keep the model in 4 bits a weight while its adapter is trained."""
    ftpo: FtpoSettings = FtpoSettings()
    dpo: DpoSettings = DpoSettings()
    sft: SftSettings = SftSettings()

    strength: float = Field(default=1.0, gt=0)
    """How much of the adapter is measured, saved and merged."""
    merge: bool = True
    """Whether the model is saved with the adapter folded in, beside the adapter alone."""
    gguf: GgufType | None = None
    """Save it as GGUF too, its weights stored as this."""
    push: str | None = None
    """The repository on the Hub, owner/name, that the model goes to; by default nothing does."""
    push_data: str | None = None
    """The repository on the Hub that the rows go to."""
    private: bool = True
    """Whether only their owner may see these repositories."""
