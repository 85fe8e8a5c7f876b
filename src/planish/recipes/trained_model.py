"""What a training leaves for others to load: the model with its adapter in it, the adapter alone, and GGUF."""

from pathlib import Path

from planish.models.loading import model_folder
from planish.train.adapter import Adapted
from planish.train.gguf import GgufType, export_gguf
from planish.train.merge import merge_adapter

ADAPTER = "adapter"
# The one model that has no files to be merged into.
WITHOUT_FILES = "tiny"


def save_trained(
    folder: Path,
    name: str,
    adapted: Adapted,
    adapter: Path,
    strength: float,
    *,
    merge: bool = True,
    gguf: GgufType | None = None,
) -> None:
    """Fill a folder with a model, each of its weights in the dtype that it has in its own files.

    Args:
        folder: to be filled.
        name: of the model as it was.
        adapted: that model with the adapter.
        adapter: the folder that the adapter was saved in, whole.
        strength: how much of the adapter is kept.
        merge: whether the model is saved with it, beside the adapter alone.
        gguf: the type of the weights in a GGUF file of the merged model; None: there is none.

    Raises:
        ModelError: the two do not fit each other, the disk is full, or there is no converter.
    """
    if merge and name == WITHOUT_FILES:
        adapted.merged(strength).save(folder)
    elif merge:
        merge_adapter(model_folder(name), adapter, folder, strength)
    if gguf is not None:
        target = folder / f"model-{gguf}.gguf"
        export_gguf(folder, target, gguf)
        # It names places on this machine.
        target.with_name(f"{target.name}.log").unlink()
    adapted.save(folder / ADAPTER, strength)
