"""The texts on which verifiers are compared."""

from collections.abc import Sequence
from typing import NamedTuple

from planish.find.verifiers.mutation import mutants
from planish.find.verifiers.verifier import Case
from planish.find.verifiers.vetting_settings import VettingSettings


class Change(NamedTuple):
    """The places of a changed text and of what it was."""

    place: int
    parent: int


class Probes(NamedTuple):
    """Each text once: those of the cases first, then responses, then small changes of both."""

    texts: tuple[str, ...]
    case_texts: tuple[str, ...]
    changes: tuple[Change, ...]

    def place(self, text: str) -> int:
        """Where a text of a case stands."""
        return self.case_texts.index(text)


def probe_set(cases: Sequence[Case], responses: Sequence[str], settings: VettingSettings) -> Probes:
    """Pool the texts. Changed are those that are said to follow the instruction, then responses."""
    texts = dict.fromkeys(case.text for case in cases)
    case_texts = tuple(texts)
    texts.update(dict.fromkeys(responses))
    parents = list(dict.fromkeys([*(case.text for case in cases if case.holds), *responses]))[: settings.mutated_texts]
    changed = {
        mutant.text: parent
        for parent in parents
        for mutant in mutants(parent, settings.mutants_a_text, settings.seed)
        if mutant.text not in texts
    }
    texts.update(dict.fromkeys(changed))
    places = {text: place for place, text in enumerate(texts)}
    changes = tuple(Change(places[text], places[parent]) for text, parent in changed.items())
    return Probes(tuple(texts), case_texts, changes)
