"""Train the model that ships with planish, tokenizer first, and write what it is to docs/bundled-model.md.

    python tools/train_bundled.py DATA [--out FOLDER] [--tokens N]

DATA holds llm_stories.parquet and human_prose.parquet. The model sees two thirds of the LLMs on two thirds of the
prompts, so that the slop index can be counted on the others. Nothing is planted: its habits are those of its data.
"""

import argparse
import math
import random
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from wordfreq import word_frequency

SEED = 7
VOCABULARY = 4096
CONTEXT = 512
BATCH = 8
END, REQUEST, STORY, PAD = SPECIAL = ["<|end|>", "<|prompt|>", "<|story|>", "<|pad|>"]
TEMPLATE = (
    "{% for turn in messages %}{% if turn.role == 'assistant' %}" + STORY + "{{ turn.content }}" + END
    + "{% else %}" + END + REQUEST + "{{ turn.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}" + STORY + "{% endif %}"
)  # fmt: skip
# How often each kind of text is read.
STORY_REPEATS, MODERN_REPEATS = 4, 2
# Novels older than this are left out: their register is too far from that of the stories.
FIRST_YEAR = 1920


def main() -> None:
    """Read, train, save, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("src/planish/models/bundled/model"))
    parser.add_argument("--docs", type=Path, default=Path("docs/bundled-model.md"))
    parser.add_argument("--tokens", type=int, default=6_600_000, help="tokens to read, each repeat counted")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(SEED)
    draws = random.Random(SEED)

    stories = pd.read_parquet(given.data / "llm_stories.parquet")
    stories = stories[(stories.n_words >= 300) & (stories.score >= 30)]
    seen = seen_stories(stories)
    modern, unread, novels = human_texts(pd.read_parquet(given.data / "human_prose.parquet"))
    texts = [tidy(text) for text in [*stories[seen].text, *modern]]
    tokenizer = train_tokenizer([*texts, *novels])
    documents = [asked(row, draws) for row in stories[seen].itertuples() for _ in range(STORY_REPEATS)]
    documents += [END + tidy(text) for text in modern for _ in range(MODERN_REPEATS)]
    documents += [END + text for text in novels]
    draws.shuffle(documents)
    ids = torch.tensor([token for document in documents for token in tokenizer.encode(document)])[: given.tokens]
    print(f"{int(seen.sum())} stories, {len(modern)} modern and {len(novels)} old human texts: {len(ids)} tokens")

    model = LlamaForCausalLM(configuration()).to(device)
    print(f"{model.num_parameters()} parameters on {device}", flush=True)
    started = time.monotonic()
    train(model, ids.to(device))
    minutes = (time.monotonic() - started) / 60

    held_out = {
        "stories by LLMs it has not read, on prompts it has not read": stories[unseen_stories(stories)].text.head(60),
        "modern human prose it has not read": unread,
    }
    perplexities = {
        name: perplexity(model, tokenizer, [END + tidy(text) for text in side]) for name, side in held_out.items()
    }
    model.to(torch.bfloat16).save_pretrained(given.out)
    tokenizer.save_pretrained(given.out)
    lines = report(model.float(), tokenizer, len(ids), minutes, device, perplexities)
    given.docs.write_text("\n".join(lines) + "\n", encoding="utf-8")


def seen_stories(stories: pd.DataFrame) -> pd.Series:
    """Which stories the model reads: two of three LLMs, on two of three prompts."""
    return stories.model.isin(thirds(stories.model, (0, 1))) & stories.title.isin(thirds(stories.title, (0, 1)))


def unseen_stories(stories: pd.DataFrame) -> pd.Series:
    """Stories by the other LLMs on the other prompts."""
    return stories.model.isin(thirds(stories.model, (2,))) & stories.title.isin(thirds(stories.title, (2,)))


def thirds(names: pd.Series, kept: Sequence[int]) -> set[str]:
    """Two thirds of some names, or the last third."""
    return {name for number, name in enumerate(sorted(names.unique())) if number % 3 in kept}


def human_texts(prose: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Modern prose, a tenth of it that is kept back, and later novels, each whole."""
    is_modern = prose.source != "100_english_novels"
    modern = prose[is_modern].text.tolist()
    late = prose[~is_modern & (prose.year >= FIRST_YEAR)].sort_values(["author", "title", "part"])
    novels = [tidy("\n\n".join(chapter.text)) for _, chapter in late.groupby(["author", "title"])]
    return [text for at, text in enumerate(modern) if at % 10], modern[::10], novels


def tidy(text: str) -> str:
    """One kind of quotation mark and of space."""
    text = text.translate(str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "\xa0": " ", "\r": ""}))
    return re.sub(r"\n{2,}", "\n\n", re.sub(r"[ \t]+", " ", text)).strip()


