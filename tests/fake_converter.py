"""A stand-in for llama.cpp's converter: it says what it was asked for."""

import sys
from pathlib import Path

FAKE = """#!{python}
import os, sys
model, *flags = sys.argv[1:]
options = dict(zip(flags[::2], flags[1::2]))
print("INFO: reading", model, flush=True)
print("Writing:  50%|#####     | 1/2", end="\\r", file=sys.stderr, flush=True)
if os.environ.get("FAKE_FAILS"):
    open(options["--outfile"], "w").write("half")
    print("Traceback (most recent call last):\\n  File x", file=sys.stderr)
    print("NotImplementedError: unknown shape, token", end=" ", file=sys.stderr)
    sys.exit(os.environ["FAKE_FAILS"])
if not os.environ.get("FAKE_FORGETS"):
    text = f"{{options['--outtype']}} {{model}} {{os.environ['HF_HUB_OFFLINE']}} {{sys.executable}}"
    open(options["--outfile"], "w").write(text)
"""


def install_converter(folder: Path, name: str = "convert_hf_to_gguf.py", python: str = sys.executable) -> None:
    """Put it into a folder under one of the names that it has."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(FAKE.format(python=python))
    (folder / name).chmod(0o755)
