"""`planish condition MODEL`."""

from planish.cli.verb import Model, Run


def condition(run: Run, model: Model) -> None:
    """Teach a model two tags, cheerful and gloomy, and write with either."""
    from planish.models.bundled import openings
    from planish.recipes.condition import condition as recipe
    from planish.records.prompt import opening

    run.engine_settings().require_local("a tag of a strength needs all logits of a model, and a server gives 20")
    run.show(
        [model],
        lambda models, prompts, sampling: recipe(models[0], prompts, run.samples, sampling, run.seed),
        openings,
        opening,
    )
