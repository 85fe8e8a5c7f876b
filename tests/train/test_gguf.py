import os
import shutil
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import pytest

from fake_converter import install_converter
from planish.errors import ModelError, UsageError
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.train.gguf import export_gguf


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tiny_llama().save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is all of the PATH."""
    monkeypatch.delenv("LLAMA_CPP_DIR", raising=False)
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    return tmp_path / "path"


@pytest.mark.parametrize("name", ["convert_hf_to_gguf.py", "convert-hf-to-gguf"])
@pytest.mark.parametrize("kind", ["f16", "bf16", "f32", "q8_0"])
def test_a_converter_on_the_path_is_run_by_its_own_python_and_offline(
    name: str, kind: Literal["f16", "bf16", "f32", "q8_0"], bare: Path, model: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own-python"
    own.symlink_to(sys.executable)
    install_converter(bare, name, python=str(own))
    target = tmp_path / "new" / "model.gguf"
    export_gguf(model, target, kind)
    assert target.read_text() == f"{kind} {model} 1 {own}"
    assert "INFO: reading" in (tmp_path / "new" / "model.gguf.log").read_text()
    assert len(list(target.parent.iterdir())) == 2


def test_the_folder_that_the_environment_names_comes_first(
    bare: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_converter(bare, python="/nowhere")
    install_converter(tmp_path / "llama.cpp", python="/nowhere")
    monkeypatch.setenv("LLAMA_CPP_DIR", str(tmp_path / "llama.cpp"))
    export_gguf(model, tmp_path / "model.gguf", "f16")
    assert (tmp_path / "model.gguf").read_text().endswith(sys.executable)


def test_without_a_converter_it_says_what_to_install(bare: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        export_gguf(model, tmp_path / "model.gguf", "f16")
    assert "convert_hf_to_gguf.py" in caught.value.message
    assert "LLAMA_CPP_DIR" in caught.value.hint
    assert "llama.cpp" in caught.value.hint


def test_a_folder_without_a_converter_is_named(
    bare: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_converter(bare)
    monkeypatch.setenv("LLAMA_CPP_DIR", str(tmp_path / "elsewhere"))
    with pytest.raises(ModelError, match="elsewhere"):
        export_gguf(model, tmp_path / "model.gguf", "f16")


def test_a_failure_is_its_last_line_and_leaves_what_was_there(
    bare: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_converter(bare)
    monkeypatch.setenv("FAKE_FAILS", "sesame-open-1234")
    monkeypatch.setenv("HF_TOKEN", "sesame-open-1234")
    (tmp_path / "model.gguf").write_text("the one before")
    with pytest.raises(ModelError) as caught:
        export_gguf(model, tmp_path / "model.gguf", "f16")
    assert "NotImplementedError: unknown shape, token" in caught.value.message
    assert "sesame" not in caught.value.message
    assert "Traceback" not in caught.value.message
    assert "model.gguf.log" in caught.value.hint
    assert (tmp_path / "model.gguf").read_text() == "the one before"
    assert not list(tmp_path.glob("*.partial"))


def test_a_converter_that_writes_nothing_has_failed(
    bare: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_converter(bare)
    monkeypatch.setenv("FAKE_FORGETS", "1")
    with pytest.raises(ModelError, match="INFO: reading"):
        export_gguf(model, tmp_path / "model.gguf", "f16")


def test_a_converter_that_cannot_start_is_one_line(bare: Path, model: Path, tmp_path: Path) -> None:
    install_converter(bare, python="/nowhere")
    with pytest.raises(UsageError) as caught:
        export_gguf(model, tmp_path / "model.gguf", "f16")
    assert "convert_hf_to_gguf.py" in caught.value.message


def test_code_that_comes_with_a_model_is_never_shown_to_the_converter(bare: Path, model: Path, tmp_path: Path) -> None:
    install_converter(bare)
    for name, text in {"modeling_own.py": "", "tokenizer_config.json": '{"auto_map": {}}'}.items():
        other = tmp_path / f"with {name}"
        shutil.copytree(model, other)
        (other / name).write_text(text)
        with pytest.raises(ModelError, match=name):
            export_gguf(other, tmp_path / "model.gguf", "f16")
    assert not list(tmp_path.glob("model.gguf*"))


def test_a_folder_without_a_model_is_refused(bare: Path, tmp_path: Path) -> None:
    install_converter(bare)
    with pytest.raises(ModelError, match=r"config\.json"):
        export_gguf(tmp_path, tmp_path / "model.gguf", "f16")


HAS_CONVERTER = bool(os.environ.get("LLAMA_CPP_DIR") or shutil.which("convert_hf_to_gguf.py"))


@pytest.mark.skipif(not HAS_CONVERTER, reason="llama.cpp's converter is not installed")
@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="xllamacpp is not installed")
@pytest.mark.parametrize("kind", ["f32", "q8_0"])
def test_llama_cpp_writes_what_the_model_writes(
    kind: Literal["f32", "q8_0"], stories: LanguageModel, tmp_path: Path
) -> None:
    stories.save(tmp_path / "model")
    export_gguf(tmp_path / "model", tmp_path / "model.gguf", kind)
    xllamacpp: Any = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(tmp_path / "model.gguf")
    params.n_ctx, params.n_gpu_layers, params.warmup, params.verbosity = 256, 0, False, -1
    server = xllamacpp.Server(params)
    prompt = "Once upon a time, there was a little girl"
    answer = server.handle_completions({"prompt": prompt, "max_tokens": 24, "temperature": 0})
    ids = stories.tokenizer(prompt, return_tensors="pt")
    written = stories.model.generate(**ids, max_new_tokens=24, do_sample=False)[0]
    expected = str(stories.tokenizer.decode(written[ids["input_ids"].shape[1] :], skip_special_tokens=True))
    text = answer["choices"][0]["text"]
    assert text.strip()[:40] == expected.strip()[:40]
