"""What planish claims of antislop, on the model that ships and on one that nobody here trained."""

from pathlib import Path

import polars as pl
import pytest

from planish.cli.demo import DEMO
from planish.find.slop import find_slop
from planish.recipes.antislop import antislop
from planish.recipes.antislop_settings import AntislopSettings
from planish.recipes.outcome import Outcome
from planish.records.ban_file import write_rules
from planish.records.evidence import Evidence
from planish.records.prompt import Prompt
from planish.records.rule import BanRule
from planish.records.score import Sample

SHARED = Path(__file__).parents[3] / "shared"
DATA = SHARED / "data"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DATA.is_dir(), reason="the real texts are not here")]


def assert_slop_went_and_nothing_broke(outcome: Outcome) -> None:
    lines: dict[str, Evidence] = {line.name: line for line in outcome.evidence}
    listed, index = lines["slop_per_1k_words"], lines["slop_index"]
    assert listed.change is not None
    assert listed.change_high is not None
    assert listed.change <= -0.8
    assert listed.change_high < -0.6
    assert index.verdict == "better"
    perplexity, variety = lines["perplexity_reference"], lines["distinct_2"]
    assert perplexity.after < 1.05 * perplexity.before
    assert variety.after > 0.99 * variety.before
    assert variety.verdict in ("same", "better")


def test_the_demo_takes_the_tics_of_the_bundled_model_away(tmp_path: Path) -> None:
    settings = AntislopSettings.from_user({**DEMO, "reference_text": str(DATA / "human_prose.parquet")})
    assert_slop_went_and_nothing_broke(antislop(settings, tmp_path))


def test_a_story_model_stops_saying_lily(tmp_path: Path) -> None:
    stories = DATA / "tinystories.parquet"
    # What these stories overuse, from others than those that the prompts are cut from: an independent list.
    texts = pl.read_parquet(stories)["text"].to_list()[2000:]
    samples = [Sample(Prompt(text=str(number)), text, str(number)) for number, text in enumerate(texts)]
    write_rules(tmp_path / "index.jsonl", find_slop(samples))
    settings = AntislopSettings(
        model=str(SHARED / "models" / "stories260k"),
        prompts=str(stories),
        openings=True,
        first_words=12,
        limit=240,
        index=str(tmp_path / "index.jsonl"),
        reference_text=str(DATA / "human_prose.parquet"),
    )
    outcome = antislop(settings, tmp_path / "run")
    assert_slop_went_and_nothing_broke(outcome)
    assert "lily" in {rule.text for rule in outcome.rows["bans"] if isinstance(rule, BanRule)}
