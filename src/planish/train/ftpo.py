"""Fitting an adapter to preference points: which are held out, how fast, and when it is enough."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from planish.errors import DataError
from planish.models.alone import batch_bound_angles
from planish.models.language_model import LanguageModel
from planish.records.preference import TokenPreferences
from planish.records.training import TrainingCheck
from planish.train.adapter import with_adapter
from planish.train.arguments import in_bfloat16, training_arguments
from planish.train.balance import balanced
from planish.train.ftpo_settings import FtpoSettings
from planish.train.ftpo_trainer import FTPOTrainer
from planish.train.training import EnoughError, Tuned, run_trainer, steps_of

# The paths of one text in so many are not trained on.
HELD_OUT_EVERY = 10
RATE_TIMES_WIDTH = 0.13
HIGHEST_RATE = 1e-3
OUT_OF_MEMORY = (
    "planish resume with --set ftpo.pass_tokens=2048, --set ftpo.checkpoint_activations=true, or a smaller "
    "--set ftpo.adapter.rank=8"
)


class Split(NamedTuple):
    """The paths that are trained on, those that judge, and how many points there are and why not more."""

    used: list[TokenPreferences]
    held_out: list[TokenPreferences]
    counted: str


def train_ftpo(
    model: LanguageModel,
    preferences: Sequence[TokenPreferences],
    settings: FtpoSettings | None = None,
    seed: int = 0,
    folder: Path | None = None,
) -> Tuned:
    """The model with an adapter trained on the points; the model itself stays as it is.

    The paths of one text in ten are held out: on them training is judged, and ended by `FtpoSettings.enough` and
    `FtpoSettings.most_drift`. Where the loss stops being a number, it ends with the weights of the step before.

    Args:
        model: the model.
        preferences: the points.
        settings: loss, schedule, adapter.
        seed: of the adapter's first weights and of the order.
        folder: where checkpoints go; a training that was killed goes on from the last one.

    Raises:
        DataError: balancing leaves no point.
        ModelError: memory ran out.
    """
    settings = settings or FtpoSettings()
    used, held_out, counted = split_points(model, preferences, settings, seed)
    rate, reason = learning_rate(model, settings)
    adapted = with_adapter(model, settings.adapter, seed)
    arguments = training_arguments(adapted.model, settings, seed, rate, folder)
    if held_out:
        # A share of all steps, which is rounded up. 1 itself would mean every step, and a last bit too much a step more
        # between two looks.
        often = 1 / (settings.epochs * settings.checks_an_epoch + 1e-9)
        arguments |= {"eval_strategy": "steps", "eval_steps": often}
    referee = _Referee(settings, sum(len(path.points) for path in held_out))
    trainer = FTPOTrainer(adapted, TrainingArguments(**arguments), used, held_out, settings, [referee])
    ended = run_trainer(trainer, None if folder is None else settings.save_every_min, OUT_OF_MEMORY)
    adapted.model.model.eval()
    choices = [counted, reason, *_choices(model, settings, held_out)]
    checks = [
        TrainingCheck(step=int(entry["step"]), win_rate=entry["eval_win_rate"], drift=entry["eval_drift"])
        for entry in trainer.state.log_history
        if "eval_win_rate" in entry
    ]
    return Tuned(adapted, steps_of(trainer), referee.reason or ended, choices, checks)


def split_points(
    model: LanguageModel, preferences: Sequence[TokenPreferences], settings: FtpoSettings, seed: int
) -> Split:
    """The points that are trained on and those that judge, once what cannot be read and what is too much is left out.

    Raises:
        DataError: nothing is left.
    """
    fitting = [path for path in preferences if len(path.token_ids) <= model.context]
    kept = balanced(fitting, settings.balance, seed)
    reasons = {**kept.reasons}
    if too_long := [path for path in preferences if len(path.token_ids) > model.context]:
        longest = max(len(path.token_ids) for path in too_long)
        reason = f"on a path longer than the context of {model.context} tokens, up to {longest}"
        reasons[reason] = sum(len(path.points) for path in too_long)
    dropped = ", ".join(f"{count} × {reason}" for reason, count in reasons.items())
    if not kept.preferences:
        raise DataError(
            f"no point is left to train on: {dropped or 'there is none'}", "give more rows, or loosen ftpo.balance"
        )
    texts, branches = kept.kept
    counted = (
        f"points: {texts + branches}, {branches} of them on abandoned branches; "
        f"{sum(reasons.values())} dropped{f' ({dropped})' if dropped else ''}; "
        f"{kept.chosen_taken} frequent chosen tokens taken out"
    )
    return Split(*hold_out(kept.preferences), counted)


def hold_out(preferences: Sequence[TokenPreferences]) -> tuple[list[TokenPreferences], list[TokenPreferences]]:
    """The paths to train on, and those to judge by.

    A text and its branches share their beginnings, so they stay together.
    """
    ordered = sorted(preferences, key=lambda path: (path.generation_id, path.token_ids))
    texts = sorted({path.generation_id for path in ordered})
    judging = set(texts[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY])
    return (
        [path for path in ordered if path.generation_id not in judging],
        [path for path in ordered if path.generation_id in judging],
    )


def learning_rate(model: LanguageModel, settings: FtpoSettings) -> tuple[float, str]:
    """The highest learning rate, and why."""
    if settings.learning_rate is not None:
        return settings.learning_rate, f"learning rate: {settings.learning_rate:g}, as set"
    rate = settings.rate_factor * min(HIGHEST_RATE, RATE_TIMES_WIDTH / model.width)
    rule = f"{RATE_TIMES_WIDTH:g} / {model.width}, the model's width, at most {HIGHEST_RATE:g}"
    return rate, f"learning rate: {rate:.2g} = {settings.rate_factor:g} × ({rule})"


def _choices(model: LanguageModel, settings: FtpoSettings, held_out: Sequence[TokenPreferences]) -> list[str]:
    """What else was chosen, and why."""
    chosen = []
    if settings.precision == "auto":
        kind, has_it = (
            ("bfloat16", "has it") if in_bfloat16(settings, model.device) else ("float32", "has no fast bfloat16")
        )
        chosen.append(f"computed in {kind}: {model.device.type} {has_it}")
    if angles := batch_bound_angles(model):
        chosen.append(f"one path a pass: the model has {angles} rotary angles, which depend on the longest of a pass")
    if not held_out:
        chosen.append(f"fewer than {HELD_OUT_EVERY} texts: none is held out, so nothing ends training early")
    return chosen


class _Referee(TrainerCallback):
    """Judges by points that are not trained on, and ends the training when they are won, or too much else has moved."""

    def __init__(self, settings: FtpoSettings, points: int) -> None:
        self.reason = ""
        self._settings = settings
        self._points = points

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Where a checkpoint was judged, judge it again: that training was to end is not in it."""
        for entry in state.log_history:
            if entry["step"] == state.global_step and "eval_win_rate" in entry:
                self._judge(entry, state.global_step)
        if self.reason:
            # What a callback says of stopping is heard after a step only.
            raise EnoughError(self.reason)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._judge(kwargs["metrics"], state.global_step)
        control.should_training_stop |= bool(self.reason)

    def _judge(self, metrics: Mapping[str, float], step: int) -> None:
        wins, drift = metrics["eval_win_rate"], metrics["eval_drift"]
        if wins >= self._settings.enough:
            self.reason = f"{wins:.0%} of {self._points} held-out points were won after step {step}"
        elif drift > self._settings.most_drift:
            most = self._settings.most_drift
            self.reason = f"the model had drifted by {drift:.2f} nats a token after step {step}, more than {most:g}"
