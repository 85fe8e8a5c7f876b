from collections.abc import Callable, Sequence

import pytest
import torch
from custom_steers import Adjust, Refuse, Script
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from planish.errors import UsageError
from planish.find.slop import Slop
from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama
from planish.records.generation import Generation
from planish.records.prompt import Prompt, opening, writing_prompt
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.batch import REWINDS, REWINDS_PER_TOKEN
from planish.steer.cache import ColumnCache
from planish.steer.cap import Cap
from planish.steer.contrast import Contrast
from planish.steer.engine import Engine
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.steer.steer import MODEL, Adjustment, Needs, Rewind, Stage, Steer, Step
from planish.steer.tag import Tag

PROMPTS = [opening("Hello"), opening("A rather long beginning, so that rows differ"), writing_prompt("Go on.")]
SHORT = Sampling(max_tokens=12)


def ban_of(*phrases: str) -> Ban:
    return Ban(Slop([BanRule(text=phrase) for phrase in phrases]))


def written(generations: Sequence[Generation]) -> list[tuple[int, ...]]:
    return [generation.token_ids for generation in generations]


# --- what is written


def test_a_text_does_not_depend_on_the_batch_size(tiny: LanguageModel) -> None:
    def texts(batch_size: int) -> list[Generation]:
        engine = Engine(tiny, [ban_of(*"rmzb234")], Sampling(max_tokens=25, top_p=0.9), batch_size=batch_size)
        return engine.generate(PROMPTS, samples=4, seed=5)

    assert texts(1) == texts(3) == texts(64)
    assert any(text.events for text in texts(64))


def test_a_text_does_not_depend_on_the_other_prompts(tiny: LanguageModel) -> None:
    engine = Engine(tiny, sampling=SHORT)
    together = engine.generate(PROMPTS, samples=2, seed=1)
    alone = [text for prompt in PROMPTS for text in engine.generate([prompt], samples=2, seed=1)]
    assert together == alone


def test_samples_and_seeds_differ_and_come_in_order(tiny: LanguageModel) -> None:
    engine = Engine(tiny, sampling=SHORT)
    texts = engine.generate(PROMPTS, samples=3, seed=1)
    assert [(text.prompt_id, text.sample) for text in texts] == [(p.id, s) for p in PROMPTS for s in range(3)]
    assert len({text.id for text in texts}) == len(set(written(texts))) == 9
    assert set(written(texts)).isdisjoint(written(engine.generate(PROMPTS, samples=3, seed=2)))


def test_no_prompts_give_no_texts(tiny: LanguageModel) -> None:
    assert Engine(tiny).generate([]) == []


@pytest.mark.parametrize("name", ["tiny", "stories"])
def test_without_steers_temperature_0_is_greedy_search(name: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = request.getfixturevalue(name)
    prompts = [opening("Once upon a time"), opening("The dog")]
    texts = Engine(model, sampling=Sampling(max_tokens=40, temperature=0)).generate(prompts)
    for prompt, text in zip(prompts, texts, strict=True):
        ids = torch.tensor([model.encode(prompt)])
        greedy = model.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40, pad_token_id=0
        )
        assert list(text.token_ids) == greedy[0, ids.shape[1] :].tolist()


def test_steers_act_by_stage_whatever_their_order(tiny: LanguageModel) -> None:
    other = tiny_llama(seed=1)

    def value(hidden: Tensor, tokens: Tensor | None = None) -> Tensor:
        values = -torch.sigmoid(hidden @ to_risk)
        return values if tokens is None else values.gather(1, tokens)

    def texts(order: Sequence[int]) -> list[Generation]:
        steers = [Contrast(other), ban_of(*"rmzb234"), Cap(value, 0.0)]
        return Engine(tiny, [steers[index] for index in order], Sampling(max_tokens=12, top_p=0.9)).generate(PROMPTS, 4)

    to_risk = torch.randn(tiny.width, tiny.vocabulary, generator=torch.Generator().manual_seed(0))
    assert texts([0, 1, 2]) == texts([2, 1, 0]) == texts([1, 2, 0])


