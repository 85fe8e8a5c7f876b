from collections.abc import Callable, Mapping, Sequence

import pytest

from fake_server import STOP, FakeServer, fake_server
from planish.errors import ModelError, UsageError
from planish.find.slop import Slop
from planish.models.endpoint import Endpoint
from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama
from planish.models.tokens import Tokens
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.cap import Cap
from planish.steer.contrast import Contrast
from planish.steer.sampling import Sampling
from planish.steer.served import ServedEngine
from planish.steer.served_row import FIRST_CHUNK
from planish.steer.tag import Tag

PROMPT = opening("Hello")


def ban_of(*phrases: str) -> Ban:
    return Ban(Slop([BanRule(text=phrase) for phrase in phrases]))


def writer(tokens: Tokens, text: str, share: float = 0.3) -> Callable[[Sequence[int]], dict[int, float]]:
    """Writes a text letter by letter and then ends; everywhere "_" could stand too, this likely."""
    ids = tokens.tokenizer(text)["input_ids"]
    (otherwise,) = tokens.tokenizer("_")["input_ids"]
    start = len(tokens.encode(PROMPT))

    def model(before: Sequence[int]) -> dict[int, float]:
        position = max(0, len(before) - start)
        return {(ids[position] if position < len(ids) else STOP): 1 - share, otherwise: share}

    return model


def served(server: FakeServer, tokens: Tokens, *steers: Ban, **sampling: object) -> ServedEngine:
    """Checked already, so that faults and bodies are those of the texts."""
    faults, server.faults, usual, server.usual = server.faults, [], server.usual, None
    endpoint = Endpoint(server.url, sleep=lambda seconds: None)
    endpoint.check()
    server.faults, server.usual = faults, usual
    server.bodies.clear()
    plan = Sampling.model_validate({"max_tokens": 200, "temperature": 0, **sampling})
    return ServedEngine(endpoint, tokens, steers, plan, concurrency=2)


# --- what is written


def test_a_text_comes_back_token_by_token(tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "so it is")) as server:
        (text,) = served(server, tiny).generate([PROMPT], seed=3)
    assert (text.text, text.finish, text.status, text.error) == ("so it is", "stop", "ok", "")
    assert text.token_ids == (*tiny.tokenizer("so it is")["input_ids"], STOP)
    assert text.char_ends == (*range(1, 9), 8)
    assert text.prompt_token_ids == tuple(tiny.encode(PROMPT))
    assert (text.tokens_spent, text.seed, text.prompt_id, text.template_hash) == (9, 3, PROMPT.id, tiny.template_hash)


def test_texts_come_in_the_order_of_the_prompts_and_samples(tiny: LanguageModel) -> None:
    prompts = [PROMPT, opening("Hi"), opening("A longer one")]
    with fake_server(writer(tiny, "yes")) as server:
        texts = served(server, tiny).generate(prompts, samples=3)
    assert [(text.prompt_id, text.sample) for text in texts] == [(p.id, s) for p in prompts for s in range(3)]


def test_what_is_banned_is_written_otherwise_from_where_it_turns(tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "so grim day it is")) as server:
        (text,) = served(server, tiny, ban_of("grim day")).generate([PROMPT])
    assert text.text == "so _rim day it is"
    (event,) = text.events
    (g, blank) = (tiny.tokenizer(letter)["input_ids"][0] for letter in "g_")
    assert (event.rule, event.position, event.rejected, event.replacement) == ("grim day", 3, g, blank)
    assert text.tokens_spent == len(text.token_ids) + len("grim day ")


def test_a_hit_at_the_very_end_does_not_cut_the_text_short(tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "it is bad")) as server:
        (text,) = served(server, tiny, ban_of("bad")).generate([PROMPT])
        (cut,) = served(server, tiny, ban_of("bad"), max_tokens=9).generate([PROMPT])
    assert (text.text, text.finish) == ("it is _ad", "stop")
    assert (cut.text, cut.finish) == ("it is _ad", "length")


def test_where_too_little_is_left_the_text_goes_back_further(tiny: LanguageModel) -> None:
    usual, sure = writer(tiny, "a b bad"), writer(tiny, "a b bad", share=0.005)
    b = len(tiny.encode(PROMPT)) + len("a b ")

    with fake_server(lambda before: (sure if len(before) == b else usual)(before)) as server:
        (text,) = served(server, tiny, ban_of("bad")).generate([PROMPT])
    assert text.text == "a b_bad"
    assert [event.position for event in text.events] == [3]


