"""Keep a model away from gloomy texts while it writes, by a cap that foresees how texts end."""

from collections.abc import Sequence

from planish.find.sentiment import Negativity
from planish.models.language_model import LanguageModel
from planish.prove.collateral import fluency, variety_and_length
from planish.prove.evidence import compare, score_all, tally_hits
from planish.recipes.outcome import Outcome
from planish.records.prompt import Prompt
from planish.records.prompt_split import split_prompts
from planish.steer.cap import DEAD_END, Cap
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.train.value import fit_value


def rectify(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    samples: int = 96,
    sampling: Sampling | None = None,
    seed: int = 0,
    epsilon: float = 0.2,
) -> Outcome:
    """Learn from the model's own texts which tokens lead to gloom, and cap those while decoding.

    Args:
        model: the model; its weights stay as they are.
        prompts: a third of them is held out for the evidence, a third of the rest calibrates the value head.
        samples: texts a prompt.
        sampling: how texts are drawn.
        seed: of every draw.
        epsilon: a token's probability is capped at 1 - its risk - epsilon; bounds one step, by the estimated risk.
    """
    # A third of the prompts is held out: nothing is learned from it, both ways of writing are judged on it. A third of
    # the others fits nothing either: on it the value head's risks are made to agree with what really happened.
    used, held_out = split_prompts(prompts)
    fitting, calibrating = split_prompts(used)
    behaviour = Negativity()

    # Find it: which texts end badly? VADER calls a text negative (a hit) or does not.
    texts = Engine(model, sampling=sampling).generate(used, samples, seed)
    bad = {score.generation_id: score.hits > 0 for score in score_all(behaviour, used, texts)}

    # Learn to foresee it: from the model's hidden state and a token to minus the risk that a text ends badly after it.
    to_fit, to_calibrate = (
        [text for text in texts if text.prompt_id in {prompt.id for prompt in side}] for side in (fitting, calibrating)
    )
    value = fit_value(model, to_fit, to_calibrate, bad, seed)

    # Steer it and prove it: plain and capped, on prompts that none of the above has seen.
    before = Engine(model, sampling=sampling).generate(held_out, samples, seed)
    after = Engine(model, [Cap(value.head, epsilon)], sampling).generate(held_out, samples, seed)
    gloomy = (tally_hits(behaviour, held_out, side, per="texts") for side in (before, after))
    evidence = [
        compare("negative_texts", "share", "VADER", *gloomy, better="lower"),
        fluency(model, before, after),
        *variety_and_length(before, after),
    ]
    # Where the caps of all tokens together leave less than probability 1, the text has run into a dead end: it goes
    # back and writes something else (an event), or lets the least risky token pass.
    dead_ends = [event for text in after for event in text.events if event.rule == DEAD_END]
    notes = [
        f"value head: {value.skill:.1%} better than a constant {value.base_rate:.2f} (Brier, n = {value.n} texts)",
        f"dead ends: {len(dead_ends)} met, {sum(event.let_pass for event in dead_ends)} of them without a way back",
    ]
    rows = {"texts": texts, "before": before, "after": after}
    return Outcome(evidence, rows=rows, notes=notes, head=value.head)
