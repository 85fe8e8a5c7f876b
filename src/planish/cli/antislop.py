"""`planish antislop MODEL`."""

from planish.cli.verb import Model, Run


def antislop(run: Run, model: Model) -> None:
    """Take a model's verbal tics out of its weights."""
    from planish.models.bundled import writing_prompts
    from planish.recipes.antislop import antislop as recipe
    from planish.records.prompt import writing_prompt

    run.show(
        [model],
        lambda models, prompts, sampling: recipe(models[0], prompts, run.samples, sampling, run.seed),
        writing_prompts,
        writing_prompt,
    )
