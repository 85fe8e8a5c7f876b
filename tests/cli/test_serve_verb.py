import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from in_process import Planish
from openai import OpenAI

from planish.models.language_model import LanguageModel
from planish.records.prompt import opening
from planish.steer.contrast import Contrast, LogRatio, behind
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

KEY = "a key of many letters"


@contextmanager
def served(folder: Path, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A server in a process of its own; the process, its address, and what it said."""
    command = [sys.executable, "-m", "planish.cli", "serve", "tiny", "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*command, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "KEY_HERE": KEY},
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        address = re.search(r"http://\S+/v1", said)
        assert address, said
        yield process, address.group(), said
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(tmp_path: Path, sent: signal.Signals) -> None:
    (tmp_path / "list.txt").write_text("re: [a-z]\n", encoding="utf-8")
    with served(tmp_path, "--ban", "list.txt", "--name", "mine", "--api-key-env", "KEY_HERE") as (process, url, said):
        assert all(word in said for word in ("mine", "texts at once", "ban list.txt"))
        assert KEY not in said
        client = OpenAI(base_url=url, api_key=KEY, max_retries=0)
        assert [model.id for model in client.models.list()] == ["mine"]
        stream = client.completions.create(model="mine", prompt="Once", max_tokens=400, stream=True)
        text = next(iter(stream)).choices[0].text
        process.send_signal(sent)
        # The stream goes on to its end.
        text += "".join(chunk.choices[0].text for chunk in stream)
        assert not any(char.isascii() and char.isalpha() for char in text)
        _, rest = process.communicate(timeout=60)
        assert process.returncode == 0
        assert rest == ""


def test_what_it_serves_is_steered_by_a_contrast_with_all_its_options(tmp_path: Path, tiny: LanguageModel) -> None:
    steer = Contrast(None, LogRatio(strength=3, cut=True), other_prompt=behind("A gloomy night. "))
    sampling = Sampling(max_tokens=7, temperature=0)
    wanted = Engine(tiny, [steer], sampling).generate([opening("Once")])[0].text
    assert wanted != Engine(tiny, sampling=sampling).generate([opening("Once")])[0].text
    contrast = ["--contrast", "tiny", "--contrast-strength", 3, "--contrast-prompt", "A gloomy night. "]
    with served(tmp_path, *contrast, "--set", "contrast.cut=true", "--set", "text_tokens=7") as (_, url, said):
        assert "contrast tiny" in said
        client = OpenAI(base_url=url, api_key="none", max_retries=0)
        answer = client.completions.create(model="tiny", prompt="Once", temperature=0, max_tokens=99)
    assert answer.choices[0].text == wanted


@pytest.mark.parametrize(
    ("code", "named", "arguments"),
    [
        (2, "--api-key-env", ["--host", "0.0.0.0"]),
        (2, "NO_SUCH_VARIABLE", ["--api-key-env", "NO_SUCH_VARIABLE"]),
        (2, "'waiting'", ["--set", "waitng=3"]),
        (2, "waiting", ["--set", "waiting=none"]),
        (1, "none.txt", ["--ban", "none.txt"]),
        (2, "latest", ["--contrast", "latest"]),
        (2, "amplified", ["--contrast", "no such model", "--contrast-mode", "amplify"]),
        (2, "'plausible'", ["--contrast", "no such model", "--set", "contrast.plausibel=0.5"]),
        (1, "no adapter", ["--contrast", "base", "--device", "cpu"]),
    ],
)
def test_what_cannot_be_is_named(planish: Planish, code: int, named: str, arguments: list[object]) -> None:
    assert named in planish.fails(code, "serve", "tiny", *arguments)


def test_a_port_that_is_taken_is_named(planish: Planish) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in planish.fails(2, "serve", "tiny", "--port", port, "--device", "cpu")
