import math
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
import torch
from custom_steers import Adjust, Refuse, Script
from torch import Tensor

from planish.errors import UsageError
from planish.find.slop import Slop
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama
from planish.models.tokens import UNFINISHED
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.beam import BeamSearch, Scored
from planish.steer.cap import Cap
from planish.steer.contrast import Contrast, LogRatio, behind, contrasted
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling
from planish.steer.steer import MODEL, Adjustment, Needs, Rewind, Stage, Steer, Step
from planish.steer.tag import Tag

PROMPTS = [opening("Hello"), opening("A rather long beginning"), opening("The dog")]
SHORT = Sampling(max_tokens=12)

# The log-probabilities (V,) of what comes after the prompt and these tokens.
Speaks = Callable[[Sequence[int]], Tensor]


@pytest.fixture(scope="module")
def ending() -> LanguageModel:
    """A random model that may end its texts with any of many tokens, and often does."""
    model = tiny_llama(seed=3)
    model.model.generation_config.eos_token_id = [2, *range(20, 259, 7)]
    return model


@pytest.fixture(scope="module")
def bundled() -> LanguageModel:
    return load_model("bundled")


def tokens_and_scores(texts: Sequence[Scored]) -> list[tuple[tuple[int, ...], float]]:
    return [(text.generation.token_ids, text.score) for text in texts]


def assert_same(texts: Sequence[Scored], wanted: Sequence[tuple[Sequence[int], float]]) -> None:
    assert [list(text.generation.token_ids) for text in texts] == [list(tokens) for tokens, _ in wanted]
    assert [text.score for text in texts] == pytest.approx([score for _, score in wanted], rel=1e-5)


# --- as plain transformers


@torch.no_grad()
def by_transformers(
    model: LanguageModel, ids: Sequence[int], beams: int, length_penalty: float, sampling: Sampling
) -> list[tuple[list[int], float]]:
    tensor = torch.tensor([list(ids)])
    found = model.model.generate(
        tensor,
        attention_mask=torch.ones_like(tensor),
        num_beams=beams,
        num_return_sequences=beams,
        do_sample=False,
        early_stopping=False,
        length_penalty=length_penalty,
        max_new_tokens=sampling.max_tokens,
        min_new_tokens=sampling.min_tokens or None,
        no_repeat_ngram_size=sampling.no_repeat_ngram or None,
        return_dict_in_generate=True,
        output_scores=True,
        pad_token_id=0,
    )
    texts = []
    for sequence in found.sequences[:, len(ids) :].tolist():
        length = next((at + 1 for at, token in enumerate(sequence) if token in model.end_ids), len(sequence))
        texts.append(sequence[:length])
    return list(zip(texts, found.sequences_scores.tolist(), strict=True))


@pytest.mark.parametrize("name", ["tiny", "ending", "bundled"])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0, -1.0])
def test_without_steers_it_is_transformers_beam_search(
    name: str, length_penalty: float, request: pytest.FixtureRequest
) -> None:
    model: LanguageModel = request.getfixturevalue(name)
    sampling = Sampling(max_tokens=20)
    search = BeamSearch(model, sampling=sampling, beams=4, length_penalty=length_penalty)
    for prompt, texts in zip(PROMPTS, search.search(PROMPTS), strict=True):
        assert_same(texts, by_transformers(model, model.encode(prompt), 4, length_penalty, sampling))
        if name == "ending" and length_penalty <= 0:
            assert len({len(text.generation.token_ids) for text in texts}) > 1, "texts of one length test little"


@pytest.mark.parametrize(
    ("name", "sampling"),
    [("ending", Sampling(max_tokens=20, min_tokens=18)), ("tiny", Sampling(max_tokens=20, no_repeat_ngram=1))],
)
def test_what_may_not_stand_leaves_the_other_scores_as_they_are(
    name: str, sampling: Sampling, request: pytest.FixtureRequest
) -> None:
    model: LanguageModel = request.getfixturevalue(name)
    (texts,) = BeamSearch(model, sampling=sampling, beams=4, length_penalty=0.0).search(PROMPTS[:1])
    assert_same(texts, by_transformers(model, model.encode(PROMPTS[0]), 4, 0.0, sampling))
    free = BeamSearch(model, sampling=Sampling(max_tokens=20), beams=4, length_penalty=0.0)
    assert tokens_and_scores(free.search(PROMPTS[:1])[0]) != tokens_and_scores(texts)


