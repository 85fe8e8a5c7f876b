"""What is known to work for which family of models, as a table."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from planish.config import merge_settings
from planish.models.language_model import LanguageModel
from planish.train.adapter import HEAD, AdapterSettings
from planish.train.ftpo_settings import FtpoSettings

MLP = ("up_proj", "down_proj")
# No adapter needs more of a rank than a width so many times as large.
WIDTH_PER_RANK = 8


class Preset(NamedTuple):
    """How models of a family are trained by FTPO.

    `kinds` are the types that transformers calls their decoders by, and `widest` the greatest width it is meant for.
    `tethers` are settings of the loss that are not its defaults; `rate_factor` is what the learning rate by rule is
    multiplied by. `source` says what it was made for.
    """

    family: str
    kinds: frozenset[str]
    adapter: AdapterSettings
    tethers: Mapping[str, float] = {}
    rate_factor: float = 1.0
    widest: int | None = None
    source: str = ""

    def settings(self, rank: int) -> dict[str, Any]:
        """What it sets, to be merged below what a user sets: an adapter of this rank, and of the scale that it has."""
        adapter = {**self.adapter.model_dump(exclude_unset=True), "rank": rank}
        if self.adapter.alpha is not None:
            adapter["alpha"] = max(1, round(rank * self.adapter.alpha / self.adapter.rank))
        return {**self.tethers, "rate_factor": self.rate_factor, "adapter": adapter}


NO_PRESET = Preset("default", frozenset(), AdapterSettings())
GEMMA3 = frozenset({"gemma3_text"})
# Source: the configurations of Auto-Antislop (Paech et al., Antislop, 2025), and its defaults for Qwen and Llama, for
# which it has none. Ranks, layers and tethers as there: its tethers are means over the points, as ours are, so they
# keep their weights, though ours do not see a shift of all logits. Of its learning rates only the ratio to the default
# is taken (0.1 to 0.15 is 0.67): its preference loss divides by the sum of the weights and lets gradients through
# them, ours takes the mean of each point and detaches them, so that the rate itself is by our own rule.
PRESETS = (
    Preset(
        "gemma3",
        GEMMA3,
        AdapterSettings(rank=256, last_layers=10),
        {"tether_targets": 0.25, "targets_slack": 0.0},
        rate_factor=0.67,
        widest=2560,
        source="4B",
    ),
    Preset(
        "gemma3",
        GEMMA3,
        AdapterSettings(rank=256, targets=(*MLP, HEAD), last_layers=5),
        {"tether_each": 0.25, "each_slack": 0.5},
        rate_factor=0.53,
        widest=3840,
        source="12B",
    ),
    Preset(
        "gemma3",
        GEMMA3,
        AdapterSettings(rank=128, targets=(*MLP, HEAD), last_layers=5),
        {"tether_targets": 0.25, "targets_slack": 0.5},
        rate_factor=0.53,
        source="27B",
    ),
    Preset(
        "mistral",
        frozenset({"mistral", "ministral", "ministral3"}),
        AdapterSettings(rank=200, alpha=64, targets=(*MLP, HEAD), last_layers=3),
        {"tether_each": 0.25, "each_slack": 0.5},
        rate_factor=0.27,
        source="Mistral Small 24B",
    ),
    Preset("glm", frozenset({"glm", "glm4"}), AdapterSettings(rank=128, targets=(HEAD,)), source="GLM-4 32B"),
    Preset("qwen", frozenset({"qwen2", "qwen3"}), AdapterSettings(rank=128), source="models in general"),
    Preset("llama", frozenset({"llama"}), AdapterSettings(rank=128), source="models in general"),
)


def preset_for(model: LanguageModel) -> tuple[Preset, str]:
    """The preset for a model, and why it is this one."""
    kind = str(model.model.config.get_text_config().model_type)
    for preset in PRESETS:
        if kind in preset.kinds and model.width <= (preset.widest or model.width):
            return preset, f"preset {preset.family}: a {kind} {model.width} wide; made for {preset.source}"
    return NO_PRESET, f"no preset for model type {kind!r}: the defaults"


def with_preset(settings: FtpoSettings, model: LanguageModel) -> tuple[FtpoSettings, str]:
    """What a user set, over what the model's preset sets, over the defaults; and which preset that is.

    A preset made for wide models has too high a rank for narrow ones: `WIDTH_PER_RANK` limits it.
    """
    preset, reason = preset_for(model)
    most = max(1, model.width // WIDTH_PER_RANK)
    is_own = "rank" in settings.adapter.model_fields_set
    rank = settings.adapter.rank if is_own else min(preset.adapter.rank, most)
    chosen = FtpoSettings.from_user(merge_settings(preset.settings(rank), settings.model_dump(exclude_unset=True)))
    # Said by what came of it: a run that goes on was given every setting.
    if chosen.adapter.rank == most < preset.adapter.rank:
        reason += f"; rank {most} instead of {preset.adapter.rank}, as it is that narrow"
    return chosen, reason
