"""FTPO packed by path against one row for each point."""

import sys

from claim import measure

from planish.models.loading import load_model
from planish.records.preference import Point, TokenPreferences
from planish.train.adapter import quiet_arguments, with_adapter
from planish.train.ftpo import FtpoSettings, FtpoTrainer

PATHS, POINTS, TOKENS = 8, 8, 200


def main() -> int:
    """Measure one forward and backward pass over the same points."""
    model = load_model("bundled")
    paths = [
        TokenPreferences(
            generation_id=str(number),
            token_ids=tuple((number * 31 + place * 7) % 4000 + 10 for place in range(TOKENS)),
            prompt_length=1,
            points=tuple(
                Point(position=place, rejected=20, chosen=(30, 40), chosen_probs=(0.5, 0.5), rule="x")
                for place in range(TOKENS // POINTS - 1, TOKENS, TOKENS // POINTS)
            ),
        )
        for number in range(PATHS)
    ]
    alone = [
        path.model_copy(update={"token_ids": path.token_ids[: point.position + 1], "points": (point,)})
        for path in paths
        for point in path.points
    ]
    packed, apart = (_pass(model, rows) for rows in (paths, alone))
    return 0 if measure("FTPO packed by path, against one row a point", apart, packed, 3.0) else 1


def _pass(model, rows):
    adapted = with_adapter(model, rank=8)
    trainer = FtpoTrainer(*adapted, rows, FtpoSettings(), quiet_arguments(model, 0, 1e-4, 1, 8))
    batch = {"rows": list(trainer.train_dataset)}
    return lambda: trainer.compute_loss(adapted.adapter, batch).backward()


if __name__ == "__main__":
    sys.exit(main())
