import random
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.errors import UsageError
from planish.find.slop import Slop
from planish.models.bundled import openings
from planish.models.language_model import LanguageModel
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.cap import Cap
from planish.steer.contrast import Contrast, LogRatio
from planish.steer.engine import Engine
from planish.steer.plan import Plan
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.steer.steer import Steer

SHORT = Sampling(max_tokens=25)
LETTERS = "rmzb234"


def ban_of(*texts: str) -> Ban:
    return Ban(Slop([BanRule(text=text) for text in texts]))


def careful(model: LanguageModel) -> Cap:
    to_risk = torch.randn(model.width, model.vocabulary, generator=torch.Generator().manual_seed(0))

    def value(hidden: torch.Tensor, tokens: torch.Tensor | None = None) -> torch.Tensor:
        values = -torch.sigmoid(hidden @ to_risk)
        return values if tokens is None else values.gather(1, tokens)

    return Cap(value, 0.0)


def write(engine: Engine, rows: Sequence[Row]) -> None:
    batch = engine.batch()
    batch.join(rows)
    while batch.rows:
        batch.step()


def plans(engine: Engine) -> list[Plan]:
    return [
        engine.plan(),
        engine.plan([ban_of(*LETTERS)]),
        engine.plan([ban_of("e", "o")], Sampling(max_tokens=15, top_p=0.8)),
        engine.plan(sampling=Sampling(max_tokens=20, temperature=0)),
    ]


# --- who else is in the batch


@pytest.mark.parametrize("seed", range(4))
def test_a_row_writes_the_same_whoever_comes_and_goes(tiny: LanguageModel, seed: int) -> None:
    engine = Engine(tiny, [careful(tiny)], SHORT)
    variants = plans(engine)

    def rows() -> list[Row]:
        return [
            engine.row(prompt, sample, 3, plan) for prompt in openings()[:3] for sample, plan in enumerate(variants)
        ]

    alone = rows()
    for row in alone:
        write(engine, [row])
    draws = random.Random(seed)
    together, batch = rows(), engine.batch()
    waiting, deserters = draws.sample(together, len(together)), []
    while waiting or batch.rows:
        if waiting and draws.random() < 0.3:
            joining = [waiting.pop() for _ in range(min(len(waiting), draws.randint(1, 4)))]
            batch.join(joining)
        if batch.rows and draws.random() < 0.05:
            deserters.append(draws.choice(batch.rows))
            batch.leave(deserters[-1:])
        if batch.rows:
            batch.step()
    for row, other in zip(together, alone, strict=True):
        if any(row is deserter for deserter in deserters):
            assert row.finish is None
        else:
            assert (row.tokens, row.events, row.finish) == (other.tokens, other.events, other.finish)


def test_rows_that_have_finished_or_left_are_gone(tiny: LanguageModel) -> None:
    engine = Engine(tiny, sampling=Sampling(max_tokens=3))
    rows = [engine.row(prompt, 0, 0, engine.plan()) for prompt in openings()[:4]]
    batch = engine.batch()
    batch.join(rows)
    batch.leave([rows[1], rows[3]])
    assert batch.rows == [rows[0], rows[2]]
    assert [batch.step() for _ in range(2)] == [[], []]
    assert {id(row) for row in batch.step()} == {id(rows[0]), id(rows[2])}
    assert batch.rows == []


def test_a_row_cannot_bring_a_model_that_the_others_do_not_have(tiny: LanguageModel) -> None:
    with pytest.raises(UsageError, match="contrast"):
        Engine(tiny).plan([Contrast(tiny)])


# --- streams


def stream(engine: Engine, steers: Sequence[Steer], sampling: Sampling, seed: int) -> Row:
    """Write a row, and check on the way that nothing that was settled is taken back."""
    row = engine.row(opening("Hello"), 0, seed, engine.plan(steers, sampling, is_streamed=True))
    batch = engine.batch()
    batch.join([row])
    shown = ""
    while batch.rows:
        batch.step()
        settled = row.text[: row.settled_chars]
        assert settled.startswith(shown)
        shown = settled
    assert shown == row.text
    return row


