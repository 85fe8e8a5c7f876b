import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.find.structures import STRUCTURES, Structures
from planish.records.prompt import opening
from planish.records.score import Sample, Score
from planish.text.rules import RuleMatcher
from planish.text.span import longest_without_overlap

MATCHES = {
    "not X but Y": [
        "It was not a warning, but a promise.",
        "He came not with a sword but with a song.",
        "Not because he was brave, but because he was tired.",
        "She felt not fear, but relief.",
        "What she wanted was not the crown but rather the road.",
    ],
    "not just X but Y": [
        "It was not just a house, but a home.",
        "It wasn’t just the cold; it was the silence.",
        "This isn't merely a job—it's a calling.",
        "They were not only late but also lost.",
        "He didn't simply leave, he was gone.",
    ],
    "it isn't X, it's Y": [
        "It wasn't fear, it was hunger.",
        "This isn’t a game—it’s a war.",
        "It is not a door; it is a mirror.",
        "They weren't soldiers, they were children.",
        "That's not rain, that's ash.",
    ],
    "not about X, about Y": [
        "It's not about winning, it's about trying.",
        "It wasn’t about the money—it was about the name.",
        "Love isn't about keeping but about letting go.",
        "It is not really about us, it's about them.",
    ],
    "A, B, and C": [
        "It smelled of salt, smoke, and old wood.",
        "Red, white, and blue.",
        "He was tired, hungry, and alone.",
        "They wanted the gold, the crown, or the girl.",
    ],
    "dash": ["She waited—and waited.", "He paused -- then spoke.", "The door--old as it was--held.", "Dusk – at last."],
    "stock opener": [
        "And yet she stayed.",
        "“But then he laughed.",
        "In that moment, she knew.",
        "Somewhere, a dog barked.",
        "For a long moment nobody spoke.",
    ],
    "participle opener": [
        "Turning the page, she sighed.",
        "“Clutching the letter to her chest, Mara ran.",
        "Smiling, he turned away.",
        "Breathing hard, the boy stopped.",
        "Wandering the halls, they lost the way.",
    ],
    "trailing participle": [
        "She rose, smoothing her skirt.",
        "The light fell through the blinds, casting a pattern on the floor.",
        "He stared at her, slowly shaking in the wind.",
        "It drifted past, carrying the smell of rain, and was gone.",
    ],
    "question to itself": [
        "The result? Chaos.",
        "“And the worst part? He knew.",
        "His answer? Silence.",
        "But the real problem? Money.",
    ],
    "something shifted": [
        "Something shifted.",
        "Something in her chest loosened.",
        "Then something inside him had quietly snapped.",
        "She felt that something had changed.",
    ],
    "like a X that Y": [
        "It rose like a song that nobody sang.",
        "He moved like a man who had lost everything.",
        "Hope sat there like an old dog that waits.",
        "It hummed like a wire which was cut.",
    ],
    "like X, but Y": [
        "It smelled like rain, but slower.",
        "It was like her voice, but older.",
        "He looked like his father, but thinner.",
        "It felt like falling, but in reverse.",
    ],
    "a mix of X and Y": [
        "She felt a mix of fear and wonder.",
        "He wore a strange mixture of pride and shame.",
        "It was a blend of old stone and new glass.",
        "An odd combination of salt and sugar.",
    ],
}
NEAR_MISSES = {
    "not X but Y": [
        "He did not know, but he would learn.",
        "She was not there.",
        "Nothing but the truth.",
        "It was a warning, but not a threat.",
        "It was not a warning. But the sky was dark.",
    ],
    "not just X but Y": [
        "It was just a house, but it stood.",
        "Not just now, thank you.",
        "He did not leave, but he was silent.",
        "It was not only late.",
        "She had just come, not gone.",
    ],
    "it isn't X, it's Y": [
        "It was fear, it was hunger.",
        "It wasn't fear.",
        "It wasn't raining when they left.",
        "She said it was not, and left.",
    ],
    "not about X, about Y": [
        "It's about winning, not losing.",
        "It was not about to rain.",
        "She told him about it, not about me.",
        "It's not about winning.",
    ],
    "A, B, and C": [
        "Salt and smoke.",
        "Salt, and then smoke.",
        "Salt, smoke and wood.",
        "He came, and she left, laughing.",
    ],
    "dash": ["A well-known man.", "It costs 3-4 coins.", "----------", "- one item"],
    "stock opener": [
        "She stayed, and yet she left.",
        "Butter then.",
        "He knew in that moment what it was.",
        "Somewhere else it rained.",
    ],
    "participle opener": [
        "During the night, he woke.",
        "Nothing in the house, she thought, had moved.",
        "She left, smiling at him, he said.",
        "Turning the page was hard.",
        "Something in the dark, he knew, was awake.",
    ],
    "trailing participle": [
        "She was smoothing her skirt.",
        "He left, during the night, without a word.",
        "There was nothing, nothing in the house.",
        "She left, smiling.",
    ],
    "question to itself": [
        "What was the result?",
        "The result was chaos.",
        "The result of the vote?",
        "Is that the answer?",
    ],
    "something shifted": [
        "The crowd shifted.",
        "He shifted something heavy.",
        "Something is here.",
        "Some things changed.",
    ],
    "like a X that Y": [
        "I like a good song.",
        "It rose like a song.",
        "He would like that.",
        "She sang like a bird. That was all.",
    ],
    "like X, but Y": [
        "It smelled like rain.",
        "I like it but not now.",
        "It was cold, but dry.",
        "He ran like mad. But she stayed.",
    ],
    "a mix of X and Y": [
        "A mix of feelings.",
        "Mix flour and salt.",
        "The mixture cooled and set.",
        "A kind of fear and wonder.",
    ],
}


def found(text: str) -> set[str]:
    """All of them, those inside others too."""
    names = {structure.pattern.name: structure.name for structure in STRUCTURES}
    return {names[span.rule] for span in RuleMatcher(structure.pattern for structure in STRUCTURES).locate(text)}


def test_every_structure_has_a_name_of_its_own_examples_and_near_misses() -> None:
    names = [structure.name for structure in STRUCTURES]
    assert sorted(set(names)) == sorted(names) == sorted(MATCHES) == sorted(NEAR_MISSES)
    assert all(len(texts) >= 4 for texts in (*MATCHES.values(), *NEAR_MISSES.values()))


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in MATCHES.items() for text in texts])
def test_a_structure_is_found_behind_another_sentence_too(name: str, text: str) -> None:
    assert name in found(text)
    assert name in found(f"He went home. {text} So it was.")


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in NEAR_MISSES.items() for text in texts])
def test_what_looks_like_a_structure_is_none(name: str, text: str) -> None:
    assert name not in found(text)


@given(st.lists(st.sampled_from([text for texts in MATCHES.values() for text in texts]), max_size=6))
def test_score_locate_and_matcher_agree(sentences: list[str]) -> None:
    structures, text = Structures(), " ".join(sentences)
    (spans,) = structures.locate([text])
    matcher = structures.matcher()
    match = matcher.feed(matcher.start, text)
    assert longest_without_overlap(match.spans + matcher.finish(match.state)) == spans
    (score,) = structures.score([Sample(opening(""), text)])
    assert isinstance(score, Score)
    assert (score.behaviour, score.spans, score.hits) == ("structures", tuple(spans), len(spans))


def test_spans_go_by_the_name_of_the_structure() -> None:
    (spans,) = Structures().locate(["It was cold. It was not just rain, but snow."])
    assert [span.rule for span in spans] == ["not just X but Y"]