# --- as greedy decoding


@pytest.mark.parametrize("name", ["tiny", "ending", "bundled"])
@pytest.mark.parametrize(
    "sampling", [SHORT, Sampling(max_tokens=12, repetition_penalty=1.5, min_tokens=4, stop=("r",))]
)
@pytest.mark.parametrize("steered", [False, True])
def test_one_beam_is_the_engine_at_temperature_0(
    name: str, sampling: Sampling, steered: bool, request: pytest.FixtureRequest
) -> None:
    model: LanguageModel = request.getfixturevalue(name)
    steers = [Contrast(None, LogRatio(strength=0.7), other_prompt=behind("Once "))] if steered else []
    greedy = Engine(model, steers, sampling.model_copy(update={"temperature": 0.0})).generate(PROMPTS)
    found = BeamSearch(model, steers, sampling, beams=1).generate(PROMPTS)
    assert [len(texts) for texts in found] == [1, 1, 1]
    for (text,), wanted in zip(found, greedy, strict=True):
        assert (text.id, text.token_ids, text.text, text.finish) == (
            wanted.id,
            wanted.token_ids,
            wanted.text,
            wanted.finish,
        )


# --- as a slow reference


def slow_search(
    speaks: Speaks,
    ends: frozenset[int],
    width: int,
    *,
    limit: int,
    groups: int = 1,
    penalty: float = 0.0,
    permitted: Callable[[Sequence[int]], bool] = lambda tokens: True,
) -> list[tuple[tuple[int, ...], float]]:
    """Diverse beam search with every candidate of every beam written out, and nothing cached."""
    live: list[list[tuple[tuple[int, ...], float]]] = [[((), 0.0)] for _ in range(groups)]
    finished: list[list[tuple[float, tuple[int, ...]]]] = [[] for _ in range(groups)]
    for position in range(limit):
        taken: Counter[int] = Counter()
        for group in range(groups):
            candidates = sorted(
                (
                    (
                        score + float(log_probability) - penalty * taken[token],
                        score + float(log_probability),
                        tokens,
                        token,
                    )
                    for tokens, score in live[group]
                    for token, log_probability in enumerate(speaks(tokens).double())
                ),
                reverse=True,
            )
            candidates = [each for each in candidates if each[0] > -math.inf]
            beams: list[tuple[tuple[int, ...], float]] = []
            rank = 0
            for _, score, tokens, token in candidates:
                text = (*tokens, token)
                if len(beams) == width or not permitted(text):
                    continue
                if token not in ends and position + 1 < limit:
                    beams.append((text, score))
                elif rank < width:
                    finished[group].append((score / len(text), text))
                rank += 1
            finished[group] = sorted(finished[group], reverse=True)[:width]
            is_full = len(finished[group]) == width
            if is_full and beams and max(score for _, score in beams) / (position + 1) <= finished[group][-1][0]:
                beams = []
            live[group] = beams
            taken.update(tokens[-1] for tokens, _ in beams)
    return [(tokens, score) for score, tokens in sorted((each for group in finished for each in group), reverse=True)]


@torch.no_grad()
def plain_logits(model: LanguageModel, ids: Sequence[int]) -> Tensor:
    logits: Tensor = model.model(torch.tensor([list(ids)])).logits
    return logits[:, -1].float()


def speaking(model: LanguageModel, prompt: Sequence[int]) -> Speaks:
    return lambda tokens: plain_logits(model, [*prompt, *tokens]).log_softmax(-1)[0]


