import importlib
import json
import pkgutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import planish.records
from planish.diff.shift import TokenShift
from planish.errors import DataError
from planish.find.slop.review import Reviewed
from planish.recipes.train_data import LeftOut
from planish.recipes.training import Training
from planish.records.corpus_profile import CorpusProfile, Figure, Rate
from planish.records.evidence import Evidence
from planish.records.family import Family, FamilyRule, Merge
from planish.records.generation import Event, Generation
from planish.records.preference import CompletionPreference, Point, TokenPreferences
from planish.records.prompt import Message, Prompt
from planish.records.record import Record, read_records, write_records
from planish.records.reply import Reply, Request
from planish.records.rule import BanRule, Overuse
from planish.records.score import Failure, Score
from planish.records.trace import Trace
from planish.records.training import PointGap, TrainingCheck, TrainingStep
from planish.text.span import Span

TEXT = st.text(max_size=8)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
MAYBE = st.none() | FLOAT
IDS = st.lists(st.integers(0, 10**6), max_size=4).map(tuple)
MESSAGE = st.builds(Message)
TURNS = st.lists(MESSAGE, max_size=2).map(tuple)
TEXT_OR_TURNS = TEXT | TURNS
SPAN = st.builds(Span, st.integers(0), st.integers(0), TEXT)
EVENT = st.builds(Event, replacement=st.none() | st.integers(0), path=st.integers(0))
TRACE = st.builds(
    Trace,
    token=st.integers(0, 10**6),
    text=TEXT,
    probability=FLOAT,
    drawn_probability=FLOAT,
    top=st.lists(st.tuples(st.integers(0), FLOAT), max_size=2).map(tuple),
    steers=st.dictionaries(TEXT, FLOAT, max_size=2),
)
POINT = st.builds(Point, chosen=IDS, chosen_probs=st.lists(FLOAT, max_size=3).map(tuple))
OVERUSE = st.builds(
    Overuse,
    **dict.fromkeys(("rate_per_1k_words", "human_rate_per_1k_words", "log_odds", "z", "q"), FLOAT),
    g2=MAYBE,
)
RULE = st.builds(BanRule, reason=TEXT, overuse=st.none() | OVERUSE)
RATE = st.builds(Rate, **dict.fromkeys(("rate_per_1k_words", "low", "high", "dispersion"), FLOAT))
FIGURE = st.builds(Figure, **dict.fromkeys(("value", "low", "high"), FLOAT))
FAMILY_RULE = st.builds(FamilyRule, listed_by=st.tuples(TEXT), rates=st.lists(RATE, max_size=2).map(tuple))
MERGE = st.builds(Merge, distance=FLOAT)

KINDS: dict[type[Record], st.SearchStrategy[Record]] = {
    Message: MESSAGE,
    Prompt: st.builds(Prompt, text=TEXT, constraints=st.tuples(TEXT), tag=st.none() | TEXT, source=TEXT)
    | st.builds(Prompt, messages=TURNS, tag=st.none() | TEXT),
    Overuse: OVERUSE,
    Request: st.builds(
        Request,
        messages=st.lists(MESSAGE, min_size=1, max_size=2).map(tuple),
        temperature=st.floats(0, 2),
        top_p=st.floats(0.01, 1),
        stop=st.lists(TEXT, max_size=2).map(tuple),
    ),
    Reply: st.builds(Reply),
    BanRule: RULE,
    Event: EVENT,
    Trace: TRACE,
    Generation: st.builds(
        Generation,
        events=st.lists(EVENT, max_size=2).map(tuple),
        branches=st.lists(IDS, max_size=2).map(tuple),
        tokens_spent=st.integers(0),
        error=TEXT,
        trace=st.lists(TRACE, max_size=2).map(tuple),
        status=st.sampled_from(["ok", "failed"]),
    ),
    Point: POINT,
    TokenPreferences: st.builds(
        TokenPreferences, is_branch=st.booleans(), points=st.lists(POINT, max_size=2).map(tuple)
    ),
    CompletionPreference: st.builds(
        CompletionPreference,
        prompt=TEXT_OR_TURNS,
        chosen=TEXT_OR_TURNS,
        rejected=TEXT_OR_TURNS,
        scores=st.tuples(FLOAT, FLOAT),
        verifiers=st.tuples(TEXT),
    ),
    Score: st.builds(Score, value=FLOAT, spans=st.lists(SPAN, max_size=2).map(tuple)),
    Failure: st.builds(Failure),
    Evidence: st.builds(
        Evidence,
        **dict.fromkeys(("before", "after", "difference", "low", "high"), FLOAT),
        **dict.fromkeys(("change", "change_low", "change_high", "margin"), MAYBE),
    ),
    TrainingStep: st.builds(TrainingStep, loss=FLOAT, gradient_norm=FLOAT, learning_rate=FLOAT),
    TrainingCheck: st.builds(TrainingCheck, win_rate=FLOAT, drift=FLOAT),
    LeftOut: st.builds(LeftOut),
    PointGap: st.builds(PointGap, before=FLOAT, after=FLOAT),
    Training: st.builds(Training, steps=st.just(()), checks=st.just(())),
    Reviewed: st.builds(Reviewed, rule=RULE, strength=st.none() | st.floats(0, 1)),
    Rate: RATE,
    Figure: FIGURE,
    CorpusProfile: st.builds(
        CorpusProfile,
        left_out=st.dictionaries(TEXT, st.integers(0), max_size=2),
        overused=st.lists(RULE, max_size=2).map(tuple),
        overused_rates=st.lists(RATE, max_size=2).map(tuple),
        index=RATE,
        structures=st.lists(RATE, max_size=2).map(tuple),
        figures=st.lists(FIGURE, max_size=2).map(tuple),
    ),
    FamilyRule: FAMILY_RULE,
    Merge: MERGE,
    Family: st.builds(
        Family,
        names=st.tuples(TEXT),
        rules=st.lists(FAMILY_RULE, max_size=2).map(tuple),
        merges=st.lists(MERGE, max_size=2).map(tuple),
    ),
    TokenShift: st.builds(TokenShift, first_per_1k=FLOAT, second_per_1k=FLOAT, gained=FLOAT),
}


