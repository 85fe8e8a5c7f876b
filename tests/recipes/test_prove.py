from pathlib import Path

import pytest

from planish.errors import DataError, UsageError
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.recipes.outcome import Outcome
from planish.recipes.prove import prove
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.steer.sampling import Sampling

PROMPTS = [opening(f"{number} mice") for number in range(6)]
NAMES = {
    "slop_index",
    "kl_per_token",
    "distinct_2",
    "words_per_text",
    "repetition",
    "refusal_share",
    "perplexity_reference",
}


@pytest.fixture(autouse=True)
def _known_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planish.recipes.prove.slop_index_rules", lambda: [BanRule(text="a")])


def proved(before: LanguageModel, after: LanguageModel, rules: list[BanRule] | None = None) -> Outcome:
    return prove(before, after, PROMPTS, rules or [], samples=2, sampling=Sampling(max_tokens=12))


def by_name(outcome: Outcome) -> dict[str, Evidence]:
    return {line.name: line for line in outcome.evidence}


def test_a_model_is_the_same_as_itself(tiny: LanguageModel) -> None:
    lines = by_name(proved(tiny, tiny))
    assert set(lines) == NAMES
    assert all(line.difference == line.low == line.high == 0 for line in lines.values())
    guards = {name for name, line in lines.items() if line.margin is not None}
    assert guards == NAMES - {"slop_index"}
    assert {lines[name].verdict for name in guards} == {"same"}
    assert lines["slop_index"].verdict == "unclear"


def test_another_model_has_moved(tiny: LanguageModel) -> None:
    outcome = proved(tiny, tiny_llama(seed=1), [BanRule(text="b")])
    lines = by_name(outcome)
    assert set(lines) == NAMES | {"slop_per_1k_words"}
    assert [line.name for line in outcome.evidence][:2] == ["slop_per_1k_words", "slop_index"]
    assert lines["kl_per_token"].verdict == lines["perplexity_reference"].verdict == "changed"
    assert {name: line.n for name, line in lines.items()} == dict.fromkeys(lines, 6) | {"perplexity_reference": 12}
    assert {line.group for name, line in lines.items() if name != "perplexity_reference"} == {"prompts"}
    assert outcome.model is None, "nothing is trained"


def test_both_models_write_for_all_prompts_with_the_same_draws(tiny: LanguageModel) -> None:
    rows = proved(tiny, tiny_llama(seed=1)).rows
    before, after = ([row for row in rows[name] if isinstance(row, Generation)] for name in ("before", "after"))
    assert [text.id for text in before] == [text.id for text in after]
    assert {text.prompt_id for text in before} == {prompt.id for prompt in PROMPTS}
    assert [text.text for text in before] != [text.text for text in after]


def test_the_index_and_the_given_list_are_counted_apart(tiny: LanguageModel) -> None:
    same = by_name(proved(tiny, tiny, [BanRule(text="a")]))
    assert same["slop_index"].before == same["slop_per_1k_words"].before
    assert same["slop_index"].judge == same["slop_per_1k_words"].judge
    other = by_name(proved(tiny, tiny, [BanRule(text="never written at all")]))
    assert other["slop_per_1k_words"].before == 0
    assert other["slop_index"].judge != other["slop_per_1k_words"].judge


def test_a_users_own_reference_text_is_read_before_anything_is_written(
    tiny: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prose.txt").write_text("\n###\n".join(["It rained."] * 5), encoding="utf-8")
    own = prove(tiny, tiny, PROMPTS, samples=1, sampling=Sampling(max_tokens=3), reference=tmp_path / "prose.txt")
    assert by_name(own)["perplexity_reference"].n == 5
    monkeypatch.setattr("planish.recipes.prove.write_all", None)
    with pytest.raises(DataError, match=r"none\.txt"):
        prove(tiny, tiny, PROMPTS, reference=tmp_path / "none.txt")


def test_models_that_would_see_different_prompts_are_not_compared(tiny: LanguageModel) -> None:
    other = tiny_llama()
    other.tokenizer.chat_template = "{{ messages }}"
    with pytest.raises(UsageError, match="chat template"):
        proved(tiny, other)


def test_a_saved_proof_has_a_page_that_names_every_line(tiny: LanguageModel, tmp_path: Path) -> None:
    outcome = proved(tiny, tiny_llama(seed=1), [BanRule(text="b")])
    outcome.save(tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(line.name in page for line in outcome.evidence)
    assert PROMPTS[0].content in page
