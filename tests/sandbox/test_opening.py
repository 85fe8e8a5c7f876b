import pytest

from planish.errors import MissingPackageError, PlanishError, UsageError
from planish.sandbox import opening
from planish.sandbox.job import Limits
from planish.sandbox.opening import KINDS, missing_of_kinds, open_sandbox


def lacking(monkeypatch: pytest.MonkeyPatch, **lacks: str) -> None:
    monkeypatch.setattr(opening, "missing_of_kinds", lambda: dict.fromkeys(KINDS, "") | lacks)


def test_every_kind_is_either_offered_or_said_to_lack_something() -> None:
    lacks = missing_of_kinds()
    assert set(lacks) == set(KINDS)
    for kind, lacked in lacks.items():
        if lacked:
            with pytest.raises(PlanishError):
                open_sandbox(kind)
        else:
            assert open_sandbox(kind, Limits(call_s=0.1)).name == kind


def test_webassembly_is_taken_before_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(monkeypatch)
    assert open_sandbox().name == "wasm"


def test_linux_is_taken_where_webassembly_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    if missing_of_kinds()["linux"]:
        pytest.skip("this is no such machine")
    lacking(monkeypatch, wasm="the package wasmtime")
    assert open_sandbox("auto").name == "linux"


@pytest.mark.parametrize("kind", ["auto", "wasm"])
def test_where_there_is_no_sandbox_one_line_adds_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(monkeypatch, wasm="the package wasmtime", linux="Linux")
    monkeypatch.setattr("planish.sandbox.wasm_image.lacking_package", lambda: "wasmtime")
    with pytest.raises(MissingPackageError, match="wasmtime") as raised:
        open_sandbox(kind)
    assert raised.value.hint == "pip install 'planish[sandbox]'"


def test_a_named_sandbox_is_never_replaced_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking(monkeypatch, linux="a kernel with Landlock")
    with pytest.raises(PlanishError, match="needs a kernel with Landlock"):
        open_sandbox("linux")


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'exec'") as raised:
        open_sandbox("exec")
    assert all(kind in raised.value.hint for kind in ("auto", *KINDS))