def test_companions_of_the_same_kind_do_not_displace_each_other(tiny: LanguageModel) -> None:
    # A model set apart from itself is itself, so the first contrast changes nothing.
    other = tiny_llama(seed=1)
    once = Engine(tiny, [Contrast(other)], SHORT).generate(PROMPTS, 4)
    assert written(Engine(tiny, [Contrast(tiny), Contrast(other)], SHORT).generate(PROMPTS, 4)) == written(once)
    assert written(Engine(tiny, sampling=SHORT).generate(PROMPTS, 4)) != written(once)


# --- how a text ends


def test_a_text_stops_at_the_end_token_which_is_an_id_but_no_text(tiny: LanguageModel) -> None:
    (end,) = tiny.end_ids
    ids = tiny.tokenizer("abc")["input_ids"]
    (text,) = Engine(tiny, [Script([*ids, end])], SHORT).generate([opening("Hello")])
    assert (text.finish, text.status, text.text, text.token_ids) == ("stop", "ok", "abc", (*ids, end))
    assert text.char_ends == (1, 2, 3, 3)


def test_a_text_of_the_greatest_length_ends_by_length(tiny: LanguageModel) -> None:
    ids = tiny.tokenizer("abcdef")["input_ids"]
    (text,) = Engine(tiny, [Script(ids)], Sampling(max_tokens=4)).generate([opening("Hello")])
    assert (text.finish, text.status, text.text) == ("length", "ok", "abcd")


def test_a_prompt_longer_than_the_context_fails_alone(tiny: LanguageModel) -> None:
    engine = Engine(tiny, sampling=SHORT)
    texts = engine.generate([PROMPTS[0], opening("x" * (tiny.context + 1)), PROMPTS[1]])
    assert [text.status for text in texts] == ["ok", "failed", "ok"]
    assert (texts[1].token_ids, texts[1].text, texts[1].finish) == ((), "", "failed")
    assert str(tiny.context) in texts[1].error
    assert [texts[0], texts[2]] == engine.generate(PROMPTS[:2])


def test_a_text_ends_where_the_context_is_full(tiny: LanguageModel) -> None:
    prompt = opening("x" * (tiny.context - 3))
    (text,) = Engine(tiny, [Script(tiny.tokenizer("abcdef")["input_ids"])], SHORT).generate([prompt])
    assert (text.text, text.finish) == ("abc", "length")


def test_a_model_that_cannot_be_batched_decodes_row_by_row_and_says_why(tiny: LanguageModel) -> None:
    dynamic = tiny_llama()
    dynamic.model.config.rope_parameters = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}
    engine = Engine(dynamic, [ban_of(*"rmzb234")], SHORT)
    texts = engine.generate(PROMPTS)
    assert engine.size is not None
    assert engine.size.rows == 1
    assert "dynamic" in engine.size.reason
    # So few tokens need no other angles than the model's own.
    assert texts == replace_hashes(Engine(tiny, [ban_of(*"rmzb234")], SHORT).generate(PROMPTS), texts)


def replace_hashes(texts: Sequence[Generation], others: Sequence[Generation]) -> list[Generation]:
    return [
        text.model_copy(update={"model_hash": other.model_hash, "template_hash": other.template_hash})
        for text, other in zip(texts, others, strict=True)
    ]


def test_two_caps_are_refused(tiny: LanguageModel) -> None:
    for steers, more in (([AlwaysDead(), AlwaysDead()], []), ([AlwaysDead()], [AlwaysDead()])):
        with pytest.raises(UsageError, match="two caps"):
            Engine(tiny, steers).plan(more)


# --- what goes wrong in one row


