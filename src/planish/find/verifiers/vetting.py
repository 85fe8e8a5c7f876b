"""Which verifiers and cases of an instruction can be trusted, and whether enough of them to use it."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from planish.find.verifiers.ballot import Ballot, ballot
from planish.find.verifiers.fingerprint import Says, agreement, fingerprint, likeness
from planish.find.verifiers.probes import Probes, probe_set
from planish.find.verifiers.trials import Trials
from planish.find.verifiers.verifier import Case, Reason, Status, Verifier
from planish.find.verifiers.vetting_settings import VettingSettings
from planish.records.record import Record
from planish.sandbox.job import Job
from planish.sandbox.sandbox import Sandbox


class InstructionVerdict(Record):
    """Whether an instruction can be used, and how many behaviours its kept verifiers have."""

    instruction_id: str
    status: Status
    reason: Reason | None = None
    clusters: int = 0


class Vetted(NamedTuple):
    """Everything that was given, in its order, with what became of it; then small changes of texts as further cases."""

    instruction: InstructionVerdict
    verifiers: list[Verifier]
    cases: list[Case]


def vet(
    instruction_id: str,
    verifiers: Sequence[Verifier],
    cases: Sequence[Case],
    sandbox: Sandbox,
    responses: Sequence[str] = (),
    strangers: Sequence[Verifier] = (),
    settings: VettingSettings | None = None,
) -> Vetted:
    """Judge verifiers by cases and cases by verifiers.

    Args:
        instruction_id: of the instruction.
        verifiers: of the instruction.
        cases: of the instruction.
        sandbox: where they run; opened.
        responses: answers that somebody sampled; nothing is known of them.
        strangers: verifiers of other instructions, which must do worse.
        settings: the rules.
    """
    rules = settings or VettingSettings()
    probes = probe_set(cases, responses, rules)
    trials = Trials(verifiers, rules.most_chars)
    strange = _run(trials, strangers, probes, sandbox, rules)

    trials.number()
    judged = _judged(cases, _votes(trials, cases, probes), probes, rules)
    kept = [case for case in judged if case.status == "kept"]
    changed: list[Case] = []
    fault = _fault_of_cases(judged, kept, rules)
    if fault is None:
        _ask_of_cases(trials, kept, strange, probes, rules)
        changed = _ask_of_changes(trials, _votes(trials, kept, probes), probes, rules, instruction_id)
        _look_for_partners(trials, rules)
        fault = _fault_of_verifiers(trials, rules)
    if fault is not None:
        _drop_all(trials, judged, fault)
        changed = []
    kept_clusters = {trials.verifiers[place].cluster for place in trials.standing}
    verdict = InstructionVerdict(
        instruction_id=instruction_id,
        status="rejected" if fault else "kept",
        reason=fault,
        clusters=len(kept_clusters),
    )
    return Vetted(verdict, trials.outcome(), [*judged, *changed])


def _run(
    trials: Trials, strangers: Sequence[Verifier], probes: Probes, sandbox: Sandbox, rules: VettingSettings
) -> set[Says]:
    """Let all of them speak; what strangers say of the cases comes back, each behaviour once."""
    running = trials.standing
    jobs = [Job(trials.verifiers[place].source, probes.texts) for place in running]
    answers = sandbox.run([*jobs, *(Job(stranger.source, probes.case_texts) for stranger in strangers)])
    prints = [fingerprint(each) for each in answers]
    for place, each in zip(running, prints, strict=False):
        trials.hear(place, each, rules.most_silent)
    return {each.says for each in prints[len(running) :]}


def _votes(trials: Trials, cases: Sequence[Case], probes: Probes) -> Ballot:
    """Of those that stand."""
    return ballot(trials.behaviours(), cases, [probes.place(case.text) for case in cases])


def _judged(cases: Sequence[Case], votes: Ballot, probes: Probes, rules: VettingSettings) -> list[Case]:
    """The cases with which most votes agree are kept, each once."""
    judged: list[Case] = []
    kept: set[tuple[str, bool]] = set()
    for case in cases:
        passing = votes.share(probes.place(case.text))
        share = passing if passing is None or case.holds else 1 - passing
        found = case.model_copy(update={"status": "kept", "reason": None, "agreement": share})
        if share is None:
            found = found.rejected("no_votes", "no verifier that counts says anything of it")
        elif share <= rules.case_agreement:
            found = found.rejected("outvoted", f"{share:.0%} of the votes agree with it")
        elif (case.text, case.holds) in kept:
            found = found.rejected("duplicate", "another case says the same")
        else:
            kept.add((case.text, case.holds))
        judged.append(found)
    return judged


def _fault_of_cases(judged: Sequence[Case], kept: Sequence[Case], rules: VettingSettings) -> Reason | None:
    if not judged:
        return Reason(code="no_cases", words="there are no cases")
    different = [case for case in judged if case.reason is None or case.reason.code != "duplicate"]
    if not kept or len(kept) < rules.least_kept * len(different):
        words = f"verifiers agree with {len(kept)} of {len(different)} cases"
        return Reason(code="contradictory", words=words)
    holding = sum(case.holds for case in kept)
    if min(holding, len(kept) - holding) < rules.least_of_each:
        always = holding >= len(kept) - holding
        words = f"of {len(kept)} kept cases {holding} hold, so that a verifier that always says {always} would pass"
        return Reason(code="one_polarity", words=words)
    return None


def _ask_of_cases(
    trials: Trials, kept: Sequence[Case], strange: set[Says], probes: Probes, rules: VettingSettings
) -> None:
    """A verifier is right on kept cases: often, more often than a constant, and than others'."""
    places = [probes.place(case.text) for case in kept]
    truth = [case.holds for case in kept]
    constant = max(agreement([always] * len(truth), truth) for always in (True, False))
    strangers = [agreement([says[place] for place in places], truth) for says in strange]
    for verifier in trials.standing:
        right = agreement([trials.says[verifier][place] for place in places], truth)
        trials.note(verifier, agreement=right)
        as_good = sum(stranger >= right for stranger in strangers)
        if right < rules.verifier_agreement:
            trials.reject(verifier, "disagrees", f"it is right on {right:.0%} of {len(kept)} kept cases")
        elif right <= constant:
            words = f"always saying the same is right on {constant:.0%} of the kept cases, and it on {right:.0%}"
            trials.reject(verifier, "not_better_than_constant", words)
        elif as_good > rules.most_strangers * len(strangers):
            words = f"{as_good} of {len(strangers)} behaviours of other instructions' verifiers are right as often"
            trials.reject(verifier, "not_specific", words)


