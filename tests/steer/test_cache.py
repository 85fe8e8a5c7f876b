from collections.abc import Sequence

import numpy as np
import pytest
import torch
from random_models import ALONE, DECODED, UNUSUAL, VOCABULARY, fresh_logits, random_model

from planish.models.language_model import LanguageModel
from planish.models.scoring import token_log_probs
from planish.records.prompt import opening
from planish.steer.cache import ColumnCache
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.steer.single_rows import rows_of

# In float32 the order of summation, which a batch changes, moves logits of order 1 to 10 by some 1e-5.
TOLERANCE = 1e-4
ROWS = 5


@pytest.fixture(scope="module", params=list(DECODED))
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return random_model(DECODED[request.param]())


class Writing:
    """A cache, and beside it what its rows ought to hold."""

    def __init__(self, model: LanguageModel, draws: np.random.Generator) -> None:
        self.model = model
        self.draws = draws
        self.cache = ColumnCache(model)
        self.rows: list[list[int]] = []

    def tokens(self, least: int, most: int) -> list[int]:
        length = self.draws.integers(least, most, endpoint=True)
        return [int(token) for token in self.draws.integers(3, VOCABULARY, length)]

    def add_rows(self) -> None:
        prompts = [self.tokens(0, 20) for _ in range(self.draws.integers(1, ROWS - len(self.rows), endpoint=True))]
        self.cache.add_rows(prompts)
        self.rows += prompts

    def keep_rows(self) -> None:
        kept = [int(row) for row in self.draws.integers(len(self.rows), size=self.draws.integers(ROWS + 1))]
        self.cache.keep_rows(kept)
        self.rows = [[*self.rows[index]] for index in kept]

    def rewind(self) -> None:
        for index, row in enumerate(self.rows):
            if self.draws.random() < 0.6:
                length = int(self.draws.integers(0, len(row), endpoint=True))
                self.cache.rewind(index, length)
                del row[length:]

    @torch.no_grad()
    def feed(self) -> None:
        fed = [self.tokens(0, 6) for _ in self.rows]
        hidden = self.cache.feed(fed)
        self.rows = [[*row, *tokens] for row, tokens in zip(self.rows, fed, strict=True)]
        for index in (index for index, tokens in enumerate(fed) if tokens):
            logits = self.model.head(hidden[index])
            torch.testing.assert_close(logits, fresh_logits(self.model, self.rows[index]), atol=TOLERANCE, rtol=0)

    def change(self) -> None:
        if not self.rows:
            self.add_rows()
        changes = [self.feed, self.feed, self.rewind, self.keep_rows]
        changes += [self.add_rows] * (len(self.rows) < ROWS)
        changes[self.draws.integers(len(changes))]()


@pytest.mark.parametrize("seed", range(3))
@torch.no_grad()
def test_after_any_changes_the_logits_are_those_of_a_fresh_prefill(model: LanguageModel, seed: int) -> None:
    writing = Writing(model, np.random.default_rng(seed))
    for _ in range(40):
        writing.change()
        assert writing.cache.lengths == [len(row) for row in writing.rows]
    while not writing.rows:
        writing.add_rows()
    writing.feed()


@torch.no_grad()
def test_a_rewound_row_has_the_logits_of_a_fresh_prefill(model: LanguageModel) -> None:
    first, second = list(range(3, 43)), list(range(60, 30, -1))
    cache = ColumnCache(model)
    cache.add_rows([first, second])
    cache.rewind(0, 25)
    hidden = cache.feed([[50, 51], [52, 53, 54]])
    logits = model.head(hidden)
    torch.testing.assert_close(logits[0], fresh_logits(model, [*first[:25], 50, 51]), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(logits[1], fresh_logits(model, [*second, 52, 53, 54]), atol=TOLERANCE, rtol=0)


@torch.no_grad()
def test_neither_the_batch_nor_padding_changes_the_logits(model: LanguageModel) -> None:
    rows = [list(range(3, 3 + length)) for length in (1, 2, 9, 30, 61)]

    def logits(batch: Sequence[Sequence[int]]) -> torch.Tensor:
        cache = ColumnCache(model)
        cache.add_rows([row[:-1] for row in batch])
        return model.head(cache.feed([row[-1:] for row in batch]))

    alone = torch.cat([logits([row]) for row in rows])
    torch.testing.assert_close(logits(rows), alone, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(logits(rows[::-1]), alone.flip(0), atol=TOLERANCE, rtol=0)


@torch.no_grad()
def test_a_row_that_is_fed_nothing_harms_nobody_in_half_precision() -> None:
    model = random_model(DECODED["llama"]())
    model.model.to(torch.bfloat16)
    cache = ColumnCache(model)
    cache.add_rows([[], [5, 6, 7], [8]])
    cache.feed([[], [9], []])
    hidden = cache.feed([[5], [10], [9]])
    for state, row in zip(hidden, ([5], [5, 6, 7, 9, 10], [8, 9]), strict=True):
        torch.testing.assert_close(model.head(state), fresh_logits(model, row), atol=0.3, rtol=0.05)


@pytest.mark.parametrize("kind", list(ALONE))
def test_a_model_whose_rows_cannot_share_a_pass_says_why(kind: str) -> None:
    assert random_model(ALONE[kind]()).alone_because


@pytest.mark.parametrize("kind", [*ALONE, *UNUSUAL])
@torch.no_grad()
def test_an_unusual_model_is_decoded_right(kind: str) -> None:
    model = random_model((ALONE | UNUSUAL)[kind]())
    first, second = list(range(3, 63)), list(range(40, 60))
    cache = rows_of(model)
    cache.add_rows([first, second])
    cache.feed([[7], [8]])
    cache.rewind(0, 50)
    logits = model.head(cache.feed([[50, 51], [52]]))
    torch.testing.assert_close(logits[0], fresh_logits(model, [*first[:50], 50, 51]), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(logits[1], fresh_logits(model, [*second, 8, 52]), atol=TOLERANCE, rtol=0)
    cache.keep_rows([1, 1, 0])
    logits = model.head(cache.feed([[9], [10], []]))
    torch.testing.assert_close(logits[0], fresh_logits(model, [*second, 8, 52, 9]), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(logits[1], fresh_logits(model, [*second, 8, 52, 10]), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("kind", list(ALONE))
def test_texts_of_a_model_that_is_read_alone_are_scored_as_they_were_drawn(kind: str) -> None:
    model = random_model(ALONE[kind]())
    (text,) = Engine(model, sampling=Sampling(max_tokens=12)).generate([opening("1234")], top=1)
    ((_, scores),) = token_log_probs(model, [text])
    drawn = torch.tensor([trace.probability for trace in text.trace])
    torch.testing.assert_close(scores.exp(), drawn, atol=TOLERANCE, rtol=1e-3)
