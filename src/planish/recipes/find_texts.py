"""The texts that a model writes to be profiled."""

import math
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from planish.models import bundled
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.recipes.find_settings import FindSettings
from planish.recipes.find_source import Say, Source, held
from planish.recipes.writer import Writer
from planish.records.generation import Generation, successes
from planish.records.prompt import Prompt
from planish.records.prompt_file import read_prompts
from planish.runs.disk import append, explain_refusal, make_folder
from planish.steer.sampling import Sampling
from planish.text.corpus import Document

# What a model wrote, a text a row.
GENERATIONS = "generations.jsonl"
# Requests for stories.
OWN_PROMPTS = "story_requests.txt"
# Why a text is left out.
FAILED = "failed"


def write_source(model_name: str, name: str, settings: FindSettings, folder: Path | None, say: Say) -> Source:
    """What a model writes for the prompts of the settings, as documents with their prompts.

    Args:
        model_name: see `load_model`.
        name: what its texts are to be called.
        settings: of the whole.
        folder: keeps every block of texts as soon as it is written, if it is given; what it kept before goes.
        say: is told how it goes.

    Raises:
        UsageError: a setting of the sampling is off.
        DataError: there is no prompt, or no text could be written.
        ModelError: the model cannot be loaded, or its server not be reached.
    """
    sampling = Sampling.from_user(settings.sampling)
    most = None if settings.limit is None else math.ceil(settings.limit / settings.samples)
    prompts = read_prompts(settings.prompts or Path(str(files(bundled).joinpath(OWN_PROMPTS))), limit=most)
    model = load_model(model_name, settings.device)
    content = {prompt.id: prompt.content for prompt in prompts}
    texts: list[Generation] = []
    stage = f"write {name}"
    say("begin", stage)
    say("expect", stage, rows=len(prompts) * settings.samples)
    for block in _blocks(model, prompts, settings, sampling):
        _keep(folder, block, first=not texts)
        texts += block
        say("block", stage, rows=len(texts))
    say("end", stage, rows=len(texts))
    written = successes(texts[: settings.limit])
    failed = len(texts[: settings.limit]) - len(written)
    documents = [Document(text.text, content[text.prompt_id]) for text in written]
    return Source(name, held(documents), {FAILED: failed} if failed else {}, model.template_words)


def _blocks(
    model: LanguageModel, prompts: Sequence[Prompt], settings: FindSettings, sampling: Sampling
) -> Iterator[list[Generation]]:
    each = max(1, settings.block // settings.samples)
    with Writer(model, settings, sampling, prompts) as writer:
        engine = writer.engine()
        for start in range(0, len(prompts), each):
            yield engine.generate(prompts[start : start + each], settings.samples, settings.seed)


def _keep(folder: Path | None, block: Sequence[Generation], *, first: bool) -> None:
    if folder is None:
        return
    with explain_refusal(folder):
        make_folder(folder)
        if first:
            (folder / GENERATIONS).unlink(missing_ok=True)
        append(folder / GENERATIONS, "".join(text.model_dump_json() + "\n" for text in block).encode())
