from planish.find.sentiment import Negativity
from planish.records.prompt import opening
from planish.records.score import Sample, Score


def judge(*texts: str) -> list[Score]:
    answers = Negativity().score([Sample(opening("terrible awful"), text, str(n)) for n, text in enumerate(texts)])
    return [answer for answer in answers if isinstance(answer, Score)]


def test_gloomier_texts_score_higher_and_only_they_are_hits() -> None:
    happy, neutral, sad = judge("What a happy, wonderful day!", "The box is on the table.", "I hate this awful day.")
    assert 0 <= happy.value < neutral.value == 0.5 < sad.value <= 1
    assert (happy.hits, neutral.hits, sad.hits) == (0, 0, 1)


def test_answers_stand_in_order_with_their_words_counted() -> None:
    answers = judge("I hate it.", "", "Good")
    assert [(answer.generation_id, answer.words) for answer in answers] == [("0", 3), ("1", 0), ("2", 1)]


def test_the_prompt_is_not_judged() -> None:
    assert judge("")[0].value == 0.5