@pytest.mark.parametrize("name", ["tiny", "ending"])
@pytest.mark.parametrize(("width", "groups", "penalty"), [(2, 3, 0.4), (3, 2, 5.0), (4, 1, 0.0)])
def test_groups_search_as_the_slow_reference_does(
    name: str, width: int, groups: int, penalty: float, request: pytest.FixtureRequest
) -> None:
    model: LanguageModel = request.getfixturevalue(name)
    search = BeamSearch(
        model, sampling=Sampling(max_tokens=7), beams=width * groups, groups=groups, diversity_penalty=penalty
    )
    for prompt, texts in zip(PROMPTS, search.search(PROMPTS), strict=True):
        wanted = slow_search(
            speaking(model, model.encode(prompt)), model.end_ids, width, limit=7, groups=groups, penalty=penalty
        )
        # Groups may find the same text, so equal scores may stand in any order.
        assert sorted(text.generation.token_ids for text in texts) == sorted(tokens for tokens, _ in wanted)
        assert [text.score for text in texts] == pytest.approx([score for _, score in wanted], rel=1e-5)


def test_a_diversity_penalty_makes_texts_begin_differently(tiny: LanguageModel) -> None:
    alike = BeamSearch(tiny, sampling=SHORT, beams=4).generate(PROMPTS[:1])[0]
    diverse = BeamSearch(tiny, sampling=SHORT, beams=4, groups=4, diversity_penalty=50.0).generate(PROMPTS[:1])[0]
    assert len({text.token_ids[0] for text in diverse}) == 4
    assert len({text.token_ids[0] for text in alike}) < 4


def test_companions_follow_the_beams(tiny: LanguageModel) -> None:
    other = tiny_llama(seed=1)
    search = BeamSearch(tiny, [Contrast(other, LogRatio(strength=0.7, plausible=0.2))], Sampling(max_tokens=8), beams=4)
    for prompt, texts in zip(PROMPTS, search.search(PROMPTS), strict=True):
        ids = tiny.encode(prompt)

        def speaks(tokens: Sequence[int], ids: Sequence[int] = ids) -> Tensor:
            own, others = (plain_logits(model, [*ids, *tokens]) for model in (tiny, other))
            return contrasted(own, others, 0.7, 0.2).log_softmax(-1)[0]

        assert_same(texts, slow_search(speaks, tiny.end_ids, 4, limit=8))


def test_a_companion_on_another_prompt_follows_the_beams() -> None:
    model = tiny_llama()
    add_tags(model, ["<|good|>", "<|bad|>"])
    search = BeamSearch(model, [Tag("<|good|>", "<|bad|>", strength=1.8)], Sampling(max_tokens=6), beams=3)
    good, bad = (model.encode(PROMPTS[0].model_copy(update={"tag": tag})) for tag in ("<|good|>", "<|bad|>"))

    def speaks(tokens: Sequence[int]) -> Tensor:
        own, opposite = (plain_logits(model, [*ids, *tokens]) for ids in (good, bad))
        mixed = contrasted(own, opposite, 0.8, 0.1).log_softmax(-1)
        return mixed[0].index_fill(0, torch.tensor(list(model.tags.values())), -math.inf)

    (texts,) = search.search(PROMPTS[:1])
    assert_same(texts, slow_search(speaks, model.end_ids, 3, limit=6))


# --- what is forbidden


def ban_of(phrases: Sequence[str]) -> Ban:
    return Ban(Slop([BanRule(text=phrase) for phrase in phrases]))


