from importlib.resources import files

import pytest
from jinja2 import UndefinedError

from planish.recipes.calls import Calls
from planish.recipes.prompt_template import PromptTemplate, prompt_template, seed_instructions
from planish.records.reply import Request

HOSTILE = "{{ 7 * 7 }} {% raw %} <b>'\"&"
SHOUTED = {"instruction": "Shout.", "query": "Why?", "code": "CODE", "response": "BECAUSE"}


def all_calls(calls: Calls) -> list[Request]:
    return [
        calls.new_instruction(SHOUTED["query"], [SHOUTED["instruction"]]),
        calls.rewrite_instructions([SHOUTED["instruction"]]),
        calls.write_verifier(SHOUTED["instruction"]),
        calls.write_cases_blind(SHOUTED["instruction"]),
        calls.write_cases_beside(SHOUTED["instruction"], SHOUTED["code"]),
        calls.back_translate(SHOUTED["code"]),
        calls.judge_same(SHOUTED["instruction"], "Whisper."),
        calls.judge_quality(SHOUTED["query"], SHOUTED["instruction"], SHOUTED["response"]),
        calls.answer(SHOUTED["query"], SHOUTED["instruction"]),
    ]


def text_of(request: Request) -> str:
    return request.messages[0].content


def test_every_wording_has_a_call_and_every_call_a_wording_of_its_own() -> None:
    names = {request.template.partition("@")[0] for request in all_calls(Calls("m"))}
    wordings = files("planish.recipes").joinpath("prompts").iterdir()
    assert names == {path.name.split(".")[0] for path in wordings if path.name.endswith(".jinja")}
    assert len({request.key for request in all_calls(Calls("m"))}) == len(names)


def test_the_same_call_is_the_same_request_and_another_model_or_seed_another() -> None:
    assert all_calls(Calls("m")) == all_calls(Calls("m"))
    assert {each.key for each in all_calls(Calls("m"))}.isdisjoint(each.key for each in all_calls(Calls("n")))
    assert {each.key for each in all_calls(Calls("m"))}.isdisjoint(each.key for each in all_calls(Calls("m", seed=1)))


def test_cases_that_are_written_blind_are_asked_for_without_any_program() -> None:
    blind, beside = Calls("m").write_cases_blind("Shout."), Calls("m").write_cases_beside("Shout.", "CODE")
    assert "CODE" not in text_of(blind)
    assert "CODE" in text_of(beside)
    assert "```" not in text_of(blind)


def test_answers_are_asked_for_with_nothing_but_the_query_and_the_instruction() -> None:
    assert text_of(Calls("m").answer("Why?", "Shout.")) == "Why?\n\nShout."


def test_what_a_user_wrote_is_taken_as_it_is() -> None:
    assert text_of(Calls("m").answer(HOSTILE, HOSTILE)) == f"{HOSTILE}\n\n{HOSTILE}"
    assert HOSTILE in text_of(Calls("m").new_instruction("Why?", [HOSTILE]))


def test_another_wording_is_another_version_and_another_request() -> None:
    first, second = (PromptTemplate("greet", text) for text in ("Hello {{ name }}.", "Hello  {{ name }}."))
    assert first.version != second.version
    assert first.version == PromptTemplate("greet", "Hello {{ name }}.").version
    assert first.request("m", {"name": "you"}).key != second.request("m", {"name": "you"}).key
    assert first.request("m", {"name": "you"}).template == first.version


def test_a_place_without_a_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        prompt_template("answer").request("m", {"query": "Why?"})


def test_the_seed_instructions_are_many_and_all_different() -> None:
    seeds = seed_instructions()
    assert len(seeds) >= 40
    assert len({seed.casefold() for seed in seeds}) == len(seeds)
    assert all(seed.strip() == seed and len(seed.split()) >= 3 for seed in seeds)
