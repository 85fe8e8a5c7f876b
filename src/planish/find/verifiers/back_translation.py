"""Verifiers described in words by a model that sees the source alone, and compared with the instruction."""

from collections.abc import Mapping, Sequence

from planish.find.verifiers.verifier import Verifier


def without_contradicted(
    verifiers: Sequence[Verifier], answers: Mapping[str, Sequence[bool | None]], least_agreement: float = 1.0
) -> list[Verifier]:
    """The verifiers again; a kept one whose descriptions do not say what the instruction says is rejected.

    Args:
        verifiers: any.
        answers: by verifier, whether each of its descriptions says the same as the instruction; None where the judge
            could not be understood. Where nobody could, the verifier stays as it is.
        least_agreement: share of descriptions that must say the same.
    """
    return [_compared(verifier, answers.get(verifier.id, ()), least_agreement) for verifier in verifiers]


def _compared(verifier: Verifier, answers: Sequence[bool | None], least_agreement: float) -> Verifier:
    known = [answer for answer in answers if answer is not None]
    if verifier.status != "kept" or not known or sum(known) >= least_agreement * len(known):
        return verifier
    words = f"{sum(known)} of {len(known)} descriptions of it say what its instruction says"
    return verifier.rejected("back_translation", words)
