from pathlib import Path

import polars as pl
import pytest

from planish.find.behaviour import Bannable
from planish.find.loops import Loops
from planish.find.own import load_behaviour
from planish.models.bundled import openings
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.records.generation import Generation
from planish.records.prompt import Prompt, opening
from planish.records.score import Sample, Score
from planish.steer.ban import Ban
from planish.steer.engine import Engine
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.train.mining import mine_points, span_paths

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real texts are not here")

GREEDY = Sampling(max_tokens=150, temperature=0)
PROMPTS: list[Prompt] = [opening(text) for text in ("Once upon a", "The air was", "Wait,")]


@pytest.fixture(scope="module")
def forgetful() -> LanguageModel:
    """A model that looks at nothing but its latest token, so that without chance it goes round in circles."""
    model = tiny_llama(seed=1)
    for name, weight in model.model.named_parameters():
        if "o_proj" in name:
            weight.data.zero_()
    return model


@pytest.fixture(scope="module")
def plain(forgetful: LanguageModel) -> list[Generation]:
    return Engine(forgetful, sampling=GREEDY).generate(PROMPTS)


@pytest.fixture(scope="module")
def banned(forgetful: LanguageModel) -> list[Generation]:
    return Engine(forgetful, [Ban(Loops())], GREEDY).generate(PROMPTS)


def score(text: str) -> Score:
    (found,) = Loops().score([Sample(opening(""), text, "g")])
    assert isinstance(found, Score)
    return found


def test_a_text_with_a_loop_in_it_is_one_however_long_it_goes_on() -> None:
    short, long = (score("He said. " + "I will go now. " * times) for times in (5, 500))
    assert (short.value, short.hits, short.words) == (1, 1, 22)
    assert (long.value, long.hits, long.words) == (1, 1, 2002)
    assert (short.behaviour, short.generation_id) == ("loops", "g")
    assert short.spans == long.spans == tuple(Loops().locate(["He said. " + "I will go now. " * 4])[0])


def test_a_text_without_a_loop_is_none() -> None:
    found = score("Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily.")
    assert (found.value, found.hits, found.spans) == (0, 0, ())
    assert score("").value == 0


def test_it_goes_by_its_name() -> None:
    assert isinstance(load_behaviour("loops", Bannable), Loops)


def test_a_ban_leads_out_of_every_loop(plain: list[Generation], banned: list[Generation]) -> None:
    behaviour = Loops()
    assert all(behaviour.locate([text.text for text in plain]))
    assert not any(behaviour.locate([text.text for text in banned]))
    events = [event for text in banned for event in text.events]
    assert events
    assert not any(event.let_pass for event in events)
    for before, after in zip(plain, banned, strict=True):
        ((span,),) = behaviour.locate([before.text])
        # Up to where it turns back for the first time nothing changes.
        assert after.text[: span.start] == before.text[: span.start]


def test_points_are_mined_where_the_second_occurrence_begins(forgetful: LanguageModel, plain: list[Generation]) -> None:
    paths = mine_points(forgetful, span_paths(plain, Loops()))
    assert paths
    texts = {text.id: text for text in plain}
    for path in paths:
        text = texts[path.generation_id]
        ((span,),) = Loops().locate([text.text])
        (point,) = path.points
        place = point.position - path.prompt_length
        assert point.rejected == text.token_ids[place]
        assert text.char_ends[place - 1] <= span.start < text.char_ends[place]


def test_a_stream_under_the_ban_gets_out_of_loops_and_never_takes_back_what_it_showed(
    forgetful: LanguageModel,
) -> None:
    engine = Engine(forgetful, [Ban(Loops())], GREEDY)
    for prompt in PROMPTS:
        row, pieces = streamed(engine, prompt)
        assert "".join(pieces) == row.text
        let_pass = sum(event.let_pass for event in row.generation("", "", "").events)
        assert len(Loops().locate([row.text])[0]) <= let_pass
        assert len(row.events) > let_pass


def streamed(engine: Engine, prompt: Prompt) -> tuple[Row, list[str]]:
    """The row as it is in the end, and what was shown on the way."""
    stream, pieces = engine.stream(prompt), list[str]()
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return end.value, pieces


def test_a_real_model_without_chance_is_led_out_of_its_loops(stories: LanguageModel) -> None:
    sampling, behaviour = Sampling(max_tokens=250, temperature=0), Loops()
    plain = Engine(stories, sampling=sampling).generate(openings()[:12])
    banned = Engine(stories, [Ban(behaviour)], sampling).generate(openings()[:12])
    assert any(behaviour.locate([text.text for text in plain]))
    assert not any(behaviour.locate([text.text for text in banned]))
    assert not any(event.let_pass for text in banned for event in text.events)


@needs_data
def test_human_prose_goes_round_in_no_circle() -> None:
    prose = pl.read_parquet(DATA / "human_prose.parquet")["text"].gather_every(40).to_list()
    assert len(prose) >= 200
    assert not any(Loops().locate(prose))


@needs_data
def test_small_models_do() -> None:
    stories = pl.read_parquet(DATA / "llm_stories.parquet").filter(pl.col("model") == "ministral-3b")["text"].to_list()
    found = [spans for spans in Loops().locate(stories) if spans]
    assert 0.1 * len(stories) < len(found) < len(stories)
