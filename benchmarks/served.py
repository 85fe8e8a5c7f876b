"""Decoding with bans over a server, against the fixed loop that posts the whole text again after every 20 tokens.

`python benchmarks/served.py` starts a llama.cpp server; `--url URL` takes a server that serves the bundled model.
"""

import argparse
import json
import math
import sys
from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import accumulate
from pathlib import Path

import httpx2 as httpx
import torch
from claim import measure

from planish.find.slop import Slop, find_slop
from planish.models.bundled import writing_prompts
from planish.models.endpoint import Endpoint
from planish.models.loading import load_model
from planish.records.score import Sample
from planish.steer.ban import Ban
from planish.steer.batch import LEAST_LEFT
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.steer.served import ServedEngine

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from llama_server import llama_server

ROWS, TOKENS, CONCURRENCY, CHUNK = 16, 200, 8, 20
# All texts are of one length, so that times compare as accepted tokens a second do.
SAMPLING = Sampling(max_tokens=TOKENS, min_tokens=TOKENS)


class FixedChunks:
    """20 tokens, then a look at the text; at a hit all behind it is thrown away, and the text is posted again.

    Text goes out and comes back, and tokens are known by their text. The first token of a hit is replaced by one of the
    candidates that came with the chunk.
    """

    def __init__(self, url, model, behaviour, never):
        """On a server, with a list of bans, and without the tokens that never may be written."""
        self.client = httpx.Client(base_url=url, timeout=120, trust_env=False)
        self.behaviour = behaviour
        self.body = {"model": model, "max_tokens": CHUNK, "logprobs": 20, "temperature": 1, "top_k": -1, "top_p": 1}
        self.body |= {"min_p": 0, "logit_bias": {str(token): -100 for token in never}}

    def generate(self, prompts):
        """So many texts at once as the other way writes; returns how many tokens were decoded for each."""
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            return list(pool.map(self.write, prompts))

    def write(self, prompt):
        """One text."""
        pieces, tops, rejected, passed, spent = [], [], {}, set(), 0
        while len(pieces) < TOKENS:
            answer = self.client.post("/v1/completions", json={**self.body, "prompt": prompt + "".join(pieces)})
            entries = _entries(answer.raise_for_status().json()["choices"][0]["logprobs"])
            spent += len(entries)
            pieces += [piece for piece, _ in entries]
            tops += [top for _, top in entries]
            ends = list(accumulate(map(len, pieces)))
            for span in self.behaviour.locate(["".join(pieces)])[0]:
                position = bisect_right(ends, span.start)
                gone = rejected.setdefault(position, set()) | {pieces[position]}
                left = {piece: share for piece, share in tops[position].items() if piece not in gone}
                if (position, span.rule) in passed or sum(left.values()) < LEAST_LEFT:
                    passed.add((position, span.rule))
                    continue
                rejected = {place: tokens for place, tokens in rejected.items() if place < position} | {position: gone}
                del pieces[position:], tops[position + 1 :]
                pieces.append(list(left)[int(torch.multinomial(torch.tensor(list(left.values())), 1))])
                break
        return spent


def _entries(logprobs):
    """The tokens, each with the probabilities of its candidates."""
    if "content" in logprobs:
        return [
            (each["token"], {top["token"]: math.exp(top["logprob"]) for top in each["top_logprobs"]})
            for each in logprobs["content"]
        ]
    tops = [{piece: math.exp(value) for piece, value in top.items()} for top in logprobs["top_logprobs"]]
    return list(zip(logprobs["tokens"], tops, strict=True))


def main() -> int:
    """Measure on the bundled model, with a list of what it says more often than people."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="of a server that serves the bundled model")
    url = parser.parse_args().url
    model = load_model("bundled")
    prompts = writing_prompts()
    plain = Engine(model, sampling=SAMPLING).generate(prompts[:96])
    samples = [Sample(prompt, text.text) for prompt, text in zip(prompts, plain, strict=False)]
    # Whatever is likely more frequent than among people: a list with about as many hits as one of thousands of entries.
    behaviour = Slop(find_slop(samples, least_ratio=1.0, false_discovery_rate=0.5))
    hits = sum(map(len, behaviour.locate([text.text for text in plain])))
    with nullcontext(url) if url else llama_server(model, slots=CONCURRENCY) as address:
        endpoint = Endpoint(address)
        served = ServedEngine(endpoint, model, [Ban(behaviour)], SAMPLING, CONCURRENCY)
        texts = served.generate(prompts[:ROWS])
        assert all(text.status == "ok" and len(text.token_ids) == TOKENS for text in texts)
        fixed = FixedChunks(endpoint.url, endpoint.model, behaviour, model.end_ids)
        rendered = [model.tokenizer.decode(model.encode(prompt)) for prompt in prompts[:ROWS]]
        wanted = ROWS * TOKENS
        facts = {
            "bans": len(behaviour.rules),
            "hits_per_1k_tokens_without_bans": round(1000 * hits / (len(plain) * TOKENS), 1),
            "accepted": round(wanted / sum(text.tokens_spent for text in texts), 3),
            "accepted_by_fixed_chunks": round(wanted / sum(fixed.generate(rendered)), 3),
        }
        print(json.dumps(facts))
        holds = measure(
            f"served decoding with {len(behaviour.rules)} bans, against a loop of fixed chunks",
            lambda: fixed.generate(rendered),
            lambda: served.generate(prompts[:ROWS]),
            3.0,
        )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
