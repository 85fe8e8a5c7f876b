"""Decoding: the engine against `model.generate`, and every steer against the engine without it."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from claim import measure as measure_by
from claim import report
from lists import never_met
from transformers import GenerationConfig

from models import models
from planish.find.slop import Slop
from planish.models.bundled import openings, writing_prompts
from planish.models.language_model import LanguageModel
from planish.models.value_head import ValueHead
from planish.records.prompt import Prompt, opening
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.cap import Cap
from planish.steer.contrast import Contrast
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

ROWS = 32
# On a processor one thread does everything, and what others do on the machine is not to count.
measure = partial(measure_by, clock=time.perf_counter if torch.cuda.is_available() else time.process_time)


def main() -> int:
    """Measure on each model, or on those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["bundled", "stories260k", "llama30m"])
    holds: list[bool] = []
    for model in models(parser.parse_args().models):
        for claims in (plain, mixed_lengths, long_lists, list_sizes, contrast, cap):
            holds += claims(model)
        if model.name == "bundled":
            holds += accepted(model)
    return 0 if all(holds) else 1


def plain(model: LanguageModel) -> list[bool]:
    """The engine without steers, on texts of one length."""
    return [
        measure(
            f"{model.name}: {rows} rows, as a share of model.generate's speed",
            library(model, prompts(model, rows), [length(model)] * rows, rows),
            written(Engine(model, sampling=exactly(length(model)), batch_size=rows), prompts(model, rows)),
            1.0,
        )
        for rows in (1, 8, 32)
    ]


