"""The texts of a stage: written in blocks, so that a run that was killed goes on where it was."""

from collections.abc import Iterator, Sequence

from planish.errors import DataError
from planish.recipes.writer import TextEngine
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.runs.run import Run


def write_texts(
    run: Run,
    stage: str,
    engine: TextEngine,
    prompts: Sequence[Prompt],
    *,
    samples: int,
    seed: int,
    block: int,
    max_failures: float,
) -> list[Generation]:
    """`samples` texts for each of some prompts, about `block` of them at a time.

    Raises:
        DataError: more than the share `max_failures` of them failed; the first failure is named.
    """
    per_block = max(1, block // samples)

    def blocks(first: int) -> Iterator[list[Generation]]:
        for start in range(first * per_block, len(prompts), per_block):
            yield engine.generate(prompts[start : start + per_block], samples, seed)

    run.say("expect", rows=len(prompts) * samples)
    texts = run.rows(stage, Generation, blocks)
    failed = [text for text in texts if text.status == "failed"]
    if len(failed) > max_failures * len(texts):
        raise DataError(
            f"{len(failed)} of {len(texts)} texts of the stage {stage!r} failed: {failed[0].error}",
            "mend the cause, or planish resume with a higher --set max_failures",
        )
    return texts