def test_every_kind_of_row_that_passes_between_rooms_is_tested_here() -> None:
    for module in pkgutil.iter_modules(planish.records.__path__, "planish.records."):
        importlib.import_module(module.name)
    assert {kind for kind in Record.__subclasses__() if kind.__module__.startswith("planish.records.")} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_rows_come_back_as_they_were_written(kind: type[Record]) -> None:
    @given(st.lists(KINDS[kind], max_size=3))
    def check(rows: list[Record]) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "rows.jsonl"
            write_records(path, rows)
            assert path.read_bytes().count(b"\n") == len(rows)
            assert read_records(path, kind) == rows

    check()


@pytest.mark.parametrize(
    "line", ['{"text": "lily"', "not json", '{"text": 7}', '{"reason": "no text"}', '{"text": "lily", "colour": "red"}']
)
def test_a_bad_line_is_named_with_its_file_and_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bans.jsonl"
    path.write_text(f'{{"text": "lily"}}\n{{"text": "luna"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"bans\.jsonl, line 3") as caught:
        read_records(path, BanRule)
    assert caught.value.hint


def test_an_unknown_field_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "bans.jsonl"
    path.write_text('{"text": "lily", "colour": "red"}\n', encoding="utf-8")
    with pytest.raises(DataError, match="colour"):
        read_records(path, BanRule)


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        (Point, {"position": "x"}, 'position is "x", not a whole number'),
        (Point, {"position": 1.5}, "position is 1.5, not a whole number"),
        (Point, {"chosen": 7}, "chosen is 7, not a list"),
        (Point, {"chosen": [1, None]}, "chosen.1 is null, not a whole number"),
        (Point, {"chosen_probs": ["a"]}, 'chosen_probs.0 is "a", not a number'),
        (Point, {"after_rejected": "perhaps"}, 'after_rejected is "perhaps", not true or false'),
        (Point, {"rule": "a" * 99, "position": "b" * 99}, 'position is "bbbb'),
        (Point, {"colour": 1}, "there is no field colour"),
        (CompletionPreference, {"chosen": 7}, "chosen is 7, not a text"),
        (CompletionPreference, {"chosen": [7]}, "chosen.0 is 7, not an object"),
        (CompletionPreference, {"chosen": [{"role": "user"}]}, "chosen.0.content is missing"),
        (CompletionPreference, {"prompt": [{"role": "user", "content": 7}]}, "prompt.0.content is 7, not a text"),
        (CompletionPreference, {"scores": [1]}, "scores.1 is missing"),
        (Prompt, {"text": "a", "messages": []}, "a prompt has either text or messages or token ids"),
    ],
)
def test_what_is_off_with_a_row_is_said_in_words(
    kind: type[Record], change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    whole: dict[str, dict[str, Any]] = {
        Point.__name__: {"position": 1, "rejected": 2, "chosen": [3], "chosen_probs": [], "rule": "lily"},
        CompletionPreference.__name__: {"prompt": "a", "chosen": "b", "rejected": "c"},
        Prompt.__name__: {},
    }
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**whole[kind.__name__], **change}))
    with pytest.raises(DataError) as caught:
        read_records(path, kind)
    assert words in caught.value.message
    assert len(caught.value.message) < len(str(path)) + 90


def test_bytes_that_are_no_text_are_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bans.jsonl"
    path.write_bytes(b'{"text": "lily"}\n{"text": "caf\xe9"}\n')
    with pytest.raises(DataError, match=r"bans\.jsonl") as caught:
        read_records(path, BanRule)
    assert caught.value.hint


def test_rows_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        BanRule(text="lily").text = "luna"
