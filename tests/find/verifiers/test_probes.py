from planish.find.verifiers.probes import probe_set
from planish.find.verifiers.verifier import Case
from planish.find.verifiers.vetting_settings import VettingSettings

CASES = [
    Case(text="This is one way to say it.", holds=True, origin="blind"),
    Case(text="And this is how not to.", holds=False, origin="blind"),
]


def test_changed_are_texts_that_should_pass_and_responses_and_each_change_knows_its_text() -> None:
    probes = probe_set(CASES, ["A response, sampled."], VettingSettings())
    assert probes.texts[:3] == (CASES[0].text, CASES[1].text, "A response, sampled.")
    assert probes.case_texts == probes.texts[:2]
    assert {change.parent for change in probes.changes} == {0, 2}
    assert sorted(change.place for change in probes.changes) == list(range(3, len(probes.texts)))


def test_each_text_stands_once_and_as_many_are_changed_as_the_settings_say() -> None:
    responses = [CASES[0].text, "Once more.", "Once more."]
    probes = probe_set([*CASES, *CASES], responses, VettingSettings(mutated_texts=1, mutants_a_text=4))
    assert len(set(probes.texts)) == len(probes.texts) == 3 + 4
    assert {change.parent for change in probes.changes} == {0}
    assert [probes.place(case.text) for case in CASES] == [0, 1]