@pytest.mark.parametrize("owner", ["llamacpp", "vllm"])
def test_what_could_stand_after_other_words_is_forgotten_with_them(owner: str, tiny: LanguageModel) -> None:
    letters = tiny.tokenizer("a b bad")["input_ids"]
    (space, dash) = (tiny.tokenizer(letter)["input_ids"][0] for letter in " -")
    start = len(tiny.encode(PROMPT))

    def model(before: Sequence[int]) -> dict[int, float]:
        position = max(0, len(before) - start)
        share = 0.005 if position == 4 and before[-1] == space else 0.3
        return {(letters[position] if position < len(letters) else STOP): 1 - share, dash: share}

    with fake_server(model) as server:
        server.listing = {"data": [{"id": "fake", "owned_by": owner}]}
        (text,) = served(server, tiny, ban_of("bad")).generate([PROMPT])
    assert text.text == "a b--ad"
    assert [event.position for event in text.events] == [3, 4]


def test_what_cannot_be_written_otherwise_is_let_pass_and_counted(tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "a bad day", share=0.001)) as server:
        (text,) = served(server, tiny, ban_of("bad")).generate([PROMPT])
    assert (text.text, text.status) == ("a bad day", "ok")
    assert [(event.rule, event.position) for event in text.events if event.let_pass] == [("bad", 2)]


@pytest.mark.parametrize("length", [1, 5, FIRST_CHUNK, FIRST_CHUNK + 1, 190])
def test_no_more_tokens_are_asked_for_than_the_text_may_have(length: int, tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "bad " * 60)) as server:
        (text,) = served(server, tiny, ban_of("bad"), max_tokens=length).generate([PROMPT])
    assert (len(text.token_ids), text.finish) == (length, "length")
    start = len(text.prompt_token_ids)
    assert all(len(body["prompt"]) - start + body["max_tokens"] <= length for body in server.bodies)


def test_chunks_grow_while_nothing_is_hit_and_shrink_after_a_hit(tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "x" * 400)) as server:
        served(server, tiny, max_tokens=400).generate([PROMPT])
    assert [body["max_tokens"] for body in server.bodies] == [64, 128, 208]
    with fake_server(writer(tiny, "bad " * 90)) as server:
        served(server, tiny, ban_of("bad"), max_tokens=400).generate([PROMPT])
    assert [body["max_tokens"] for body in server.bodies][:5] == [64, 32, 16, 16, 16]


def test_each_request_begins_as_the_text_stands(tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "bad day " * 9)) as server:
        (text,) = served(server, tiny, ban_of("bad", "day")).generate([PROMPT])
    whole = [*text.prompt_token_ids, *text.token_ids]
    assert len(server.bodies) > 5
    assert all(body["prompt"] == whole[: len(body["prompt"])] for body in server.bodies)


@pytest.mark.parametrize("end", ["stop", "length"])
def test_the_server_may_end_a_text_by_an_end_of_its_own_or_a_full_context(end: str, tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "bad"), faults=[end]) as server:
        (text,) = served(server, tiny).generate([PROMPT])
    assert (text.text, text.finish, text.status) == ("bad", end, "ok")
    with fake_server(writer(tiny, "bad"), faults=[end]) as server:
        (text,) = served(server, tiny, ban_of("bad")).generate([PROMPT])
    assert (text.text, text.finish) == ("_ad", "stop")


def test_a_stop_string_ends_the_text_before_it(tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "one\ntwo")) as server:
        (text,) = served(server, tiny, stop="\n").generate([PROMPT])
    assert (text.text, text.finish) == ("one", "stop")


def test_a_text_does_not_end_too_early_nor_with_a_tag(tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "ab")) as server:
        (text,) = served(server, tiny, min_tokens=6, max_tokens=9).generate([PROMPT])
    assert (text.text, text.finish) == ("ab____", "stop")
    tagged = tiny_llama()
    add_tags(tagged, ["<|good|>"])
    with fake_server(writer(tagged, "ab")) as server:
        engine = ServedEngine(served(server, tagged).endpoint, tagged, [Tag("<|good|>")], Sampling(temperature=0))
        (text,) = engine.generate([PROMPT])
    tag = tagged.tags["<|good|>"]
    assert tag in text.prompt_token_ids
    assert all(body["logit_bias"] == {str(tag): -100} for body in server.bodies)


