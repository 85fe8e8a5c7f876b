from typing import Any

import pytest
from table_sandbox import TableSandbox

from planish.find.verifiers.broken_constraints import BrokenConstraints
from planish.find.verifiers.verified import VerifiedInstructions, verifier_constraint
from planish.find.verifiers.verifier import Verifier
from planish.records.prompt import Prompt
from planish.records.score import Failure, Sample, Score
from planish.text.words import words


def kept(verifier: Verifier, cluster: int | None = 0) -> Verifier:
    return verifier.model_copy(update={"status": "kept", "cluster": cluster})


def sample(text: str, *names: str, draw: str = "g") -> Sample:
    return Sample(Prompt(text="a", constraints=names), text, draw)


def value(answer: Score | Failure) -> tuple[float, int]:
    assert isinstance(answer, Score)
    return answer.value, answer.hits


def error(answer: Score | Failure) -> str:
    assert isinstance(answer, Failure)
    return answer.error


def test_the_value_is_the_share_of_behaviours_that_fail_and_clones_are_one() -> None:
    sandbox = TableSandbox()
    clones = [kept(sandbox.verifier(f"a_{n}", lambda text: "a" in text, "i"), 0) for n in range(3)]
    other = kept(sandbox.verifier("b", lambda text: "b" in text, "i"), 1)
    behaviour = VerifiedInstructions([*clones, other], sandbox)
    texts = {"ab": (0, 0), "a": (0.5, 1), "b": (0.5, 1), "c": (1, 1)}
    found = behaviour.score([sample(text, "verifier:i") for text in texts])
    assert [value(answer) for answer in found] == list(texts.values())


def test_within_a_behaviour_that_parts_on_a_new_text_the_share_counts() -> None:
    sandbox = TableSandbox()
    verifiers = [kept(sandbox.verifier(f"v_{n}", lambda text, n=n: n > 0, "i")) for n in range(4)]  # type: ignore[misc]
    assert value(VerifiedInstructions(verifiers, sandbox).score([sample("x", "verifier:i")])[0]) == (0.25, 0)


@pytest.mark.parametrize("verdict", ["error", "timeout", "nondeterministic"])
def test_who_says_nothing_is_not_counted_and_where_nobody_does_the_text_is_a_failure(verdict: Any) -> None:
    sandbox = TableSandbox()
    silent = kept(sandbox.verifier("silent", lambda text: verdict, "i"), 0)
    speaks = kept(sandbox.verifier("speaks", lambda text: True, "i"), 1)
    asked = [sample("x", "verifier:i")]
    assert value(VerifiedInstructions([silent, speaks], sandbox).score(asked)[0]) == (0, 0)
    assert "why" in error(VerifiedInstructions([silent], sandbox).score(asked)[0])


def test_several_instructions_are_averaged_and_all_must_be_known() -> None:
    sandbox = TableSandbox()
    verifiers = [
        kept(sandbox.verifier("a", lambda text: "a" in text, "i")),
        kept(sandbox.verifier("b", lambda text: "error" if "?" in text else "b" in text, "j")),
    ]
    behaviour = VerifiedInstructions(verifiers, sandbox)
    both = ("verifier:i", "verifier:j")
    found = behaviour.score([sample("a", *both), sample("ab", *both), sample("a?", *both), sample("a?", "verifier:i")])
    assert [value(answer) for answer in (found[0], found[1], found[3])] == [(0.5, 1), (0, 0), (0, 0)]
    assert error(found[2])


def test_only_kept_verifiers_are_used_and_answers_are_in_order() -> None:
    sandbox = TableSandbox()
    rejected = sandbox.verifier("no", lambda text: False, "i", status="rejected")
    behaviour = VerifiedInstructions([kept(sandbox.verifier("a", lambda text: "a" in text, "i")), rejected], sandbox)
    asked = [sample("a", "verifier:i", draw="1"), sample("x", "rhyme", draw="2"), sample("x", draw="3")]
    found = behaviour.score([*asked, sample("x", "verifier:i", draw="4")])
    assert [answer.generation_id for answer in found] == ["1", "2", "3", "4"]
    assert [isinstance(answer, Score) for answer in found] == [True, False, False, True]
    assert (value(found[0]), value(found[3])) == ((0, 0), (1, 1))
    assert "rhyme" in error(found[1])
    assert error(found[2])


def test_a_verifier_is_one_job_with_each_text_once() -> None:
    sandbox = TableSandbox()
    behaviour = VerifiedInstructions([kept(sandbox.verifier("a", lambda text: True, "i"))], sandbox)
    behaviour.score([sample(text, "verifier:i") for text in ("x", "y", "x")])
    assert [job.texts for job in sandbox.jobs] == [("x", "y")]


def test_the_version_names_the_verifiers() -> None:
    sandbox = TableSandbox()
    one, two = (kept(sandbox.verifier(name, lambda text: True, "i")) for name in ("a", "b"))
    versions = [VerifiedInstructions(each, sandbox).version for each in ([one, two], [two, one], [one])]
    assert versions[0] == versions[1] != versions[2]


def test_a_constraint_names_its_instruction() -> None:
    assert verifier_constraint("abc") == "verifier:abc"


class NoCommas:
    """A behaviour of one built-in constraint."""

    name = "built_in"
    version = "7"

    def score(self, samples: list[Sample]) -> list[Score | Failure]:
        return [self._score(each) for each in samples]

    def _score(self, each: Sample) -> Score | Failure:
        if set(each.prompt.constraints) != {"no_commas"}:
            return Failure(generation_id=each.generation_id, behaviour=self.name, error="unknown constraint")
        broken = "," in each.text
        return Score(
            generation_id=each.generation_id,
            behaviour=self.name,
            version=self.version,
            value=float(broken),
            hits=int(broken),
            words=len(words(each.text)),
        )


@pytest.fixture
def both() -> BrokenConstraints:
    sandbox = TableSandbox()
    verifiers = [kept(sandbox.verifier(name, lambda text, n=name: n in text, name)) for name in "ab"]  # type: ignore[misc]
    return BrokenConstraints(NoCommas(), VerifiedInstructions(verifiers, sandbox))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a b", (0, 0)), ("a, b", (1 / 3, 1)), ("a", (1 / 3, 1)), ("x,", (1, 1))],
)
def test_built_in_and_verified_constraints_of_a_prompt_count_alike(
    both: BrokenConstraints, text: str, expected: tuple[float, int]
) -> None:
    answer = both.score([sample(text, "verifier:a", "no_commas", "verifier:b")])[0]
    assert value(answer) == pytest.approx(expected)
    assert isinstance(answer, Score)
    assert (answer.behaviour, answer.words) == ("broken_constraints", len(words(text)))


def test_a_prompt_may_have_constraints_of_one_side_alone(both: BrokenConstraints) -> None:
    found = both.score([sample("a,", "no_commas", draw="1"), sample("a,", "verifier:a", draw="2")])
    assert [(answer.generation_id, value(answer)) for answer in found] == [("1", (1, 1)), ("2", (0, 0))]


@pytest.mark.parametrize("names", [(), ("rhyme",), ("no_commas", "verifier:z"), ("rhyme", "verifier:a")])
def test_what_one_side_cannot_say_is_a_failure(both: BrokenConstraints, names: tuple[str, ...]) -> None:
    answer = both.score([sample("a", *names)])[0]
    assert error(answer)
    assert (answer.generation_id, answer.behaviour) == ("g", "broken_constraints")
