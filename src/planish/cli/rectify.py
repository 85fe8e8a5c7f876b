"""`planish rectify MODEL`."""

from planish.cli.verb import Model, Run


def rectify(run: Run, model: Model) -> None:
    """Keep a model away from gloomy texts while it writes; its weights stay as they are."""
    from planish.models.bundled import openings
    from planish.recipes.rectify import rectify as recipe
    from planish.records.prompt import opening

    run.engine_settings().require_local("a cap needs all logits of a model, and a server gives 20")
    run.show(
        [model],
        lambda models, prompts, sampling: recipe(models[0], prompts, run.samples, sampling, run.seed),
        openings,
        opening,
    )