@pytest.mark.parametrize("name", ["tiny", "ending"])
def test_a_candidate_that_completes_a_banned_span_is_not_taken(name: str, request: pytest.FixtureRequest) -> None:
    model: LanguageModel = request.getfixturevalue(name)
    slop = Slop([BanRule(text=phrase) for phrase in [*"rmzbK", "\x01", "\x10"]])
    prompt = PROMPTS[0]

    def permitted(tokens: Sequence[int]) -> bool:
        has_ended = tokens[-1] in model.end_ids or len(tokens) == 8
        # A character of which bytes are missing is not there yet; a word at the end is not known to have ended.
        text = model.decode([token for token in tokens if token not in model.end_ids]).rstrip(UNFINISHED)
        return not any(has_ended or span.end < len(text) or not text[-1].isalnum() for span in slop.locate([text])[0])

    (texts,) = BeamSearch(model, [Ban(slop)], Sampling(max_tokens=8), beams=3).search([prompt])
    (plain,) = BeamSearch(model, sampling=Sampling(max_tokens=8), beams=3).search([prompt])
    wanted = slow_search(speaking(model, model.encode(prompt)), model.end_ids, 3, limit=8, permitted=permitted)
    assert tokens_and_scores(plain) != tokens_and_scores(texts)
    assert_same(texts, wanted)
    assert not any(text.generation.events for text in texts)


def test_bans_on_a_real_model_are_kept(bundled: LanguageModel) -> None:
    sampling = Sampling(max_tokens=30)
    plain = [text for texts in BeamSearch(bundled, sampling=sampling).generate(PROMPTS) for text in texts]
    banned = ["was", "the", "you", '"', "they"]
    slop = Slop([BanRule(text=phrase) for phrase in banned])
    assert all(slop.locate([text.text])[0] for text in plain)
    for texts in BeamSearch(bundled, [Ban(slop)], sampling).generate(PROMPTS):
        for text in texts:
            counted = {event.rule for event in text.events if event.let_pass}
            assert {span.rule for span in slop.locate([text.text])[0]} <= counted
    assert not any(
        text.events for texts in BeamSearch(bundled, [Ban(slop)], sampling).generate(PROMPTS) for text in texts
    )


def test_where_everything_is_refused_the_best_is_let_pass_and_counted(tiny: LanguageModel) -> None:
    refuse = Refuse(lambda row: [(len(row.tokens) - 1, "all")])
    ((text,),) = BeamSearch(tiny, [refuse], SHORT, beams=3).generate(PROMPTS[:1])
    (greedy,) = Engine(tiny, sampling=Sampling(max_tokens=12, temperature=0)).generate(PROMPTS[:1])
    assert text.token_ids == greedy.token_ids
    assert [(event.rule, event.position, event.let_pass) for event in text.events] == [
        ("all", position, True) for position in range(len(text.token_ids))
    ]


def test_what_a_steer_forbids_leaves_the_other_scores_as_they_are(tiny: LanguageModel) -> None:
    (best, *_) = BeamSearch(tiny, sampling=SHORT, beams=3).search(PROMPTS[:1])[0]
    first = best.generation.token_ids[0]
    forbid = Adjust("forbid", lambda row, logits: logits.index_fill(0, torch.tensor([first]), -math.inf))
    (texts,) = BeamSearch(tiny, [forbid], SHORT, beams=3).search(PROMPTS[:1])
    speaks = speaking(tiny, tiny.encode(PROMPTS[0]))
    for text in texts:
        tokens = text.generation.token_ids
        assert first not in tokens
        total = sum(float(speaks(tokens[:at])[token]) for at, token in enumerate(tokens))
        assert text.score == pytest.approx(total / len(tokens), abs=1e-4)


# --- many prompts


@pytest.mark.parametrize("batch_size", [1, 8, None])
def test_a_text_does_not_depend_on_the_other_prompts(ending: LanguageModel, batch_size: int | None) -> None:
    steers = [Contrast(tiny_llama(seed=1)), ban_of("rm")]
    together = BeamSearch(ending, steers, SHORT, beams=4, batch_size=batch_size).search(PROMPTS)
    for prompt, texts in zip(PROMPTS, together, strict=True):
        (alone,) = BeamSearch(ending, steers, SHORT, beams=4).search([prompt])
        assert_same(texts, tokens_and_scores(alone))


