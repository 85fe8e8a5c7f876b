from pathlib import Path

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from planish.errors import DataError
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.prove.reference import MOST_PASSAGES, perplexity_reference, reference_passages
from planish.text.words import words

PASSAGES = ["It rained all day.", "He sold batteries to the man with the dog.", "No.", "Then she left.", "Why so?"]


def saved(folder: Path, text: str, name: str = "prose.txt") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@torch.no_grad()
def plain_loss(model: LanguageModel, passage: str) -> tuple[float, int]:
    ids = model.tokenizer(passage)["input_ids"][: model.context]
    logits = model.model(input_ids=torch.tensor([ids])).logits[0, :-1].double()
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum")), len(ids) - 1


def test_perplexity_is_weighted_by_tokens() -> None:
    before, after = tiny_llama(), tiny_llama(seed=1)
    long = "word " * 300  # longer than the model's context: only the beginning is read
    line = perplexity_reference(before, after, [*PASSAGES, long])
    for model, figure in ((before, line.before), (after, line.after)):
        losses, tokens = zip(*(plain_loss(model, passage) for passage in [*PASSAGES, long]), strict=True)
        assert max(tokens) == model.context - 1
        assert figure == pytest.approx(torch.tensor(sum(losses) / sum(tokens)).exp().item(), rel=1e-3)
    assert line.margin == pytest.approx(0.05 * line.before)
    assert (line.name, line.group, line.n, line.better) == ("perplexity_reference", "reference text", 6, "same")


def test_a_model_foresees_as_well_as_itself(tiny: LanguageModel) -> None:
    line = perplexity_reference(tiny, tiny, PASSAGES)
    assert (line.difference, line.low, line.high, line.verdict) == (0, 0, 0, "same")
    assert line.before > 1


def test_our_own_prose_is_twelve_passages() -> None:
    passages = reference_passages()
    assert len(passages) == 12
    assert all(300 <= len(words(passage)) <= 450 for passage in passages)
    assert not any("###" in passage for passage in passages)


@given(documents=st.lists(st.lists(st.integers(1, 700), min_size=1, max_size=6), min_size=1, max_size=4))
def test_passages_are_whole_paragraphs_in_order_and_keep_every_word(
    documents: list[list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    texts = [
        [" ".join([f"w{place}x{number}"] * size) for number, size in enumerate(sizes)]
        for place, sizes in enumerate(documents)
    ]
    path = saved(tmp_path_factory.mktemp("prose"), "\n###\n".join("\n\n".join(paragraphs) for paragraphs in texts))
    passages = reference_passages(path)
    cut = [paragraph for passage in passages for paragraph in passage.split("\n\n")]
    assert cut == [paragraph for paragraphs in texts for paragraph in paragraphs]
    for passage in passages:
        said = words(passage)
        assert len({word.split("x")[0] for word in said}) == 1, "no passage runs into the next document"
        # The last paragraph and a short rest are all that may come on top.
        assert len(said) < 300 + 700 + 150
    for paragraphs in texts:
        of_document = [
            len(words(passage)) for passage in passages if passage.startswith(paragraphs[0].split("x")[0] + "x")
        ]
        assert all(size >= 300 for size in of_document[:-1])
        assert len(of_document) == 1 or of_document[-1] >= 150


def test_of_a_long_text_passages_are_taken_evenly(tmp_path: Path) -> None:
    path = saved(tmp_path, "\n\n".join(f"{number} " + "word " * 299 for number in range(1000)))
    passages = reference_passages(path)
    numbers = [int(passage.split()[0]) for passage in passages]
    assert len(passages) == MOST_PASSAGES
    assert numbers == list(range(0, 1000, 1000 // MOST_PASSAGES))


def test_rows_of_a_parquet_file_are_documents(tmp_path: Path) -> None:
    pl.DataFrame({"other": [1, 2, 3], "text": ["One two.", None, "Three."]}).write_parquet(tmp_path / "prose.parquet")
    assert reference_passages(tmp_path / "prose.parquet") == ["One two.", "Three."]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    pl.DataFrame({"other": [1]}).write_parquet(tmp_path / "other.parquet")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    paths = [
        tmp_path / "none.txt",
        tmp_path,
        saved(tmp_path, " \n###\n\n"),
        saved(tmp_path, "no parquet", "broken.parquet"),
        tmp_path / "other.parquet",
        tmp_path / "bytes.txt",
    ]
    for path in paths:
        with pytest.raises(DataError, match=path.name) as caught:
            reference_passages(path)
        assert caught.value.hint