def mixed_lengths(model: LanguageModel) -> list[bool]:
    """Short and long prompts, short and long texts: rows that are done make room, where the library waits."""
    many, longest = 4 * ROWS, 2 * length(model)
    lengths = [longest // 10 + 37 * at % (longest * 9 // 10) for at in range(many)]
    asked = [opening(" ".join(prompt.content.split()[: 4 + at % 24])) for at, prompt in enumerate(prompts(model, many))]
    engine = Engine(model)

    def ours() -> None:
        batch, waiting = engine.batch(), list(zip(asked, lengths, strict=True))
        while waiting or batch.rows:
            if waiting and len(batch.rows) <= ROWS - 4:
                joining = [waiting.pop() for _ in range(min(ROWS - len(batch.rows), len(waiting)))]
                batch.join([engine.row(prompt, 0, 0, engine.plan([], exactly(many))) for prompt, many in joining])
            batch.step()

    claim = f"{model.name}: {ROWS} rows of mixed lengths, as a share of model.generate's speed"
    return [measure(claim, library(model, asked, lengths, ROWS), ours, 1.3)]


def long_lists(model: LanguageModel) -> list[bool]:
    """8,000 phrases, 2,000 n-grams and 20 regexes, none of which is met."""
    banned = Engine(model, [Ban(Slop(never_met(8000, 2000, 20)))], exactly(length(model)), ROWS)
    claim = f"{model.name}: with 10,020 bans, as a share of plain decoding's speed"
    return [measure(claim, plain_writing(model), written(banned, prompts(model, ROWS)), 0.95)]


def list_sizes(model: LanguageModel) -> list[bool]:
    """A list a hundred times as long, and texts five times as long."""
    short, long = (Ban(Slop(never_met(many))) for many in (1000, 100_000))
    asked = prompts(model, ROWS)
    few, much = (written(Engine(model, [ban], exactly(length(model)), ROWS), asked) for ban in (short, long))
    lengthy = [written(Engine(model, steers, exactly(5 * length(model)), ROWS), asked) for steers in ([], [short])]
    return [
        measure(f"{model.name}: with 100,000 bans, as a share of the speed with 1,000", few, much, 0.95),
        measure(
            f"{model.name}: with 1,000 bans and {5 * length(model)} tokens, as a share of plain decoding's speed",
            *lengthy,
            0.95,
        ),
    ]


def contrast(model: LanguageModel) -> list[bool]:
    """Two models in lock step: the second one is a copy of the first."""
    asked, other = prompts(model, ROWS), model.on(model.device)
    both = written(Engine(model, [Contrast(other)], exactly(length(model)), ROWS), asked)
    each = [written(Engine(one, sampling=exactly(length(model)), batch_size=ROWS), asked) for one in (model, other)]
    claim = f"{model.name}: contrast, as a share of the speed of both models one after the other"
    return [measure(claim, lambda: [write() for write in each], both, 1 / 1.1)]


def cap(model: LanguageModel) -> list[bool]:
    """A linear value head as wide as the vocabulary, asked for the 50 likeliest tokens or for all."""
    torch.manual_seed(0)
    head = ValueHead(model.width, model.vocabulary).to(model.device)
    torch.nn.init.normal_(head.token.weight, std=0.05)
    torch.nn.init.constant_(head.state.bias, -4)
    asked = prompts(model, ROWS)
    few, all_tokens = exactly(length(model)).model_copy(update={"top_k": 50}), exactly(length(model))
    return [
        measure(
            f"{model.name}: with a cap {where}, as a share of the same without",
            *(written(Engine(model, steers, sampling, ROWS), asked) for steers in ([], [Cap(head, 0.05)])),
            0.9,
        )
        for where, sampling in (("on the 50 likeliest tokens", few), ("on all tokens", all_tokens))
    ]


def accepted(model: LanguageModel) -> list[bool]:
    """How many of the decoded tokens stay, where a tenth of the sentences is hit."""
    asked = openings()[:ROWS]
    texts = Engine(model, sampling=exactly(length(model)), batch_size=ROWS).generate(asked)
    sentences = [sentence for text in texts for sentence in text.text.split(".")]
    words = sorted({word for sentence in sentences for word in sentence.lower().split() if len(word) > 5})
    banned: list[str] = []
    for word in words:
        if sum(any(ban in sentence.lower().split() for ban in banned) for sentence in sentences) >= len(sentences) / 10:
            break
        banned.append(word)
    steered = Engine(model, [Ban(Slop([BanRule(text=word) for word in banned]))], exactly(length(model)), ROWS)
    again = [steered.generate(asked, seed=seed) for seed in range(7)]
    shares = [sum(len(text.token_ids) for text in run) / sum(text.tokens_spent for text in run) for run in again]
    return [report(f"{model.name}: accepted of all decoded tokens, a tenth of the sentences hit", shares, 0.95)]


def prompts(model: LanguageModel, many: int) -> list[Prompt]:
    """Requests; for a model that knows no turns their beginnings."""
    asked = writing_prompts()[:many]
    return asked if model.name != "stories260k" else [opening(prompt.content[:30]) for prompt in asked]


def length(model: LanguageModel) -> int:
    """How long a text is, in tokens: what takes a second or two."""
    return 100 if model.width <= 256 else 25


def exactly(tokens: int) -> Sampling:
    """Texts of one length."""
    return Sampling(max_tokens=tokens, min_tokens=tokens)


def plain_writing(model: LanguageModel) -> Callable[[], object]:
    """The engine without steers."""
    return written(Engine(model, sampling=exactly(length(model)), batch_size=ROWS), prompts(model, ROWS))


def written(engine: Engine, asked: Sequence[Prompt]) -> Callable[[], object]:
    """Write one text for each."""
    return lambda: engine.generate(asked)


def library(model: LanguageModel, asked: Sequence[Prompt], lengths: Sequence[int], rows: int) -> Callable[[], object]:
    """The same texts by `model.generate`, so many at once; each batch goes on until its longest text is done."""
    ids = [model.encode(prompt) for prompt in asked]
    batches = []
    for start in range(0, len(ids), rows):
        some = ids[start : start + rows]
        longest = max(map(len, some))
        padded = torch.tensor([[0] * (longest - len(row)) + row for row in some], device=model.device)
        seen = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in some], device=model.device)
        most = max(lengths[start : start + rows])
        settings = GenerationConfig(
            do_sample=True,
            top_k=0,
            max_new_tokens=most,
            min_new_tokens=most,
            pad_token_id=0,
            eos_token_id=sorted(model.end_ids),
        )
        batches.append((padded, seen, settings))
    return lambda: [
        model.model.generate(padded, attention_mask=seen, generation_config=settings)
        for padded, seen, settings in batches
    ]


if __name__ == "__main__":
    sys.exit(main())