bans = st.lists(st.sampled_from([*LETTERS, "e", "o", "th", " a", "zq", "xa"]), max_size=8, unique=True)


@settings(max_examples=40, deadline=None)
@given(bans, st.integers(0, 1000), st.lists(st.sampled_from(["a", "ee", "x.", "\ufffd"]), max_size=2))
def test_a_stream_takes_nothing_back(tiny: LanguageModel, banned: list[str], seed: int, stop: list[str]) -> None:
    steers = [ban_of(*banned), careful(tiny)]
    row = stream(Engine(tiny), steers, Sampling(max_tokens=40, stop=tuple(stop)), seed)
    assert not any(string in row.text for string in stop)


def test_a_stream_goes_back_within_what_it_holds(tiny: LanguageModel) -> None:
    ban = ban_of(*"abcdefghijklmnopqrstuvwxyz")
    rewinds = sum(stream(Engine(tiny), [ban], SHORT, seed).rewinds for seed in range(10))
    assert rewinds


def test_a_stream_shows_what_nothing_can_change_at_once(tiny: LanguageModel) -> None:
    engine = Engine(tiny, sampling=SHORT)
    row = engine.row(opening("Hello"), 0, 0, engine.plan([ban_of("zzzzzz")], is_streamed=True))
    batch = engine.batch()
    batch.join([row])
    for _ in range(20):
        batch.step()
        assert len(row.text) - row.settled_chars <= len("zzzzzz")


def test_without_steers_a_stream_is_the_plain_text(tiny: LanguageModel) -> None:
    for seed in range(5):
        (text,) = Engine(tiny, sampling=SHORT).generate([opening("Hello")], seed=seed)
        assert stream(Engine(tiny), [], SHORT, seed).text == text.text


# --- traces


@torch.no_grad()
def test_a_trace_says_what_the_model_thought_of_each_token(tiny: LanguageModel) -> None:
    (text,) = Engine(tiny, [ban_of(*LETTERS)], SHORT).generate([opening("Hello")], seed=2, top=3)
    ids = [*text.prompt_token_ids, *text.token_ids]
    logits = tiny.model(torch.tensor([ids])).logits[0, len(text.prompt_token_ids) - 1 : -1]
    assert [trace.token for trace in text.trace] == list(text.token_ids)
    assert "".join(trace.text for trace in text.trace) == text.text
    for trace, shares in zip(text.trace, logits.softmax(-1), strict=True):
        assert trace.probability == pytest.approx(float(shares[trace.token]), rel=1e-3)
        assert trace.rank == int((shares > shares[trace.token]).sum()) + 1
        assert [token for token, _ in trace.top] == shares.topk(3).indices.tolist()
        assert [share for _, share in trace.top] == pytest.approx(shares.topk(3).values.tolist(), rel=1e-3)


def test_a_trace_says_what_each_steer_did(tiny: LanguageModel) -> None:
    steers = [Contrast(tiny, LogRatio(strength=0.0)), ban_of(*LETTERS), careful(tiny)]
    (text,) = Engine(tiny, steers, SHORT).generate([opening("Hello")], seed=1, top=1)
    events = {(event.position, event.rejected) for event in text.events if event.path == 0 and not event.let_pass}
    assert events
    for position, trace in enumerate(text.trace):
        assert set(trace.steers) == {"contrast", "cap"}
        assert trace.steers["contrast"] == pytest.approx(0, abs=1e-5)
        assert {(position, token) for token in trace.rejected} >= {event for event in events if event[0] == position}
        change = sum(trace.steers.values())
        # What was rejected has left its share to the others.
        assert trace.drawn_probability >= trace.probability * torch.tensor(change).exp() * (1 - 1e-4)


def test_nobody_pays_for_a_trace_that_was_not_asked_for(tiny: LanguageModel) -> None:
    (text,) = Engine(tiny, sampling=SHORT).generate([opening("Hello")])
    (traced,) = Engine(tiny, sampling=SHORT).generate([opening("Hello")], top=2)
    assert text.trace == ()
    assert traced.model_copy(update={"trace": ()}) == text