def spoil(stage: Stage, prompt: Prompt, position: int) -> Adjust:
    return Adjust(
        stage,
        lambda row, logits: (
            logits * torch.nan if row.prompt.id == prompt.id and len(row.tokens) == position else logits
        ),
    )


@pytest.mark.parametrize("stage", ["mix", "forbid", "cap"])
@pytest.mark.parametrize("position", [0, 3])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_no_numbers_fail_their_row_only(
    tiny: LanguageModel, stage: Stage, position: int, temperature: float
) -> None:
    sampling = Sampling(max_tokens=8, temperature=temperature, top_p=0.95)
    sound = Engine(tiny, sampling=sampling).generate(PROMPTS)
    texts = Engine(tiny, [spoil(stage, PROMPTS[1], position)], sampling).generate(PROMPTS)
    assert [text.status for text in texts] == ["ok", "failed", "ok"]
    assert texts[1].error
    assert texts[1].token_ids == sound[1].token_ids[:position]
    assert [texts[0], texts[2]] == [sound[0], sound[2]]


@pytest.mark.parametrize("position", [0, 3])
def test_a_failing_row_in_a_dead_end_stops_nothing_else(tiny: LanguageModel, position: int) -> None:
    cap = Cap(lambda hidden, _=None: torch.zeros(len(hidden), tiny.vocabulary), 0.0)
    texts = Engine(tiny, [spoil("mix", PROMPTS[1], position), cap], SHORT).generate(PROMPTS)
    assert [text.status for text in texts] == ["ok", "failed", "ok"]


def test_a_value_that_is_no_number_fails_its_row_only(tiny: LanguageModel) -> None:
    calls = 0

    def value(hidden: Tensor, _: Tensor | None = None) -> Tensor:
        nonlocal calls
        calls += 1
        risks = torch.zeros(len(hidden), tiny.vocabulary)
        if calls == 3:
            risks[1] = torch.nan
        return risks

    texts = Engine(tiny, [Cap(value, 0.0)], SHORT).generate(PROMPTS)
    assert [text.status for text in texts] == ["ok", "failed", "ok"]


# --- prompts with tags


@pytest.fixture(scope="module")
def tagged() -> LanguageModel:
    model = tiny_llama()
    add_tags(model, ["<|good|>", "<|bad|>"])
    return model


def with_tag(prompt: Prompt) -> Prompt:
    return prompt.model_copy(update={"tag": "<|good|>"})


def test_prompts_with_and_without_a_tag_are_refused_in_one_call(tagged: LanguageModel) -> None:
    with pytest.raises(UsageError):
        Engine(tagged, sampling=SHORT).generate([PROMPTS[0], with_tag(PROMPTS[1])])


