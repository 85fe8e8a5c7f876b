import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from wordfreq import top_n_list, word_frequency

from planish.find.slop import Slop, find_slop
from planish.records.prompt import opening
from planish.records.rule import BanRule
from planish.records.score import Sample, Score
from planish.text.span import Span, longest_without_overlap
from planish.text.words import FUNCTION_WORDS

TEXTS = st.text("abAé -'’_.", max_size=30)
PHRASES = st.lists(st.text("abé '-", min_size=1, max_size=5), max_size=5)
NO_PROMPT = opening("")


def human_texts(number: int = 100, length: int = 100) -> list[str]:
    """Words drawn as often as people use them: nothing in them is overused."""
    vocabulary = top_n_list("en", 20_000)
    weights = np.array([word_frequency(word, "en") for word in vocabulary])
    draws = np.random.default_rng(0).choice(vocabulary, (number, length), p=weights / weights.sum())
    return [" ".join(text) for text in draws]


def listed(texts: list[str], prompt: str = "") -> list[str]:
    return [rule.text for rule in find_slop([Sample(opening(prompt), text) for text in texts])]


def slop_of(phrases: list[str]) -> Slop:
    return Slop([BanRule(text=phrase) for phrase in phrases])


def scores_of(slop: Slop, texts: list[str]) -> list[Score]:
    answers = slop.score([Sample(NO_PROMPT, text) for text in texts])
    return [answer for answer in answers if isinstance(answer, Score)]


@given(PHRASES, st.lists(TEXTS, max_size=3))
def test_score_locate_and_matcher_agree(phrases: list[str], texts: list[str]) -> None:
    slop = slop_of(phrases)
    matcher = slop.matcher()
    scores = scores_of(slop, texts)
    assert len(scores) == len(texts)
    for text, spans, score in zip(texts, slop.locate(texts), scores, strict=True):
        match = matcher.feed(matcher.start, text)
        assert spans == longest_without_overlap(match.spans + matcher.finish(match.state))
        assert (score.hits, list(score.spans)) == (len(spans), spans)


@given(PHRASES, TEXTS)
@example(["a", "b"], "a-b")
def test_a_value_is_a_share(phrases: list[str], text: str) -> None:
    (score,) = scores_of(slop_of(phrases), [text])
    assert 0 <= score.value <= 1


def test_the_value_is_the_share_of_words_inside_a_hit() -> None:
    (score,) = scores_of(slop_of(["once upon a time", "upon", "lily"]), ["Once upon a time, Lily didn't cry at all."])
    assert [span.rule for span in score.spans] == ["once upon a time", "lily"]
    assert (score.hits, score.words, score.value) == (2, 9, 5 / 9)


def test_a_word_that_is_hit_twice_is_one_word() -> None:
    (score,) = scores_of(slop_of(["well", "known"]), ["a well-known cat"])
    assert (score.hits, score.words, score.value) == (2, 3, 1 / 3)


def test_a_version_tells_lists_apart_and_not_their_order() -> None:
    assert slop_of(["a", "b"]).version == slop_of(["b", "a"]).version != slop_of(["a"]).version


def test_texts_that_say_nothing_too_often_list_nothing() -> None:
    assert listed(human_texts()) == []


def test_a_planted_word_is_listed_with_its_counts() -> None:
    texts = human_texts()
    (rule,) = find_slop([Sample(NO_PROMPT, f"{text} Tapestry, tapestry.") for text in texts])
    count = sum(text.split().count("tapestry") for text in texts) + 200
    assert rule.text == "tapestry"
    assert rule.reason.startswith(f"{count} times in ")
    assert "in 100 of 100 texts" in rule.reason


def test_a_planted_phrase_is_listed_once_and_not_its_parts() -> None:
    assert listed([f"Once upon a time, {text}" for text in human_texts()]) == ["once upon a time"]


def test_a_word_that_is_overused_by_itself_stands_for_the_phrases_around_it() -> None:
    texts = [f"{text}. A rich tapestry of. Tapestry. Tapestry. Tapestry" for text in human_texts()]
    assert listed(texts) == ["tapestry"]


def test_the_most_overused_comes_first() -> None:
    texts = [f"{text}. Tapestry. Testament. Tapestry." for text in human_texts()]
    assert listed(texts) == ["tapestry", "testament"]


def test_function_words_are_nobodys_tic() -> None:
    assert listed(["The the the. It was the. It's it’s he's it's it’s. It's."] * 100) == []


def test_words_of_the_prompt_are_excused() -> None:
    assert listed([f"{text}. Lily. Lily." for text in human_texts()], prompt="A story about Lily") == []
    assert listed([f"{text}. Lily's. Lily's." for text in human_texts()], prompt="A story about Lily") == []


def test_a_possessive_is_the_word_itself() -> None:
    assert listed([f"{text}. Lily. Lily's. Lily’s." for text in human_texts()]) == ["lily"]


def test_one_strange_text_lists_nothing() -> None:
    for others in (human_texts(number=5), human_texts(number=100)):
        assert [entry for entry in listed([*others, "zyzzyva " * 50]) if "zyzzyva" in entry] == []


@given(
    st.lists(st.sampled_from(["lily", "Lily's", "_luna_", "well-known", "once upon a time", "İzmir", "."]), min_size=1)
)
def test_whatever_is_listed_is_found_in_the_texts(said: list[str]) -> None:
    text = " ".join(said)
    for rule in find_slop([Sample(NO_PROMPT, text)] * 30):
        assert Slop([rule]).locate([text])[0] != [], rule.text


def test_a_hit_is_the_longest_of_those_that_begin_first() -> None:
    assert slop_of(["a b", "a b c", "b c d"]).locate(["a b c d"]) == [[Span(0, 5, "a b c")]]


def test_the_list_of_function_words_is_in_lower_case() -> None:
    assert all(word == word.lower() for word in FUNCTION_WORDS)
