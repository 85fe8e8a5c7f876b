"""Broken instructions, as verifiers that models wrote see them."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from planish.find.verifiers.fingerprint import SPOKEN
from planish.find.verifiers.verifier import Verifier
from planish.records.score import Failure, Sample, Score
from planish.sandbox.job import Answer, Job
from planish.sandbox.sandbox import Sandbox
from planish.text.words import words

PREFIX = "verifier:"


def verifier_constraint(instruction_id: str) -> str:
    """How a prompt names an instruction that verifiers check."""
    return f"{PREFIX}{instruction_id}"


class VerifiedInstructions:
    """The share of a prompt's instructions that a text breaks, by the kept verifiers of each.

    Each behaviour of an instruction's verifiers counts once. An error or a timeout is not a fail: only who says
    something counts, and where nobody does, the text is a failure. `hits` is 1 where an instruction is broken by at
    least half of its behaviours.
    """

    name = "verified_instructions"

    def __init__(self, verifiers: Sequence[Verifier], sandbox: Sandbox) -> None:
        """Use the kept ones.

        Args:
            verifiers: of any instructions; those that are not kept are left out.
            sandbox: where they run; opened.
        """
        self._of: dict[str, list[Verifier]] = defaultdict(list)
        for verifier in verifiers:
            if verifier.status == "kept":
                self._of[verifier_constraint(verifier.instruction_id)].append(verifier)
        self._sandbox = sandbox
        ids = sorted(f"{name} {each.id} {each.cluster}" for name, own in self._of.items() for each in own)
        self.version = hashlib.blake2b("\n".join(ids).encode(), digest_size=4).hexdigest()

    def score(self, samples: Sequence[Sample]) -> list[Score | Failure]:
        """One score a text; a prompt without verified instructions, or with an unknown one, is a failure."""
        wanted: dict[str, dict[str, None]] = defaultdict(dict)
        for sample in samples:
            if not self._fault(sample):
                for name in sample.prompt.constraints:
                    wanted[name][sample.text] = None
        broken = self._broken({name: tuple(texts) for name, texts in wanted.items()})
        return [self._score(sample, broken) for sample in samples]

    def _fault(self, sample: Sample) -> str:
        names = sample.prompt.constraints
        unknown = [name for name in names if name not in self._of]
        return f"no verifiers for {unknown[0]!r}" if unknown else "" if names else "the prompt has no constraints"

    def _score(self, sample: Sample, broken: Mapping[tuple[str, str], float | str]) -> Score | Failure:
        fault = self._fault(sample)
        found = [] if fault else [broken[name, sample.text] for name in sample.prompt.constraints]
        fault = fault or next((share for share in found if isinstance(share, str)), "")
        if fault:
            return Failure(generation_id=sample.generation_id, behaviour=self.name, error=fault)
        values = [share for share in found if not isinstance(share, str)]
        return Score(
            generation_id=sample.generation_id,
            behaviour=self.name,
            version=self.version,
            value=sum(values) / len(values),
            hits=int(max(values) >= 0.5),
            words=len(words(sample.text)),
        )

    def _broken(self, texts_of: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, str], float | str]:
        """Of each instruction and text the share of behaviours that it fails, or why nobody can say."""
        asked = [(name, verifier) for name in texts_of for verifier in self._of[name]]
        answers = self._sandbox.run([Job(verifier.source, texts_of[name]) for name, verifier in asked])
        said: dict[tuple[str, str], list[tuple[Verifier, Answer]]] = defaultdict(list)
        for (name, verifier), own in zip(asked, answers, strict=True):
            for text, answer in zip(texts_of[name], own, strict=True):
                said[name, text].append((verifier, answer))
        return {place: _share_failed(own) for place, own in said.items()}


def _share_failed(answers: Sequence[tuple[Verifier, Answer]]) -> float | str:
    clusters: dict[int | str, list[bool]] = defaultdict(list)
    for verifier, answer in answers:
        if answer.verdict in SPOKEN:
            # One that was never compared with others is a behaviour by itself.
            key = verifier.id if verifier.cluster is None else verifier.cluster
            clusters[key].append(answer.verdict == "fail")
    if not clusters:
        first = answers[0][1]
        return f"no verifier can say: {first.detail or first.verdict}"
    shares = [sum(failed) / len(failed) for failed in clusters.values()]
    return sum(shares) / len(shares)