@pytest.mark.parametrize(
    "steers",
    [
        lambda model: [Tag("<|good|>")],
        lambda model: [Tag("<|good|>", "<|bad|>", strength=2.0)],
        lambda model: [Tag("<|good|>"), Contrast(model)],
    ],
    ids=["tag", "two tags", "tag and contrast"],
)
@pytest.mark.parametrize("mixed", [False, True])
def test_every_pass_of_a_model_is_all_tagged_or_all_untagged(
    tagged: LanguageModel, steers: Callable[[LanguageModel], list[Steer]], mixed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[ColumnCache, set[bool]] = {}
    plain = ColumnCache.add_rows

    def add_rows(self: ColumnCache, prompts: Sequence[Sequence[int]], longest: int) -> None:
        kinds = {not set(prompt).isdisjoint(tagged.tags.values()) for prompt in prompts}
        seen.setdefault(self, set()).update(kinds)
        plain(self, prompts, longest)

    monkeypatch.setattr(ColumnCache, "add_rows", add_rows)
    prompts = [PROMPTS[0], with_tag(PROMPTS[1]) if mixed else PROMPTS[1]]
    try:
        Engine(tagged, steers(tagged), SHORT, batch_size=2).generate(prompts, samples=2)
    except UsageError:
        assert mixed
    assert mixed or seen
    assert all(len(kinds) == 1 for kinds in seen.values())


# --- characters


# U+FFFD stands for bytes that are no character, "<" begins a special token.
@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd<"), min_size=1, max_size=12))
def test_the_text_is_the_characters_of_its_tokens(tiny: LanguageModel, wanted: str) -> None:
    ids = tiny.tokenizer(wanted)["input_ids"]
    (text,) = Engine(tiny, [Script(ids)], Sampling(max_tokens=len(ids))).generate([opening("Hello")])
    assert text.text == wanted
    assert_char_ends(tiny, text)


@pytest.mark.parametrize("name", ["tiny", "stories"])
def test_char_ends_say_how_much_of_the_text_stands_after_each_token(name: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = request.getfixturevalue(name)
    for text in Engine(model, sampling=Sampling(max_tokens=40)).generate(PROMPTS, samples=2):
        assert_char_ends(model, text)


def assert_char_ends(model: LanguageModel, text: Generation) -> None:
    assert len(text.char_ends) == len(text.token_ids)
    assert list(text.char_ends) == sorted(text.char_ends)
    assert text.char_ends[-1] == len(text.text)
    front = model.decode(text.prompt_token_ids)
    for number, end in enumerate(text.char_ends, start=1):
        decoded = model.decode([*text.prompt_token_ids, *text.token_ids[:number]])
        assert decoded.startswith(front + text.text[:end])
        # What is not there yet is a character that still misses some of its bytes.
        assert set(decoded[len(front) + end :]) <= {"\ufffd"}


# --- going back


class Recorder(Steer):
    """A steer that remembers what every text was when it was asked to go back."""

    stage: Stage = "forbid"

    def __init__(self, steer: Steer) -> None:
        self.steer = steer
        self.needs = steer.needs
        self.asked: dict[tuple[str, int], list[list[int]]] = {}

    def review(self, step: Step) -> Sequence[Rewind]:
        rewinds = self.steer.review(step)
        for index in {rewind.row for rewind in rewinds}:
            row = step.rows[index]
            self.asked.setdefault((row.prompt.id, row.sample), []).append(list(row.tokens))
        return rewinds


def assert_events_are_true(text: Generation, asked: Sequence[Sequence[int]]) -> None:
    paths = [text.token_ids, *text.branches]
    assert text.tokens_spent >= len(text.token_ids)
    for event in text.events:
        path = paths[event.path]
        assert event.position <= len(path)
        standing = path[event.position] if event.position < len(path) else None
        assert (standing == event.rejected) is event.let_pass
        context = [*path[: event.position], event.rejected]
        assert any(list(tokens[: len(context)]) == context for tokens in asked)
        if event.path == 0:
            assert event.replacement == standing
        else:
            assert event.replacement in (standing, None)
    for number, branch in enumerate(text.branches, start=1):
        assert any(event.path == number and event.position >= len(branch) - 1 for event in text.events)


def now_and_then(row: Row) -> list[tuple[int, str]]:
    """Requests that look random, some to where the text just was and some far behind that."""
    written = len(row.tokens)
    asked = {0: [1], 1: [4], 2: [2, 1]}.get((sum(row.tokens) + 3 * written) % 11, [])
    return [(written - back, f"{back} back") for back in asked if back <= written]


@pytest.mark.parametrize("name", ["tiny", "stories"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("ban", [False, True])
def test_events_say_truly_what_was_rejected_and_what_stands_there(
    name: str, temperature: float, ban: bool, request: pytest.FixtureRequest
) -> None:
    model: LanguageModel = request.getfixturevalue(name)
    phrases = [*"rmzbgcu01234[]", "was", "little girl", "lily", "day", "she loved", "to play with", "the"]
    steer = Recorder(ban_of(*phrases) if ban else Refuse(now_and_then))
    texts = Engine(model, [steer], Sampling(max_tokens=30, temperature=temperature)).generate(PROMPTS, samples=4)
    for text in texts:
        assert_events_are_true(text, steer.asked.get((text.prompt_id, text.sample), []))
    events = [event for text in texts for event in text.events]
    assert any(event.replacement is not None and not event.let_pass for event in events)
    assert ban or any(event.path for event in events)


def test_of_two_requests_the_furthest_is_met_and_the_nearer_is_moot(tiny: LanguageModel) -> None:
    def asks(row: Row) -> list[tuple[int, str]]:
        return [(2, "near"), (1, "far")] if len(row.tokens) == 3 and row.rewinds == 0 else []

    texts = Engine(tiny, [Refuse(asks)], Sampling(max_tokens=5)).generate(PROMPTS, 4)
    assert {tuple((event.rule, event.position) for event in text.events) for text in texts} <= {(("far", 1),), ()}
    assert all(text.events or len(text.token_ids) < 3 for text in texts)


def test_a_request_is_not_lost_where_one_further_back_cannot_be_met(tiny: LanguageModel) -> None:
    # Position 0 is certain, so it cannot be redrawn; position 1 is free, so what stands there must go or be counted.
    first, refused = 40, 41

    def asks(row: Row) -> list[tuple[int, str]]:
        return [(0, "cannot"), (1, "can")] if row.tokens[1:2] == [refused] else []

    steers = [Script([first]), Adjust("mix", favour_at(1, refused)), Refuse(asks)]
    texts = Engine(tiny, steers, Sampling(max_tokens=2)).generate([opening("Hello")], samples=10)
    assert any(text.events for text in texts)
    for text in texts:
        counted = {event.rule for event in text.events if event.let_pass and event.position == 1}
        assert text.token_ids[1:2] != (refused,) or "can" in counted


def favour_at(position: int, token: int) -> Callable[[Row, Tensor], Tensor]:
    def favour(row: Row, logits: Tensor) -> Tensor:
        pushed = logits.clone()
        if len(row.tokens) == position:
            pushed[token] = logits.logsumexp(-1)
        return pushed

    return favour


class AlwaysDead(Steer):
    """Says at every step that no row can go on."""

    stage: Stage = "cap"
    needs = Needs()

    def adjust(self, step: Step) -> Adjustment:
        return Adjustment(
            step.logits[MODEL], [Rewind(index, len(row.tokens) - 1, "dead") for index, row in enumerate(step.rows)]
        )


@pytest.mark.parametrize(
    "steers",
    [
        [Refuse(lambda row: [(0, "never")] if row.tokens else [])],
        [Refuse(lambda row: [(len(row.tokens) - 1, "never")] if row.tokens else [])],
        [AlwaysDead()],
        [AlwaysDead(), ban_of(*"rmzb234")],
    ],
    ids=["refuse the first", "refuse the last", "dead end", "dead end and ban"],
)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_going_back_comes_to_an_end_and_what_was_let_pass_is_counted(
    tiny: LanguageModel, steers: Sequence[Steer], temperature: float
) -> None:
    sampling = Sampling(max_tokens=6, temperature=temperature)
    texts = Engine(tiny, steers, sampling).generate(PROMPTS[:2], samples=2)
    for text in texts:
        assert text.status == "ok"
        assert text.finish in ("stop", "length")
        rewinds = [event for event in text.events if not event.let_pass]
        assert len(rewinds) <= REWINDS_PER_TOKEN * sampling.max_tokens + REWINDS
        assert any(event.let_pass for event in text.events)


def test_control_tokens_are_never_written(tagged: LanguageModel) -> None:
    good, bad = tagged.tags.values()

    def wanted(row: Row, logits: Tensor) -> Tensor:
        pushed = logits.clone()
        pushed[[good, bad]] += 50
        return pushed

    texts = Engine(tagged, [Adjust("mix", wanted)], SHORT).generate(PROMPTS, 2)
    assert all({good, bad}.isdisjoint(text.token_ids) and text.token_ids for text in texts)
