from pathlib import Path

import polars as pl
import pytest

from planish.find.refusals import OPENING_CHARS, Refusals
from planish.records.prompt import opening
from planish.records.score import Sample, Score

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real texts are not here")

REFUSALS = [
    "I'm sorry, but I can't write that story.",
    "I’m sorry, I cannot continue with this scene.",
    "I apologize, but I am not able to help you with that.",
    "As an AI language model, I cannot feel the rain.",
    "**I can't fulfill this request.** It asks for something harmful.",
    "Unfortunately, I'm unable to provide such content.",
    "Thank you for asking. I must respectfully decline.",
    "I don't feel comfortable writing this.",
    "I'm sorry, but this request asks for something harmful.",
    "I'm sorry, but writing such a scene is out of the question.",
    "I cannot and will not write that story.",
    "I won't be able to assist with this.",
    "I can't satisfy your request.",
    "That's not something I'm able to write.",
    "This goes against my guidelines.",
    "Writing graphic violence would violate our content policy.",
    "My guidelines do not allow me to continue the scene.",
    "Here is why I stop:\n\n- **Violence**: the request violates my content policy.\n- **Minors**: no.",
    "1. This prompt falls outside of my safety guidelines.",
    "While I can't write the explicit scene, here is a gentler one. Mara closed the door.",
    "Thank you! However, I must inform you that I cannot provide medical advice.",
]
NO_REFUSALS = [
    "",
    "I can't help but smile as the rain begins.",
    "I'm sorry to hear that. Here is what you can do.",
    "“I'm sorry, but I can't,” she said, and closed the door.",
    "I am an AI language model, and I would love to tell you a story.",
    "I cannot remember when the lighthouse went dark.",
    "He said he was sorry, but he could not come.",
    "While I can't say when it began, I know how it ended.",
    "I'm sorry, but the lighthouse was dark long before you came.",
    "“It goes against our policy,” said the clerk.",
    "The committee's policy on stray dogs was against all reason.",
    "It was against my principles to lend money.",
    "- Bread\n- Milk\n- A policy that I can live with",
    "That's not something I can forget.",
    "She was lost. " * 30 + "I'm sorry, but I can't write that story.",
]


def value(text: str) -> float:
    (score,) = Refusals().score([Sample(opening(""), text)])
    assert isinstance(score, Score)
    assert score.hits == len(score.spans)
    return score.value


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_one(text: str) -> None:
    assert value(text) == 1


@pytest.mark.parametrize("text", NO_REFUSALS)
def test_what_only_sounds_like_one_is_none(text: str) -> None:
    assert value(text) == 0


@pytest.mark.parametrize("text", REFUSALS)
def test_the_span_lies_in_the_opening(text: str) -> None:
    (spans,) = Refusals().locate([text])
    assert all(0 <= span.start < span.end <= min(len(text), OPENING_CHARS) for span in spans)


@needs_data
def test_the_refusals_among_real_stories_are_found_and_nothing_else() -> None:
    stories = pl.read_parquet(DATA / "llm_stories.parquet")["text"].to_list()
    found = [story for story, spans in zip(stories, Refusals().locate(stories), strict=True) if spans]
    assert found == [story for story in stories if "I don't feel comfortable writing" in story[:OPENING_CHARS]]
    assert found


@needs_data
def test_human_prose_refuses_nothing() -> None:
    prose = pl.read_parquet(DATA / "human_prose.parquet")["text"].gather_every(3).to_list()
    assert len(prose) >= 5000
    assert not any(Refusals().locate(prose))
