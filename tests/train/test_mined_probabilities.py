"""The probabilities of what a point chooses, in models whose weights are in bfloat16."""

import pytest
import torch

from planish.models.language_model import LanguageModel
from planish.models.scoring import hidden_states
from planish.records.generation import Event, Generation
from planish.train.mining import Path, mine_points
from tiny_models import in_bfloat16


@torch.no_grad()
def test_they_are_those_of_exact_multiplication(tiny: LanguageModel) -> None:
    model = in_bfloat16(tiny)
    ids = tuple(torch.randint(3, 250, (40,), generator=torch.Generator().manual_seed(0)).tolist())
    generation = Generation.model_construct(id="g", prompt_token_ids=ids[:1], status="ok")
    events = [Event(rule="lily", position=at, rejected=ids[at + 1]) for at in range(3, 35, 2)]
    (mined,) = mine_points(model, [Path(generation, ids, events)])
    weight = model.model.get_output_embeddings().weight.double()
    states = hidden_states(model, [ids])[0].double()
    exact, rounded = [], []
    for point in mined.points:
        logits = states[point.position - 1] @ weight.T
        chosen = list(point.chosen)
        assert point.chosen_probs == pytest.approx(logits.softmax(-1)[chosen].tolist(), rel=1e-4)
        exact += logits.softmax(-1)[chosen].tolist()
        rounded += logits.to(torch.bfloat16).double().softmax(-1)[chosen].tolist()
    assert exact != pytest.approx(rounded, rel=1e-4), "there was nothing to mend"
