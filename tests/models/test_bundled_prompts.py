from planish.models.bundled import openings, writing_prompts


def test_there_are_enough_distinct_requests_to_hold_some_out() -> None:
    requests = writing_prompts()
    assert len({prompt.id for prompt in requests}) == len(requests) == 240
    assert all(prompt.messages and prompt.content.strip() == prompt.content != "" for prompt in requests)


def test_openings_are_distinct_texts_to_be_continued() -> None:
    assert len({prompt.id for prompt in openings()}) == len(openings())
    assert all(prompt.text for prompt in openings())
