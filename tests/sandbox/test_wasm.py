"""What the WebAssembly sandbox owes beside what every sandbox does."""

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from planish.errors import MissingPackageError, PlanishError
from planish.sandbox import wasm_image
from planish.sandbox.job import Answer, Job, Limits
from planish.sandbox.wasm import WasmSandbox

LIMITS = Limits(call_s=0.05)
YES = Job("def evaluate(response): return response == 'yes'", ("yes", "no"))
RIGHT = [Answer("pass"), Answer("fail")]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[WasmSandbox]:
    if WasmSandbox.missing():
        pytest.skip(f"this machine lacks {WasmSandbox.missing()}")
    with WasmSandbox(LIMITS) as opened:
        yield opened


def verdicts(sandbox: WasmSandbox, source: str, *texts: str) -> list[str]:
    [answers] = sandbox.run([Job(source, texts)])
    return [answer.verdict for answer in answers]


def test_answers_stand_in_the_order_of_jobs_and_texts(sandbox: WasmSandbox) -> None:
    jobs = [Job(f"def evaluate(response): return int(response) < {turn}", ("3", "7", "5")) for turn in range(10)]
    expected = [[Answer("pass" if number < turn else "fail") for number in (3, 7, 5)] for turn in range(10)]
    assert sandbox.run(jobs) == expected


def test_no_jobs_and_no_texts_have_no_answers(sandbox: WasmSandbox) -> None:
    assert sandbox.run([]) == []
    assert sandbox.run([Job(YES.source, ())]) == [[]]


def test_a_text_that_never_ends_costs_the_others_nothing(sandbox: WasmSandbox) -> None:
    source = "def evaluate(response):\n    while response == 'x': pass\n    return response == 'yes'"
    assert verdicts(sandbox, source, "yes", "x", "no", "x") == ["pass", "timeout", "fail", "timeout"]


def test_texts_behind_three_that_never_end_are_given_up(sandbox: WasmSandbox) -> None:
    assert verdicts(sandbox, "def evaluate(response):\n    while True: pass", *"abcdefgh") == ["timeout"] * 8


def test_a_verifier_that_never_loads_times_out_on_every_text(sandbox: WasmSandbox) -> None:
    assert verdicts(sandbox, "while True: pass", "a", "b", "c", "d", "e") == ["timeout"] * 5


def test_a_text_that_breaks_the_interpreter_is_an_error_and_costs_the_others_nothing(sandbox: WasmSandbox) -> None:
    source = """
import sys
sys.setrecursionlimit(10 ** 9)
class Endless:
    def __getattr__(self, name): return getattr(self, name + "x")
def evaluate(response): return response == "yes" or Endless().start
"""
    assert verdicts(sandbox, source, "yes", "x", "yes") == ["pass", "error", "pass"]


def test_every_time_out_comes_at_the_same_instruction(sandbox: WasmSandbox) -> None:
    """With loops of growing length, two sandboxes give up at the same one."""
    source = "def evaluate(response):\n    for _ in range(int(response)): pass\n    return True"
    jobs = [Job(source, (str(400_000 * turns),)) for turns in range(1, 25)]
    first = sandbox.run(jobs)
    with WasmSandbox(LIMITS) as second:
        assert second.run(jobs) == first
    assert {answers[0].verdict for answers in first} == {"pass", "timeout"}


def test_a_longer_call_is_allowed_where_the_limit_is_longer() -> None:
    if WasmSandbox.missing():
        pytest.skip(f"this machine lacks {WasmSandbox.missing()}")
    source = "def evaluate(response):\n    for _ in range(10_000_000): pass\n    return True"
    for limits, verdict in ((Limits(call_s=0.05), "timeout"), (Limits(call_s=2), "pass")):
        with WasmSandbox(limits) as sandbox:
            assert verdicts(sandbox, source, "x") == [verdict]


def test_a_verifier_cannot_ask_for_more_time_than_it_has_texts(sandbox: WasmSandbox) -> None:
    source = """
import sys
def evaluate(response):
    frame = sys._getframe()
    while "begin" not in frame.f_locals: frame = frame.f_back
    while True: frame.f_locals["begin"](0)
"""
    [[answer]] = sandbox.run([Job(source, ("x",))])
    assert answer.verdict == "error"
    assert "begins what it was not given" in answer.detail