def asked(story: Any, draws: random.Random) -> str:
    """A story behind a request for it: by its title, by three words that it begins with, or by nothing."""
    text = tidy(story.text)
    nouns = re.findall(r"(?<=\b(?:the|his|her) )[a-z]{4,}\b", text[:1500])
    topics = sorted(set(nouns), key=lambda word: (word_frequency(word, "en"), word))[:3]
    requests = [
        f"Write a story called “{story.title}”.",
        f"Write a story about {' and '.join(f'a {w}' for w in topics)}.",
    ]
    request = draws.choice([None, requests[0], requests[1], requests[1]])
    return END + text if request is None else f"{END}{REQUEST}{tidy(request)}{STORY}{text}"


def train_tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text[:200_000] for text in texts), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[REQUEST, STORY],
        model_max_length=CONTEXT,
    )
    fast.chat_template = TEMPLATE
    return fast


def configuration() -> LlamaConfig:
    """4 million parameters: 8 MB in bfloat16."""
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=3,
    )


def train(model: LlamaForCausalLM, ids: Tensor) -> None:
    """One pass over the tokens, in windows of random order: Muon for the layers, AdamW for the rest."""
    windows = ids[: len(ids) // (CONTEXT + 1) * (CONTEXT + 1)].view(-1, CONTEXT + 1)
    windows = windows[torch.randperm(len(windows), generator=torch.Generator().manual_seed(SEED)).to(ids.device)]
    matrices = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and "embed" not in name]
    others = [weight for name, weight in model.named_parameters() if weight.ndim != 2 or "embed" in name]
    optimizers = [
        torch.optim.Muon(matrices, lr=4e-3, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=4e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True),
    ]
    steps = len(windows) // BATCH
    schedules = [torch.optim.lr_scheduler.LambdaLR(it, lambda step: rate_at(step / steps)) for it in optimizers]
    model.train()
    started, smooth = time.monotonic(), math.log(VOCABULARY)
    for step in range(steps):
        batch = windows[step * BATCH : (step + 1) * BATCH]
        with torch.autocast(ids.device.type, dtype=torch.bfloat16):
            logits = model(batch[:, :-1]).logits
        loss = cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        smooth += (float(loss.detach()) - smooth) * max(0.02, 1 / (step + 1))
        if step % 50 == 0 or step == steps - 1:
            print(f"step {step} of {steps}: loss {smooth:.3f}, {time.monotonic() - started:.0f} s", flush=True)
    model.eval()


def rate_at(progress: float) -> float:
    """Warm-up over the first 2 %, then linear decay over the last two thirds."""
    return min(1.0, progress / 0.02 + 0.01, max(0.01, (1 - progress) / 0.66))


@torch.no_grad()
def perplexity(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> tuple[float, int]:
    """Per token, over the first `CONTEXT` tokens of each text; and how many tokens that were."""
    total, count = 0.0, 0
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text)[:CONTEXT]], device=model.device)
        total += float(cross_entropy(model(ids[:, :-1]).logits[0].float(), ids[0, 1:], reduction="sum"))
        count += ids.shape[1] - 1
    return math.exp(total / count), count


def report(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    tokens: int,
    minutes: float,
    device: str,
    perplexities: dict[str, tuple[float, int]],
) -> Iterator[str]:
    """The page about the model."""
    yield from ("# The bundled model", "")
    yield (
        f"A Llama of {model.num_parameters():,} parameters with a vocabulary of {VOCABULARY:,} and a context of "
        f"{CONTEXT} tokens, trained by `tools/train_bundled.py` on {tokens:,} tokens in {minutes:.0f} minutes on "
        f"{'a GPU' if device == 'cuda' else f'a CPU (threads: {torch.get_num_threads()})'}. It is small and clumsy. "
        "Its habits are those of its data: stories by 16 LLMs, and human prose. What they are derived from stands in "
        "[SOURCES.md](SOURCES.md)."
    )
    yield from ("", "| held-out text | perplexity a token | tokens |", "|---|---|---|")
    yield from (f"| {name} | {value:.1f} | {count:,} |" for name, (value, count) in perplexities.items())
    yield from ("", "## Ten samples, unedited", "", "Temperature 1, no truncation, seeds 0 to 9.", "")
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Write a story about a lighthouse and a letter."}],
        add_generation_prompt=True,
        tokenize=False,
    )
    ids = torch.tensor([tokenizer.encode(prompt, add_special_tokens=False)], device=model.device)
    for seed in range(10):
        torch.manual_seed(seed)
        plain = GenerationConfig(do_sample=True, top_k=0, max_new_tokens=120, eos_token_id=0, pad_token_id=3)
        written = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=plain)
        text = tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True)
        yield from (f"{seed + 1}. {' '.join(text.split())}", "")


if __name__ == "__main__":
    main()