def test_every_request_has_a_seed_of_its_own_and_keeps_it(tiny: LanguageModel) -> None:
    def seeds(seed: int) -> list[int]:
        with fake_server(writer(tiny, "bad day " * 9)) as server:
            served(server, tiny, ban_of("bad")).generate([PROMPT, opening("Hi")], samples=2, seed=seed)
        return sorted(body["seed"] for body in server.bodies if "seed" in body)

    assert seeds(1) == seeds(1)
    assert len(set(seeds(1))) == len(seeds(1))
    assert set(seeds(1)).isdisjoint(seeds(2))


# --- what goes wrong


def test_a_row_that_fails_stops_nothing_else(tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "yes"), faults=[400]) as server:
        engine = served(server, tiny)
        engine.concurrency = 1
        texts = engine.generate([PROMPT, opening("Hi"), opening("x" * tiny.context)])
    assert [text.status for text in texts] == ["failed", "ok", "failed"]
    assert [text.finish for text in texts] == ["failed", "stop", "failed"]
    assert "not now" in texts[0].error
    assert str(tiny.context) in texts[2].error


@pytest.mark.parametrize("fault", [500, 503, "drop", "hang"])
def test_a_text_that_was_interrupted_is_the_text(fault: int | str, tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "so grim day it is"), faults=[fault, None, fault, fault]) as server:
        (text,) = served(server, tiny, ban_of("grim day")).generate([PROMPT])
    assert (text.text, text.status) == ("so _rim day it is", "ok")


@pytest.mark.parametrize("usual", ["garbage", "plain", "pieces", 500, 400, "echo"])
def test_a_server_that_fails_leaves_no_empty_success(usual: int | str, tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "yes"), usual=usual) as server:
        texts = served(server, tiny).generate([PROMPT, opening("Hi")], samples=2)
    assert [(text.status, text.finish, text.token_ids) for text in texts] == [("failed", "failed", ())] * 4
    assert all(text.error and "\n" not in text.error for text in texts)


def test_a_server_that_dies_fails_what_is_left_at_once(tiny: LanguageModel) -> None:
    waits: list[float] = []
    with fake_server(writer(tiny, "yes"), faults=[None, None, "die"]) as server:
        endpoint = Endpoint(server.url, attempts=4, sleep=waits.append)
        prompts = [opening(f"Hi {number}") for number in range(40)]
        texts = ServedEngine(endpoint, tiny, [], Sampling(temperature=0, max_tokens=9), concurrency=1).generate(prompts)
        assert [text.status for text in texts] == ["ok"] * 1 + ["failed"] * 39
        assert all(text.error for text in texts[1:])
        assert len(waits) <= 4
        with pytest.raises(ModelError, match="no answer"):
            ServedEngine(endpoint, tiny).generate(prompts)


def test_nothing_is_written_where_nobody_answers_at_first(tiny: LanguageModel) -> None:
    with (
        fake_server(writer(tiny, "yes"), usual="plain") as server,
        pytest.raises(ModelError, match="log-probabilities"),
    ):
        ServedEngine(Endpoint(server.url), tiny).generate([PROMPT])


# --- what is refused


def test_what_needs_all_logits_is_refused_with_the_engine_that_has_them(tiny: LanguageModel) -> None:
    endpoint = Endpoint("http://127.0.0.1:1")
    tagged = Tag("<|good|>", "<|bad|>", strength=2)
    for steer in (Cap(lambda hidden, tokens=None: hidden, 0.1), Contrast(tiny_llama(1)), tagged):
        with pytest.raises(UsageError, match=type(steer).__name__.lower()) as caught:
            ServedEngine(endpoint, tiny, [steer])
        assert "local" in caught.value.hint


@pytest.mark.parametrize(("name", "value"), [("no_repeat_ngram", 3), ("repetition_penalty", 1.2)])
def test_a_setting_that_cannot_be_kept_is_refused_by_its_name(name: str, value: float, tiny: LanguageModel) -> None:
    sampling = Sampling.model_validate({name: value})
    with pytest.raises(UsageError, match=name) as caught:
        ServedEngine(Endpoint("http://127.0.0.1:1"), tiny, [ban_of("x")], sampling)
    assert "local" in caught.value.hint


def test_the_users_settings_go_to_the_server(tiny: LanguageModel) -> None:
    with fake_server(writer(tiny, "yes")) as server:
        served(server, tiny, temperature=0.7, top_k=5, top_p=0.9, min_p=0.05, repetition_penalty=1.1).generate([PROMPT])
    sent: Mapping[str, object] = server.bodies[0]
    wanted = {"temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.1}
    assert {name: sent[name] for name in wanted} == wanted