def _ask_of_changes(
    trials: Trials, votes: Ballot, probes: Probes, rules: VettingSettings, instruction_id: str
) -> list[Case]:
    """A verifier notices changes that break the instruction, by most votes; all changes come back as cases."""
    changed = []
    broken = []
    for change in probes.changes:
        before, after = votes.share(change.parent), votes.share(change.place)
        if before is None or after is None or before <= rules.case_agreement:
            continue
        share = max(after, 1 - after)
        if share <= rules.case_agreement:
            continue
        case = Case(
            text=probes.texts[change.place],
            holds=after > 0.5,
            origin="mutation",
            instruction_id=instruction_id,
            status="kept",
            agreement=share,
        )
        changed.append(case)
        if not case.holds:
            broken.append(change.place)
    for verifier in trials.standing if broken else []:
        score = agreement([trials.says[verifier][place] for place in broken], [False] * len(broken))
        trials.note(verifier, mutation_score=score)
        if score < rules.least_mutation_score:
            words = f"it notices {score:.0%} of {len(broken)} small changes that break the instruction"
            trials.reject(verifier, "mutation", words)
    return changed


def _look_for_partners(trials: Trials, rules: VettingSettings) -> None:
    standing = trials.standing
    for one in standing if rules.least_verifiers > 1 else []:
        others = [likeness(trials.says[one], trials.says[other]) for other in standing if other != one]
        if not others:
            trials.reject(one, "alone", "no other verifier is left to confirm it")
        elif max(others) < rules.partner_agreement:
            trials.reject(one, "alone", f"no other verifier agrees with it on more than {max(others):.0%} of the texts")


def _fault_of_verifiers(trials: Trials, rules: VettingSettings) -> Reason | None:
    count = len(trials.standing)
    if count >= rules.least_verifiers:
        return None
    codes = Counter(verifier.reason.code for verifier in trials.verifiers if verifier.reason)
    why = ", ".join(f"{code} {number}" for code, number in codes.most_common())
    words = f"{count} of {len(trials.verifiers)} verifiers can be trusted; rejected: {why or 'none'}"
    return Reason(code="too_few_verifiers", words=words)


def _drop_all(trials: Trials, judged: list[Case], fault: Reason) -> None:
    """Nothing of an instruction that is rejected is kept."""
    words = f"its instruction is rejected: {fault.words}"
    for place in trials.standing:
        trials.reject(place, "instruction", words)
    judged[:] = [case.rejected("instruction", words) if case.status == "kept" else case for case in judged]
