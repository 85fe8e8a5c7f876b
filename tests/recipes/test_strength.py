import pytest

from planish.recipes.strength import weakest_enough
from planish.records.evidence import Evidence
from planish.records.rule import BanRule, Overuse

TRIED = (0.3, 0.6, 1.0)


def lines(*after: float) -> list[Evidence]:
    return [
        Evidence(
            name="slop_per_1k_words",
            unit="per 1,000 words",
            group="prompts",
            judge="list",
            before=20.0,
            after=left,
            difference=left - 20,
            low=left - 21,
            high=left - 19,
            change=None,
            change_low=None,
            change_high=None,
            margin=None,
            n=10,
            better="lower",
            verdict="better",
        )
        for left in after
    ]


def rule(text: str, human: float) -> BanRule:
    overuse = Overuse(count=9, texts=9, rate_per_1k_words=9, human_rate_per_1k_words=human, log_odds=3, z=5, q=0)
    return BanRule(text=text, overuse=overuse)


@pytest.mark.parametrize(
    ("after", "target", "strength", "said"),
    [
        ((12, 5, 1), 0.5, 0.6, "the weakest that came to 50% less slop"),
        ((12, 5, 1), 0.95, 1.0, "the weakest that came to 95% less slop"),
        ((12, 5, 1), 0.1, 0.3, "the weakest"),
        ((12, 11, 10.5), 0.9, 1.0, "the strongest; none came to 90% less slop"),
        ((12, 2.4, 1), "human", 0.6, "the human rate, 2.5 per 1,000 words"),
        ((12, 2.6, 1), "human", 1.0, "the human rate, 2.5 per 1,000 words"),
        ((12, 9, 5), "human", 1.0, "the strongest; none came to the human rate"),
    ],
)
def test_the_weakest_that_does_enough_is_kept(
    after: tuple[float, ...], target: object, strength: float, said: str
) -> None:
    rules = [rule("tapestry", 2.0), rule("delve", 0.5)]
    kept, reason = weakest_enough(TRIED, lines(*after), target, rules)  # type: ignore[arg-type]
    assert kept == strength
    assert said in reason


def test_where_none_was_tried_all_of_it_is_kept() -> None:
    assert weakest_enough((), [], 0.85, [])[0] == 1.0


def test_where_there_was_nothing_no_strength_is_said_to_have_done_enough() -> None:
    nothing = [line.model_copy(update={"before": 0.0}) for line in lines(0, 0.8, 0)]
    kept, reason = weakest_enough(TRIED, nothing, 0.85, [], "loops")
    assert kept == 1.0
    assert reason == "adapter strength: 1, as there was nothing of loops to measure by"


def test_what_nobody_knows_people_to_write_is_not_brought_to_nothing() -> None:
    kept, reason = weakest_enough(TRIED, lines(12, 5, 1), "human", [])
    assert kept == 1.0
    assert "no" in reason
    assert "human rate" in reason
