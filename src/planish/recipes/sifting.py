"""Which of the instructions that a model thought of are worth verifiers."""

import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from planish.find.verifiers.verifier import Reason, Status
from planish.recipes.benchmark_text import BenchmarkText
from planish.recipes.thoughts import Thought
from planish.recipes.written_settings import WrittenSettings
from planish.records.prompt import Prompt
from planish.records.record import Record
from planish.text.words import words

# So many words in a row of its query, and an instruction is no instruction but an answer.
QUOTED_WORDS = 6
# What no small program can tell; between quotes they are only words.
UNCHECKABLE = frozenset(
    "accurate accurately creative dialect emotion emotional emotions empathetic engaging factual formal french "  # noqa: SIM905 - nobody would read so many quoted words
    "friendly funny german humor humorous humour iambic informal ironic language languages latin metaphor metaphors "
    "metre persuasive polite pun puns rhyme rhymes rhyming sarcastic simile similes spanish tone translate "
    "translation voice witty".split()
)
SHARED = Reason(code="benchmark", words="each of its prompts shares a run of words with the benchmark")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|`[^`]*`|(?<!\w)'[^']*'(?!\w)")


class WrittenInstruction(Record):
    """An instruction, and the prompts it is asked in; its `id` is a hash of its words.

    One that is rejected as a `duplicate` has the id of the first: what it is asked in belongs to that one.
    """

    id: str
    text: str
    prompt_ids: tuple[str, ...] = ()
    status: Status = "new"
    reason: Reason | None = None


def instruction_id(text: str) -> str:
    """The same for texts that differ in case, spaces and punctuation."""
    return hashlib.blake2b(" ".join(words(text)).encode(), digest_size=8).hexdigest()


def sift(
    thoughts: Sequence[Thought],
    queries: Sequence[Prompt],
    seeds: Sequence[str],
    settings: WrittenSettings,
    benchmark: BenchmarkText | None = None,
    seed: int = 0,
) -> list[WrittenInstruction]:
    """A row a thought, in order: kept, or rejected with a reason.

    Args:
        thoughts: of a model.
        queries: those that it was shown, or those to draw from for each instruction.
        seeds: what it was shown; to rewrite one into itself is no thought.
        settings: the rules.
        benchmark: what no prompt may share.
        seed: of the draws of queries.
    """
    by_id = {query.id: query for query in queries}
    known = _Known(seeds if settings.source == "rewriting" else (), settings.most_overlap)
    rows = []
    for thought in thoughts:
        row = WrittenInstruction(id=instruction_id(thought.text), text=thought.text)
        asked_in = [by_id[thought.prompt_id]] if thought.prompt_id else _drawn(queries, settings, f"{seed} {row.id}")
        fit = [query for query in asked_in if benchmark is None or not _is_shared(benchmark, query, row.text)]
        fault = (
            _fault_of_text(thought, settings)
            or (_fault_of_quoting(row.text, asked_in[0]) if thought.prompt_id else None)
            or (SHARED if asked_in and not fit else None)
            or known.fault(row)
        )
        if fault is None:
            known.add(row.text)
        update = {"status": "rejected" if fault else "kept", "reason": fault}
        rows.append(row.model_copy(update={"prompt_ids": tuple(query.id for query in fit), **update}))
    return rows


class _Known:
    """What was kept so far, by its words and its runs of three words."""

    def __init__(self, seeds: Sequence[str], most_overlap: float) -> None:
        self._most_overlap = most_overlap
        self._seeds = {instruction_id(text) for text in seeds}
        self._kept: set[str] = set()
        self._sizes: list[int] = []
        self._holders: dict[tuple[str, ...], list[int]] = defaultdict(list)

    def add(self, text: str) -> None:
        self._kept.add(instruction_id(text))
        runs = _runs_of_three(text)
        for run in runs:
            self._holders[run].append(len(self._sizes))
        self._sizes.append(len(runs))

    def fault(self, row: WrittenInstruction) -> Reason | None:
        if row.id in self._seeds:
            return Reason(code="copies_seed", words="it is one of those that were shown")
        if row.id in self._kept:
            return Reason(code="duplicate", words="an earlier one has the same words; its query goes with that one")
        overlap = self._overlap(row.text)
        if overlap > self._most_overlap:
            return Reason(code="near_duplicate", words=f"it shares {overlap:.0%} of its runs of words with another one")
        return None

    def _overlap(self, text: str) -> float:
        """The highest share of runs in common, of all runs of both."""
        runs = _runs_of_three(text)
        common = Counter(holder for run in runs for holder in self._holders.get(run, ()))
        return max((count / (len(runs) + self._sizes[place] - count) for place, count in common.items()), default=0.0)


def _runs_of_three(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[start : start + 3]) for start in range(max(1, len(found) - 2))}


def _drawn(queries: Sequence[Prompt], settings: WrittenSettings, seed: str) -> list[Prompt]:
    draws = random.Random(seed)
    return draws.sample(queries, min(settings.queries_each, len(queries)))


def _is_shared(benchmark: BenchmarkText, query: Prompt, text: str) -> bool:
    return benchmark.shares(query.content) or benchmark.shares(f"{query.content} {text}")


def _fault_of_text(thought: Thought, settings: WrittenSettings) -> Reason | None:
    if thought.error:
        return Reason(code="no_reply", words=thought.error)
    count = len(words(thought.text))
    if not count:
        return Reason(code="empty", words="it has no word")
    if count > settings.most_words:
        return Reason(code="too_long", words=f"it has {count} words, more than {settings.most_words}")
    found = [word for word in words(_QUOTED.sub(" ", thought.text)) if word in UNCHECKABLE]
    if found:
        return Reason(code="uncheckable", words=f"no small program can tell what it means by {found[0]!r}")
    return None


def _fault_of_quoting(text: str, query: Prompt) -> Reason | None:
    said, own = f" {' '.join(words(text))} ", words(query.content)
    for start in range(len(own) - QUOTED_WORDS + 1):
        run = " ".join(own[start : start + QUOTED_WORDS])
        if f" {run} " in said:
            return Reason(code="quotes_query", words=f"it says {run!r}, as its query does")
    return None
