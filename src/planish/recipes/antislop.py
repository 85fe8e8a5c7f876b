"""Take a model's verbal tics out of its weights, and show what that did to texts it was not trained on."""

from collections import Counter
from collections.abc import Sequence

from planish.errors import DataError
from planish.find.slop import Slop, find_slop
from planish.models.language_model import LanguageModel
from planish.prove.collateral import drift, variety_and_length
from planish.prove.evidence import compare, samples_of, tally_hits
from planish.recipes.outcome import Outcome
from planish.records.evidence import Evidence
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.records.prompt_file import split_prompts
from planish.records.record import Record
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.train.ftpo import train_ftpo
from planish.train.mining import mine_points

# How many of the list's entries get a line of their own in the table.
SHOWN = 6


def antislop(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    samples: int = 4,
    sampling: Sampling | None = None,
    seed: int = 0,
) -> Outcome:
    """Find what a model overuses, ban it while it writes again, and train the model to write the same by itself.

    Args:
        model: the model; it is left as it is, the outcome holds a tuned copy.
        prompts: a third of them is held out for the evidence.
        samples: texts a prompt.
        sampling: how texts are drawn.
        seed: of every draw.

    Raises:
        DataError: the model overuses nothing.
    """
    # A third of the prompts is held out: nothing is learned from it, both models are judged on it.
    used, held_out = split_prompts(prompts)

    # Find it: what stands in plain texts far more often than people write it.
    plain = Engine(model, sampling=sampling).generate(used, samples, seed)
    rules = find_slop(samples_of(used, plain))
    if not rules:
        raise DataError(f"nothing is overused in {len(plain)} texts", "give more prompts, or more --samples")
    slop = Slop(rules)

    # Steer it: write again, other texts by another seed, with the list banned. Each generation's events say which token
    # was rejected where.
    banned = Engine(model, [Ban(slop)], sampling).generate(used, samples, seed + 1)

    # Train it out: at every such point, the model's own next best tokens become likelier than what was rejected (final
    # token preference optimisation, FTPO).
    preferences = mine_points(model, banned)
    if not preferences:
        raise DataError(f"no ban left a choice in {len(banned)} texts", "give more prompts, or more --samples")
    tuned = train_ftpo(model, preferences, seed=seed)

    # Prove it: plain sampling from both models, on prompts that none of the above has seen.
    before, after = (Engine(either, sampling=sampling).generate(held_out, samples, seed) for either in (model, tuned))
    evidence = [
        _slop_rate("slop_per_1k_words", slop, held_out, before, after),
        *(
            _slop_rate(f"“{rule.text}”", Slop([rule]), held_out, before, after)
            for rule in _commonest(slop, used, plain)
        ),
        *variety_and_length(before, after),
        drift(model, tuned, before),
    ]
    rows: dict[str, Sequence[Record]] = {"plain": plain, "bans": rules, "banned": banned, "preferences": preferences}
    return Outcome(evidence, tuned, {**rows, "before": before, "after": after})


def _slop_rate(
    name: str, slop: Slop, prompts: Sequence[Prompt], before: Sequence[Generation], after: Sequence[Generation]
) -> Evidence:
    hits = (tally_hits(slop, prompts, side, per="words") for side in (before, after))
    return compare(name, "per 1k words", f"list {slop.version}", *hits, better="lower")


def _commonest(slop: Slop, prompts: Sequence[Prompt], plain: Sequence[Generation]) -> list[BanRule]:
    texts = [sample.text for sample in samples_of(prompts, plain)]
    counts = Counter(span.rule for spans in slop.locate(texts) for span in spans)
    return sorted(slop.rules, key=lambda rule: -counts[rule.text])[:SHOWN]
