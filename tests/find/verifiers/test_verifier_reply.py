import json
from textwrap import indent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.find.verifiers.reply import ParsedReply, parse_reply

SOURCE = 'def evaluate(response):\n    return "e" not in response'
CASES = '[{"text": "My lip", "holds": true}, {"text": "the", "holds": false}]'
OURS = f"```python\n{SOURCE}\n```\n\n```json\n{CASES}\n```"
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def told(reply: ParsedReply) -> list[tuple[str, bool]]:
    return [(case.text, case.holds) for case in reply.cases]


def test_separate_blocks_are_read_without_a_repair() -> None:
    reply = parse_reply(OURS, origin="blind", instruction_id="i")
    assert reply.sources == (SOURCE,)
    assert told(reply) == [("My lip", True), ("the", False)]
    assert {(case.origin, case.instruction_id) for case in reply.cases} == {("blind", "i")}
    assert (reply.repairs, reply.losses, reply.error) == ({}, {}, "")


@given(st.lists(st.tuples(TEXTS.filter(lambda text: "\\" not in text), st.booleans()), min_size=1, max_size=4))
def test_the_form_of_autoif_gives_back_what_was_put_in(cases: list[tuple[str, bool]]) -> None:
    body = {"func": SOURCE, "cases": [{"input": text, "output": holds} for text, holds in cases]}
    for reply in (json.dumps(body), f"```json\n{json.dumps(body, indent=2)}\n```"):
        parsed = parse_reply(reply)
        assert parsed.sources == (SOURCE,)
        assert told(parsed) == cases


def test_cases_may_stand_one_a_line() -> None:
    reply = parse_reply('```json\n{"response": "a", "result": true}\n{"response": "b", "result": false}\n```')
    assert told(reply) == [("a", True), ("b", False)]


@pytest.mark.parametrize(
    ("reply", "repairs"),
    [
        (f"Here you are:\n{OURS}\nGood luck!", {"chatter": 1}),
        (OURS.removesuffix("\n```"), {"closing_fence": 1}),
        (OURS.replace("true", "True"), {"python_word": 1}),
        (OURS.replace("true", '"true"').replace("false", '"False"'), {"string_boolean": 2}),
        (OURS.replace("false}]", "false},]"), {"trailing_comma": 1}),
        (OURS.replace("{'", '{"').replace('"My lip"', "'My lip'"), {"single_quotes": 1}),
        (f"{SOURCE}\n\nThat is all.", {"no_fence": 1, "chatter": 1}),
        (f"The cases: {CASES}", {"no_fence": 1, "chatter": 1}),
    ],
)
def test_each_kind_of_repair_loses_nothing_and_is_counted(reply: str, repairs: dict[str, int]) -> None:
    parsed = parse_reply(reply)
    assert parsed.repairs == repairs
    assert parsed.sources in ((SOURCE,), ())
    assert told(parsed) in ([("My lip", True), ("the", False)], [])
    assert not parsed.error
    assert not parsed.losses


def test_an_escaped_quote_stays_in_a_source_and_goes_from_a_text() -> None:
    func = r"def evaluate(response):\n    return '\'' in response"
    parsed = parse_reply(f'{{"func": "{func}", "cases": [{{"input": "it\\\'s", "output": true}}]}}')
    assert parsed.sources == ("def evaluate(response):\n    return '\\'' in response",)
    assert told(parsed) == [("it's", True)]
    assert parsed.repairs["illegal_escape"] == 2


def test_new_lines_that_were_spelled_are_made_real_where_none_is() -> None:
    cases = [{"text": r"a\nb", "holds": True}, {"text": "a\\nb\nc", "holds": True}]
    parsed = parse_reply(json.dumps(cases))
    assert [case.text for case in parsed.cases] == ["a\nb", "a\\nb\nc"]
    assert parsed.repairs["literal_newline"] == 1
    source = parse_reply(json.dumps({"func": SOURCE.replace("\n", r"\n")}))
    assert source.sources == (SOURCE,)


def test_a_single_function_of_another_name_is_called_by_evaluate() -> None:
    parsed = parse_reply("```python\ndef check(text):\n    return 'a' in text\n```")
    assert parsed.repairs == {"function_name": 1}
    assert parsed.sources[0].startswith("def check(text):")
    assert "def evaluate(response):\n    return check(response)" in parsed.sources[0]


def test_two_functions_of_other_names_are_left_for_screening() -> None:
    source = "def one(a):\n    return True\n\ndef two(a):\n    return True"
    assert parse_reply(f"```python\n{source}\n```").sources == (source,)


@pytest.mark.parametrize("language", ["python", "Python3", "py", ""])
def test_a_block_of_python_may_be_called_so_or_not_and_may_stand_in_a_list(language: str) -> None:
    block = f"```{language}\n{SOURCE}\n```"
    assert parse_reply(block).sources == (SOURCE,)
    assert parse_reply(f"1. Like this:\n{indent(block, '   ')}").sources == (SOURCE,)


def test_a_block_in_another_language_is_no_source() -> None:
    parsed = parse_reply(f"{OURS}\n```bash\npip install nothing\n```")
    assert parsed.sources == (SOURCE,)
    assert parsed.losses == {"other_language": 1}


def test_what_is_off_with_a_part_loses_that_part_only() -> None:
    cases = '[{"text": 3, "holds": true}, {"text": "a", "holds": 1}, 7, {"text": "b", "holds": true}]'
    parsed = parse_reply(f"```json\n{cases}\n```\n```json\n{{{{\n```")
    assert told(parsed) == [("b", True)]
    assert parsed.losses == {"case_without_text": 2, "case_without_boolean": 1, "json": 1}
    assert not parsed.error


@pytest.mark.parametrize("reply", ["", "I cannot do that.", "```json\n{]\n```", "```python\n```", "x" * 200_001])
def test_a_reply_with_nothing_in_it_says_so(reply: str) -> None:
    parsed = parse_reply(reply)
    assert parsed.error
    assert not parsed.sources
    assert not parsed.cases


def test_half_a_character_does_not_come_through() -> None:
    parsed = parse_reply('[{"text": "a \\ud83d b \\ud83d\\ude00", "holds": True}]')
    assert [case.text for case in parsed.cases] == ["a \ufffd b \U0001f600"]


@given(st.text(alphabet="`{}[]\"'\\,:\n tTruedefpython()_", max_size=80))
def test_any_reply_is_read_or_has_an_error(reply: str) -> None:
    parsed = parse_reply(reply)
    assert bool(parsed.error) != bool(parsed.sources or parsed.cases)
