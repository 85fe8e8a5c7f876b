"""Answers judged by how well they serve whoever asked."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from planish.find.verifiers.funnel import FunnelRow, tallied
from planish.find.verifiers.judge_reply import read_score
from planish.recipes.asking import Asker
from planish.recipes.blocks import rows_in_blocks
from planish.recipes.calls import Calls
from planish.records.generation import Generation, successes
from planish.records.prompt import Prompt
from planish.records.record import Record
from planish.records.reply import Reply
from planish.runs.run import Run


class Judgement(Record):
    """How good an answer is, from 0 to 10; None where the judge could not be understood."""

    generation_id: str
    prompt_id: str
    quality: float | None = None
    error: str = ""


class Judged(NamedTuple):
    """The quality of each answer that has one, and the prompts whose instruction goes with their query."""

    quality: dict[str, float]
    prompts: list[Prompt]
    funnel: list[FunnelRow]


def judged(
    run: Run,
    asker: Asker,
    calls: Calls,
    prompts: Sequence[Prompt],
    plain: Mapping[str, Prompt],
    answers: Sequence[Generation],
    least_quality: float,
    block: int = 32,
) -> Judged:
    """Have a model judge answers; it is not shown any program.

    Args:
        run: is open.
        asker: asks the judge.
        calls: its wordings.
        prompts: were answered.
        plain: each prompt as it was before its instruction was said in it, by the prompt's id.
        answers: to the prompts; failed ones are passed over.
        least_quality: a prompt whose answers are worse on average is left out. One that nobody judged stays.
        block: answers that are judged and saved together.
    """
    by_id = {prompt.id: prompt for prompt in prompts}

    def judgements(some: Sequence[Generation]) -> list[Judgement]:
        requests = []
        for answer in some:
            query = plain[answer.prompt_id].content
            said = by_id[answer.prompt_id].content.removeprefix(query).strip()
            requests.append(calls.judge_quality(query, said, answer.text))
        return [_judgement(answer, reply) for answer, [reply] in zip(some, asker.ask(requests), strict=True)]

    rows = rows_in_blocks(run, "quality", Judgement, successes(answers), judgements, block)
    quality = {row.generation_id: row.quality for row in rows if row.quality is not None}
    of_prompt = defaultdict[str, list[float]](list)
    for row in rows:
        if row.quality is not None:
            of_prompt[row.prompt_id].append(row.quality)
    fitting = [prompt for prompt in prompts if _mean(of_prompt[prompt.id], least_quality) >= least_quality]
    return Judged(quality, fitting, _funnel(rows, len(prompts), len(fitting)))


def _judgement(answer: Generation, reply: Reply) -> Judgement:
    score = read_score(reply.text)
    error = "" if score is not None else reply.error or "the judge gave no score"
    return Judgement(generation_id=answer.id, prompt_id=answer.prompt_id, quality=score, error=error)


def _mean(qualities: Sequence[float], otherwise: float) -> float:
    return sum(qualities) / len(qualities) if qualities else otherwise


def _funnel(rows: Sequence[Judgement], prompts: int, fitting: int) -> list[FunnelRow]:
    return [
        *tallied("answers judged", ["kept" if row.quality is not None else "no_score" for row in rows]),
        *tallied("prompts", ["kept"] * fitting + ["low_quality"] * (prompts - fitting)),
    ]
