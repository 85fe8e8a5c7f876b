import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from planish.train.pairing import Answer, Pair, PairingSettings, pairs

RECORDED = Path(__file__).parents[3] / "shared/data/autoif_sample_data/dpo_query_eval_score_results.jsonl"
METHODS = ("best-worst", "zip", "repeat")
ANSWERS = st.lists(
    st.tuples(
        st.text(alphabet="ab ", max_size=6), st.sampled_from([0, 0.25, 0.5, 1.0]), st.sampled_from([None, 3.0, 9.0])
    ),
    max_size=10,
).map(lambda rows: [Answer(str(place), *row) for place, row in enumerate(rows)])
SETTINGS = st.builds(
    PairingSettings,
    method=st.sampled_from(METHODS),
    chosen_at_least=st.sampled_from([0.5, 1.0]),
    rejected_at_most=st.sampled_from([0, 0.25]),
    quality_at_least=st.sampled_from([None, 8.0]),
    most_uses=st.integers(1, 3),
    most_pairs=st.none() | st.integers(1, 4),
    near_miss=st.booleans(),
    match_length=st.booleans(),
)


def answers(*rates: float, texts: str = "") -> list[Answer]:
    """Answers a, b, c… with these pass rates; their texts are their names, unless others are given."""
    names = "abcdefghijklmnop"[: len(rates)]
    return [Answer(name, text, rate) for name, text, rate in zip(names, texts.split() or names, rates, strict=True)]


def paired(rows: list[Answer], **settings: Any) -> list[str]:
    return [pair.chosen + pair.rejected for pair in pairs(rows, PairingSettings(**settings))]


@given(ANSWERS, SETTINGS)
def test_no_setting_makes_a_pair_that_should_not_be(rows: list[Answer], rules: PairingSettings) -> None:
    found = pairs(rows, rules)
    of = {row.id: row for row in rows}
    first = {row.text: row.id for row in reversed(rows)}
    for pair in found:
        chosen, rejected = of[pair.chosen], of[pair.rejected]
        assert chosen.pass_rate >= rules.chosen_at_least > rules.rejected_at_most >= rejected.pass_rate
        assert rules.quality_at_least is None or (chosen.quality or 0) >= rules.quality_at_least
        assert first[chosen.text] == chosen.id
        assert first[rejected.text] == rejected.id
    assert len(set(found)) == len(found) <= (rules.most_pairs or len(found))
    most = rules.most_uses if rules.method == "repeat" else 1
    uses = Counter(pair.chosen for pair in found) + Counter(pair.rejected for pair in found)
    assert all(count <= most for count in uses.values())
    assert pairs(rows, rules) == found


@given(ANSWERS, SETTINGS)
def test_where_there_is_a_good_and_a_bad_answer_there_is_a_pair(rows: list[Answer], rules: PairingSettings) -> None:
    different = list({row.text: row for row in reversed(rows)}.values())
    good = [
        row
        for row in different
        if row.pass_rate >= rules.chosen_at_least
        and (rules.quality_at_least is None or (row.quality or 0) >= rules.quality_at_least)
    ]
    bad = [row for row in different if row.pass_rate <= rules.rejected_at_most]
    fewer, more = sorted((len(good), len(bad)))
    wanted = {"best-worst": min(1, fewer), "zip": fewer, "repeat": min(more, rules.most_uses * fewer)}[rules.method]
    assert len(pairs(rows, rules)) == min(wanted, rules.most_pairs or wanted)


def test_the_methods() -> None:
    rows = answers(1, 0, 0.25, 1, 0, 0.5, 0, 0)
    assert paired(rows, method="best-worst") == ["ab"]
    assert paired(rows, method="zip") == ["af", "dc"]
    assert paired(rows, method="repeat", most_uses=2) == ["af", "dc", "ab", "de"]
    assert paired(rows, method="repeat", most_uses=9) == ["af", "dc", "ab", "de", "ag", "dh"]


def test_the_fewer_are_repeated_on_either_side() -> None:
    assert paired(answers(1, 1, 1, 0), method="repeat", most_uses=2) == ["ad", "bd"]


def test_a_near_miss_is_preferred_and_need_not_be() -> None:
    rows = answers(0, 1, 0.5, 0.25)
    assert paired(rows) == ["bc"]
    assert paired(rows, near_miss=False) == ["ba"]
    assert paired(rows, rejected_at_most=0.3) == ["bd"]


def test_quality_breaks_ties_and_can_be_asked_for() -> None:
    rows = [
        Answer("a", "a", 1, 5),
        Answer("b", "b", 1, 9),
        Answer("c", "c", 1),
        Answer("d", "d", 0),
        Answer("e", "e", 0),
    ]
    assert paired(rows) == ["bd", "ae"]
    assert paired(rows, quality_at_least=8) == ["bd"]
    assert paired(rows, quality_at_least=9.5) == []


def test_the_best_is_set_against_the_worst() -> None:
    rows = [Answer("a", "a", 0.6, 9), Answer("b", "b", 1, 2), Answer("c", "c", 0.1, 1), Answer("d", "d", 0, 5)]
    assert paired([*rows, Answer("e", "e", 0, 3)], method="best-worst", chosen_at_least=0.6) == ["be"]


def test_lengths_can_be_matched() -> None:
    rows = answers(1, 0, 0, 1, texts="long-long long-long-long sho shor")
    assert paired(rows) == ["ab", "dc"]
    assert paired(answers(1, 0, 0, 1, texts="lon shor long-long long-lon"), match_length=True) == ["ab", "dc"]
    assert paired(answers(1, 0, 0, 1, texts="long-lon shor long-long lon"), match_length=True) == ["ac", "db"]
    equally_bad = answers(0, 1, 0, texts="long-long sho shor")
    assert paired(equally_bad, method="best-worst") == ["ba"]
    assert paired(equally_bad, method="best-worst", match_length=True) == ["bc"]
    less_bad = answers(0, 1, 0.25, texts="long-long sho shor")
    assert paired(less_bad, method="best-worst", match_length=True) == ["ba"]


def test_of_answers_with_the_same_text_the_first_counts() -> None:
    assert paired(answers(1, 1, 0, 0, texts="x x y y")) == ["ac"]


def test_a_threshold_that_would_let_an_answer_be_both_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be below"):
        PairingSettings(chosen_at_least=0.5, rejected_at_most=0.5)


def test_few_pairs_are_the_first() -> None:
    rows = answers(1, 1, 1, 0, 0, 0)
    assert paired(rows, most_pairs=2) == paired(rows)[:2] == ["ad", "be"]
    assert pairs([]) == []
    assert pairs(answers(1, 0)) == [Pair("a", "b")]


@pytest.mark.skipif(not RECORDED.is_file(), reason="the recorded scores are not here")
@pytest.mark.parametrize("method", METHODS)
def test_three_recorded_queries_can_be_paired(method: str) -> None:
    lines = RECORDED.read_text(encoding="utf-8").splitlines()
    recorded = [json.loads(line)["response"] for line in lines]
    found = [
        paired([Answer(str(place), text, rate) for place, (text, rate) in enumerate(row)], method=method)
        for row in recorded
    ]
    assert len(found) == 20
    assert sum(bool(each) for each in found) == 3
