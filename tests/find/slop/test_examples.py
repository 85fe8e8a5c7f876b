from planish.find.slop.examples import AROUND, MOST, Example, examples
from planish.records.rule import BanRule
from planish.text.corpus import Document, TextShard

TEXT = BanRule(text="silver light")
NONE = BanRule(text="tapestry")
REGEX = BanRule(text="not just r[a-z]in", kind="regex")


def shard(*texts: str) -> TextShard:
    return TextShard(tuple(map(Document, texts)))


def test_examples_are_the_first_of_the_first_texts_and_from_different_ones() -> None:
    texts = [f"{number}: Silver light, and silver light." for number in range(MOST + 2)]
    assert examples([TEXT, NONE], [shard(*texts[:2]), shard(*texts[2:])]) == [
        [Example(f"{number}: ", "Silver light", ", and silver light.") for number in range(MOST)],
        [],
    ]


def test_of_a_long_text_only_the_surroundings_are_shown_in_one_line() -> None:
    ((example,),) = examples([REGEX], [shard("a" * 100 + ".\nIt was not just rain.\n" + "b" * 100)])
    assert example.hit == "not just rain"
    assert example.before == "…" + ("a" * 100 + ". It was ")[-AROUND:]
    assert example.after == ("." + " " + "b" * 100)[:AROUND] + "…"


def test_in_chinese_a_phrase_is_found_inside_a_sentence() -> None:
    rule = BanRule(text="眼中闪过")
    assert examples([rule], [shard("他眼中闪过一丝光。")]) == [[Example("他", "眼中闪过", "一丝光。")]]


def test_nobody_waits_for_what_lies_far_behind() -> None:
    assert examples([TEXT], [shard("x" * 50, "silver light")], most_characters=40) == [[]]
