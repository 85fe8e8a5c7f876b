"""Settings that look at what was written before: every one has its effect, and transformers' own where it has one."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from custom_steers import Script
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.errors import UsageError
from planish.find.slop import Slop
from planish.models.language_model import LanguageModel
from planish.records.generation import Generation
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

PROMPTS = [opening("Once upon a time"), opening("Hello")]


def greedily(model: LanguageModel, **setting: Any) -> list[Generation]:
    return Engine(model, sampling=Sampling(max_tokens=40, temperature=0, **setting)).generate(PROMPTS)


@pytest.mark.parametrize("name", ["tiny", "stories"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"repetition_penalty": 1.5}, {"repetition_penalty": 1.5}),
        ({"repetition_penalty": 0.8}, {"repetition_penalty": 0.8}),
        ({"no_repeat_ngram": 2}, {"no_repeat_ngram_size": 2}),
        ({"no_repeat_ngram": 1, "repetition_penalty": 1.2}, {"no_repeat_ngram_size": 1, "repetition_penalty": 1.2}),
        ({"min_tokens": 30, "repetition_penalty": 1.5}, {"min_new_tokens": 30, "repetition_penalty": 1.5}),
    ],
)
def test_greedy_search_with_a_setting_is_that_of_transformers(
    name: str, ours: dict[str, Any], theirs: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    model: LanguageModel = request.getfixturevalue(name)
    texts = greedily(model, **ours)
    for prompt, text in zip(PROMPTS, texts, strict=True):
        ids = torch.tensor([model.encode(prompt)])
        greedy = model.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40, pad_token_id=0, **theirs
        )
        assert list(text.token_ids) == greedy[0, ids.shape[1] :].tolist()
    assert texts != greedily(model)


def test_no_text_ends_before_the_fewest_tokens(tiny: LanguageModel) -> None:
    (end,) = tiny.end_ids
    ids = tiny.tokenizer("ab")["input_ids"]

    def text(fewest: int) -> Generation:
        sampling = Sampling(max_tokens=9, min_tokens=fewest)
        return Engine(tiny, [Script([*ids, end, *ids, end])], sampling).generate(PROMPTS[:1])[0]

    assert text(0).token_ids == text(2).token_ids == (*ids, end)
    assert len(text(3).token_ids) >= 3
    assert end not in text(3).token_ids[:2]
    assert len(text(4).token_ids) == 6


def test_a_row_that_may_write_nothing_any_more_fails(tiny: LanguageModel) -> None:
    sampling = Sampling(max_tokens=400, min_tokens=400, no_repeat_ngram=1)
    (text,) = Engine(tiny, sampling=sampling).generate([opening("Hello")])
    assert text.status == "failed"
    assert "no token" in text.error
    assert len(set(text.token_ids)) == len(text.token_ids) > 200


# --- stop strings


def written(model: LanguageModel, pieces: Sequence[str], stop: Sequence[str], **setting: Any) -> Generation:
    ids = [token for piece in pieces for token in model.tokenizer(piece, add_special_tokens=False)["input_ids"]]
    sampling = Sampling(max_tokens=len(ids), temperature=0, stop=tuple(stop), **setting)
    return Engine(model, [Script(ids)], sampling).generate([opening("Hello")])[0]


@pytest.mark.parametrize(
    ("text", "stop", "left"),
    [
        ("abcdef", ["d"], "abc"),
        ("abcdef", ["cde"], "ab"),
        ("abcdef", ["f"], "abcde"),
        ("abcdef", ["abc"], ""),
        ("abcabd", ["abd", "zz"], "abc"),
        ("abcdef", ["ef", "bcd"], "a"),
        ("aaab", ["ab"], "aa"),
        ("éaéü", ["ü"], "éaé"),
        ("ab\n\nc", ["\n\n"], "ab"),
    ],
)
def test_a_text_ends_before_the_first_stop_string(tiny: LanguageModel, text: str, stop: list[str], left: str) -> None:
    generation = written(tiny, [text], stop)
    assert (generation.text, generation.finish, generation.status) == (left, "stop", "ok")
    assert generation.token_ids == tuple(tiny.tokenizer(left)["input_ids"])
    assert generation.char_ends[-1:] == ((len(left),) if left else ())
    assert generation.tokens_spent > len(generation.token_ids)


def test_a_stop_string_that_never_comes_changes_nothing(tiny: LanguageModel) -> None:
    assert written(tiny, ["abcdef"], ["xy", "Hello"]) == written(tiny, ["abcdef"], [])


@settings(max_examples=8)
@given(
    st.lists(st.sampled_from(["e", "the", " t", "ere", ". ", "he w", "girl"]), min_size=1, max_size=3),
    st.integers(0, 5),
)
def test_tokens_and_characters_stay_together_where_a_text_is_stopped(
    stories: LanguageModel, stop: list[str], seed: int
) -> None:
    def texts(sampling: Sampling) -> list[Generation]:
        return Engine(stories, sampling=sampling).generate(PROMPTS, samples=2, seed=seed)

    plain = texts(Sampling(max_tokens=40))
    stopped = texts(Sampling(max_tokens=40, stop=tuple(stop)))
    for whole, cut in zip(plain, stopped, strict=True):
        starts = [start for string in stop if (start := whole.text.find(string)) >= 0]
        if not starts:
            assert cut == whole
            continue
        assert cut.finish == "stop"
        assert cut.text == whole.text[: len(cut.text)]
        assert not any(string in cut.text for string in stop)
        assert whole.text.startswith(tuple(stop), len(cut.text))
        kept = bisect_left([0, *whole.char_ends[:-1]], len(cut.text))
        assert cut.token_ids == whole.token_ids[:kept]
        assert cut.char_ends == tuple(min(end, len(cut.text)) for end in whole.char_ends[:kept])


@pytest.mark.parametrize("stop", ["|", " |", "b|"])
def test_a_word_that_ends_before_a_stop_string_is_seen_by_a_ban(tiny: LanguageModel, stop: str) -> None:
    ban = Ban(Slop([BanRule(text="xa"), BanRule(text="xab"), BanRule(text="xab |")]))
    ids = tiny.tokenizer("xab" + stop.removeprefix("b"))["input_ids"]
    sampling = Sampling(max_tokens=20, temperature=0, stop=(stop,))
    (text,) = Engine(tiny, [Script(ids), ban], sampling).generate([opening("Hello")])
    # The script leaves no other choice, so the ban lets it pass.
    assert text.text in ("xa", "xab")
    assert [(event.rule, event.let_pass) for event in text.events] == [(text.text, True)]


def test_what_was_let_pass_before_a_stop_string_is_counted_once(tiny: LanguageModel) -> None:
    # The script leaves no other choice, so the ban lets everything pass.
    ban = Ban(Slop([BanRule(text="."), BanRule(text="!")]))
    ids = tiny.tokenizer(".!|.")["input_ids"]
    sampling = Sampling(max_tokens=20, temperature=0, stop=("!|",))
    (text,) = Engine(tiny, [Script(ids), ban], sampling).generate([opening("Hello")])
    assert text.text == "."
    assert [(event.rule, event.position, event.path) for event in text.events] == [(".", 0, 0), ("!", 1, 1)]
    assert text.branches == (tuple(ids[:2]),)


# --- as a user writes them


def test_one_string_or_several_may_stop_a_text() -> None:
    assert Sampling.from_user({"stop": "END"}).stop == ("END",)
    assert Sampling.from_user({"stop": ["END", "\n"]}).stop == ("END", "\n")


def test_settings_from_the_command_line_are_read_as_numbers() -> None:
    read = Sampling.from_user({"repetition_penalty": "1.2", "no_repeat_ngram": "3", "min_tokens": "5"})
    assert read == Sampling(repetition_penalty=1.2, no_repeat_ngram=3, min_tokens=5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"repetition_penalty": 0},
        {"no_repeat_ngram": 0},
        {"min_tokens": -1},
        {"min_tokens": 9, "max_tokens": 8},
        {"stop": ""},
        {"stop": ["END", ""]},
        {"stop": [3]},
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Sampling.from_user(wrong)
