"""Teach a model two tags, one for cheerful texts and one for gloomy ones, and ask for either."""

import operator
from collections.abc import Sequence
from statistics import median

from planish.errors import DataError
from planish.find.sentiment import Negativity
from planish.models.language_model import LanguageModel
from planish.prove.collateral import variety_and_length
from planish.prove.evidence import Tally, compare, score_all, tally_scores
from planish.recipes.outcome import Outcome
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.records.prompt_split import split_prompts
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.steer.tag import Tag
from planish.train.tagging import train_tagging

CHEERFUL, GLOOMY = "<|cheerful|>", "<|gloomy|>"


def condition(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    samples: int = 32,
    sampling: Sampling | None = None,
    seed: int = 0,
    strength: float = 3.0,
) -> Outcome:
    """Train on the model's own texts behind tags, then write with each tag.

    Args:
        model: the model; it is left as it is, the outcome holds a tuned copy that knows the tags.
        prompts: a third of them is held out for the evidence.
        samples: texts a prompt.
        sampling: how texts are drawn.
        seed: of every draw.
        strength: of the tag; 1 asks for it, more also pushes away from what the other tag would write.
    """
    # A third of the prompts is held out: nothing is learned from it, both models are judged on it.
    used, held_out = split_prompts(prompts)
    behaviour = Negativity()

    # Find it: the most cheerful and the gloomiest third of what the model writes. A score is 0 for the most cheerful
    # text there could be and 1 for the gloomiest. The third between stays neutral: its tag is None.
    texts = Engine(model, sampling=sampling).generate(used, samples, seed)
    scores = sorted(score_all(behaviour, used, texts), key=lambda score: score.value)
    third = len(scores) // 3
    if not third or scores[third - 1].value >= scores[-third].value:
        raise DataError(f"{len(scores)} texts all sound alike", "give more prompts, or more --samples")
    tags: dict[str, str | None] = {score.generation_id: None for score in scores}
    tags |= {score.generation_id: CHEERFUL for score in scores[:third]}
    tags |= {score.generation_id: GLOOMY for score in scores[-third:]}

    # Train it in: each text behind its tag, the neutral ones behind none.
    tuned = train_tagging(model, used, [text for text in texts if text.id in tags], tags, seed=seed)

    # Steer it and prove it: on unseen prompts, how often is a text on the wrong side of what is usual?
    usual = median(score.value for score in scores)

    def misaligned(texts: Sequence[Generation], wanted: str) -> dict[str, list[Tally]]:
        # A tally is (what was counted, out of how much): here one text, which is on the wrong side or is not.
        wrong = operator.le if wanted == GLOOMY else operator.gt
        return tally_scores(behaviour, held_out, texts, lambda score: (wrong(score.value, usual), 1))

    plain = Engine(model, sampling=sampling).generate(held_out, samples, seed)
    evidence, rows = [], {"texts": texts, "plain": plain}
    for tag, opposite in ((CHEERFUL, GLOOMY), (GLOOMY, CHEERFUL)):
        tagged = Engine(tuned, [Tag(tag, opposite, strength)], sampling).generate(held_out, samples, seed)
        judged = misaligned(plain, tag), misaligned(tagged, tag)
        evidence.append(compare(f"misalignment {tag}", "share", "VADER", *judged, better="lower"))
        evidence += variety_and_length(plain, tagged)
        rows[tag.strip("<|>")] = tagged
    return Outcome(evidence, tuned, rows)
