import pytest
import torch

from planish.find.slop import Slop
from planish.models.bundled import openings
from planish.models.language_model import LanguageModel
from planish.models.tiny import tiny_llama
from planish.models.value_head import ValueHead
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.cap import Cap
from planish.steer.contrast import Contrast
from planish.steer.engine import Engine
from planish.steer.replicas import Replicas, on_all_cards
from planish.steer.sampling import Sampling

CPU = torch.device("cpu")


def steered(model: LanguageModel) -> Engine:
    head = ValueHead(model.width, model.vocabulary)
    torch.nn.init.normal_(head.token.weight, generator=torch.Generator().manual_seed(0))
    steers = [Ban(Slop([BanRule(text=letter) for letter in "rmzb234"])), Cap(head, 0.0), Contrast(tiny_llama(seed=1))]
    return Engine(model, steers, Sampling(max_tokens=20, top_p=0.9), batch_size=3)


@pytest.mark.parametrize("many", [1, 2, 3])
@pytest.mark.parametrize("prompts", [0, 1, 5])
def test_replicas_write_what_one_engine_writes(tiny: LanguageModel, many: int, prompts: int) -> None:
    engine = steered(tiny)
    replicas = Replicas([engine, *(engine.on(CPU) for _ in range(many - 1))])
    wanted = engine.generate(openings()[:prompts], samples=2, seed=4)
    assert replicas.generate(openings()[:prompts], samples=2, seed=4) == wanted


def test_a_replica_shares_no_weights(tiny: LanguageModel) -> None:
    engine = steered(tiny)
    replica = engine.on(CPU)
    weights = {weight.data_ptr() for model in engine.models.values() for weight in model.model.parameters()}
    copies = {weight.data_ptr() for model in replica.models.values() for weight in model.model.parameters()}
    assert len(copies) == len(weights)
    assert weights.isdisjoint(copies)


def test_without_a_second_card_the_engine_stays_alone(tiny: LanguageModel) -> None:
    engine = Engine(tiny)
    assert on_all_cards(engine) is engine
