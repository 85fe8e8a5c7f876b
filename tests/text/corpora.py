"""Reading corpora in tests."""

from collections import Counter
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest

from planish.errors import PlanishError
from planish.text.corpus import Corpus, Document, open_corpus


def read(corpus: Corpus) -> tuple[list[Document], Counter[str]]:
    """All documents, as processes read them that each unpickle a shard, and what was left out."""
    left_out: Counter[str] = Counter()
    documents = []
    for shard in corpus.shards:
        documents += ForkingPickler.loads(ForkingPickler.dumps(shard)).documents(left_out)
    return documents, left_out


def texts(source: Path | str, **options: Any) -> list[str]:
    """The texts of a source of which nothing is left out."""
    documents, left_out = read(open_corpus(source, **options))
    assert not left_out
    return [document.text for document in documents]


def error_of(source: Path | str, **options: Any) -> PlanishError:
    """What is wrong with a source."""
    with pytest.raises(PlanishError) as caught:
        open_corpus(source, **options)
    require_clear(caught.value)
    return caught.value


def require_clear(error: PlanishError) -> None:
    """An error is one line and says what to do."""
    assert "\n" not in error.message
    assert error.hint