def test_texts_come_best_first_and_are_numbered(tiny: LanguageModel) -> None:
    for prompt, texts in zip(PROMPTS, BeamSearch(tiny, sampling=SHORT).search(PROMPTS), strict=True):
        assert [text.generation.sample for text in texts] == list(range(5))
        assert {text.generation.prompt_id for text in texts} == {prompt.id}
        assert len({text.generation.id for text in texts}) == 5
        assert [text.score for text in texts] == sorted((text.score for text in texts), reverse=True)
    assert BeamSearch(tiny).search([]) == []


def test_a_prompt_longer_than_the_context_fails_alone(tiny: LanguageModel) -> None:
    texts = BeamSearch(tiny, sampling=SHORT, beams=2).generate([PROMPTS[0], opening("x" * tiny.context), PROMPTS[1]])
    assert [[text.status for text in each] for each in texts] == [["ok", "ok"], ["failed"], ["ok", "ok"]]
    assert str(tiny.context) in texts[1][0].error


@pytest.mark.parametrize("spoilt", [math.nan, -math.inf])
@pytest.mark.parametrize("position", [0, 3])
def test_logits_of_no_use_fail_their_prompt_only(tiny: LanguageModel, spoilt: float, position: int) -> None:
    def spoil(row: object, logits: Tensor) -> Tensor:
        is_hit = getattr(row, "prompt", None) == PROMPTS[1] and len(getattr(row, "tokens", ())) == position
        return torch.full_like(logits, spoilt) if is_hit else logits

    sound = BeamSearch(tiny, sampling=SHORT, beams=2).search(PROMPTS)
    texts = BeamSearch(tiny, [Adjust("forbid", spoil)], SHORT, beams=2).search(PROMPTS)
    assert [text.generation.status for text in texts[1]] == ["failed"]
    assert texts[1][0].generation.error
    for index in (0, 2):
        assert_same(texts[index], tokens_and_scores(sound[index]))


def test_a_text_ends_before_a_stop_string(tiny: LanguageModel) -> None:
    script = Script(tiny.tokenizer("abcdef")["input_ids"])
    best = BeamSearch(tiny, [script], Sampling(max_tokens=12, stop=("cd",)), beams=2).generate(PROMPTS[:1])[0][0]
    assert (best.text, best.finish) == ("ab", "stop")


# --- what is refused


class GoBack(Steer):
    """Wants to go back before anything is drawn."""

    stage: Stage = "forbid"
    needs = Needs()

    def adjust(self, step: Step) -> Adjustment:
        return Adjustment(step.logits[MODEL], [Rewind(0, 0, "back")])


def test_steers_that_go_back_before_a_token_is_drawn_are_refused(tiny: LanguageModel) -> None:
    def value(hidden: Tensor, tokens: Tensor | None = None, /) -> Tensor:
        return torch.zeros(len(hidden), tiny.vocabulary)

    with pytest.raises(UsageError, match="Cap"):
        BeamSearch(tiny, [Cap(value, 0.1)])
    with pytest.raises(UsageError, match="GoBack"):
        BeamSearch(tiny, [GoBack()], SHORT).generate(PROMPTS)


@pytest.mark.parametrize(
    "sampling", [{"temperature": 0.5}, {"temperature": 0.0}, {"top_k": 5}, {"top_p": 0.9}, {"min_p": 0.1}]
)
def test_a_sampling_that_says_how_to_draw_is_refused(tiny: LanguageModel, sampling: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(sampling))):
        BeamSearch(tiny, sampling=Sampling.model_validate(sampling))


@pytest.mark.parametrize(
    "beams",
    [
        {"beams": 0},
        {"beams": 5, "groups": 2, "diversity_penalty": 1.0},
        {"beams": 4, "groups": 0},
        {"beams": 4, "groups": 2},
        {"beams": 4, "diversity_penalty": 1.0},
        {"beams": 4, "groups": 2, "diversity_penalty": -1.0},
    ],
)
def test_beams_that_make_no_groups_are_refused(tiny: LanguageModel, beams: dict[str, int]) -> None:
    with pytest.raises(UsageError) as caught:
        BeamSearch(tiny, **beams)  # type: ignore[arg-type]
    assert caught.value.hint
