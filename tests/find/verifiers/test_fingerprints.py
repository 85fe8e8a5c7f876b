from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.find.verifiers.fingerprint import agreement, clusters, fingerprint, likeness
from planish.sandbox.job import Answer, Verdict

SAYS = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=6).map(tuple)


def answers(*verdicts: Verdict) -> list[Answer]:
    return [Answer(verdict, "why") for verdict in verdicts]


def test_an_error_is_neither_a_pass_nor_a_fail() -> None:
    found = fingerprint([*answers("pass", "error", "fail", "timeout"), Answer("pass", repaired=True)])
    assert found.says == (True, None, False, None, True)
    assert found.silences == Counter(error=1, timeout=1)
    assert (found.detail, found.repaired) == ("why", 1)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (("pass", "fail", "error"), "errors"),
        (("pass", "fail", "timeout"), "timeouts"),
        (
            ("pass", "fail", "pass", "fail", "fail", "fail", "pass", "pass", "fail", "nondeterministic"),
            "nondeterministic",
        ),
        (("pass", "pass"), "constant"),
        (("fail", "fail"), "constant"),
        ((), "constant"),
        (("pass", "fail"), ""),
        (("pass", "fail") * 5 + ("error",), ""),
    ],
)
def test_a_verifier_of_no_use_has_its_reason(verdicts: tuple[Verdict, ...], code: str) -> None:
    fault = fingerprint(answers(*verdicts)).fault(most_silent=0.1)
    assert (fault.code if fault else "") == code


@given(st.lists(SAYS))
def test_clusters_are_classes_of_equal_behaviour(behaviours: list[tuple[bool | None, ...]]) -> None:
    numbers = clusters(behaviours)
    for first, one in zip(numbers, behaviours, strict=True):
        for second, other in zip(numbers, behaviours, strict=True):
            assert (first == second) == (one == other)
    assert sorted(set(numbers)) == list(range(len(set(behaviours))))


@given(SAYS)
def test_likeness_leaves_out_what_one_side_says_nothing_of(says: tuple[bool | None, ...]) -> None:
    heard = any(said is not None for said in says)
    assert likeness(says, says) == float(heard)
    opposite = tuple(None if said is None else not said for said in says)
    assert likeness(says, opposite) == 0


def test_silence_is_never_right() -> None:
    assert agreement((True, None, False, False), (True, True, True, False)) == 0.5