def test_memory_ends_where_the_limit_is(sandbox: WasmSandbox) -> None:
    source = "def evaluate(response): return len(b'x' * (int(response) << 20)) > 0"
    assert verdicts(sandbox, source, "100", "300") == ["pass", "error"]


def test_no_job_finds_anything_of_the_one_before_it(sandbox: WasmSandbox) -> None:
    leave = "import builtins, json\nbuiltins.left = json.left = 1\ndef evaluate(response): return True"
    find = "import builtins, json\ndef evaluate(response): return hasattr(builtins, 'left') or hasattr(json, 'left')"
    found = sandbox.run([Job(leave, ("x",)), Job(find, ("x",))] * 10)
    assert found == [[Answer("pass")], [Answer("fail")]] * 10


def test_texts_of_any_characters_arrive_as_they_are(sandbox: WasmSandbox) -> None:
    texts = ("", "\0", "ünï", "🦊", "\ud800", "\r\n", "\u2028", '"\\')
    source = f"def evaluate(response): return response in {list(texts)!a}"
    assert verdicts(sandbox, source, *texts) == ["pass"] * len(texts)


def test_a_lost_process_is_replaced(sandbox: WasmSandbox) -> None:
    workers = [sandbox._idle.get() for _ in range(sandbox._idle.qsize())]
    for worker in workers:
        worker._process.kill()
        sandbox._idle.put(worker)
    assert sandbox.run([YES] * 10) == [RIGHT] * 10


def test_a_sandbox_opens_again_after_it_was_closed() -> None:
    if WasmSandbox.missing():
        pytest.skip(f"this machine lacks {WasmSandbox.missing()}")
    sandbox = WasmSandbox(LIMITS)
    for _ in range(2):
        with sandbox:
            assert sandbox.run([YES]) == [RIGHT]


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """An empty cache, and how often it was built for."""
    if WasmSandbox.missing():
        pytest.skip(f"this machine lacks {WasmSandbox.missing()}")
    made: list[Path] = []

    def build(scratch: Path, folder: Path, key: str) -> Path:
        (scratch / "image").write_bytes(b"image")
        made.append((scratch / "image").replace(folder / f"{key}.{wasm_image._digest(b'image')}.cwasm"))
        return made[-1]

    monkeypatch.setenv("PLANISH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(wasm_image, "_build", build)
    return made


def test_the_image_is_built_once_and_said_to_be(builds: list[Path]) -> None:
    said: list[str] = []
    first = wasm_image.compiled_image(said.append)
    assert wasm_image.compiled_image(said.append) == first
    assert len(builds) == len(said) == 1
    assert list(first.parent.iterdir()) == [first]


def test_a_damaged_image_is_built_again(builds: list[Path]) -> None:
    image = wasm_image.compiled_image(lambda _: None)
    image.write_bytes(b"imagE")
    assert wasm_image.compiled_image(lambda _: None).read_bytes() == b"image"
    assert len(builds) == 2


def test_another_guest_or_another_version_is_another_image(builds: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first = wasm_image.compiled_image(lambda _: None)
    with monkeypatch.context() as changed:
        changed.setattr(metadata, "version", lambda _: "0")
        second = wasm_image.compiled_image(lambda _: None)
    guest = first.parent / "guest.py"
    guest.write_text("changed")
    monkeypatch.setitem(wasm_image.SOURCES, "planish_sandbox_guest.py", guest)
    assert len({first, second, wasm_image.compiled_image(lambda _: None)}) == 3


def test_a_cache_that_cannot_be_written_is_named(
    builds: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PLANISH_CACHE", str(tmp_path / "file"))
    with pytest.raises(PlanishError, match=r"file.*cannot be kept|cannot be kept.*file") as raised:
        wasm_image.compiled_image(lambda _: None)
    assert "PLANISH_CACHE" in raised.value.hint
    assert builds == []


@pytest.mark.parametrize("package", wasm_image.PACKAGES)
def test_a_missing_package_is_named_with_the_line_that_adds_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == package:
            raise metadata.PackageNotFoundError
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    assert package in WasmSandbox.missing()
    with pytest.raises(MissingPackageError) as raised, WasmSandbox(LIMITS):
        pass
    assert (package in raised.value.message, raised.value.hint) == (True, "pip install 'planish[sandbox]'")
