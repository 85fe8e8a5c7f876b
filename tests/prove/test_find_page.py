from collections.abc import Sequence
from html.parser import HTMLParser

import pytest
from evidence_lines import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from hand_made_profiles import family_of, profile
from planish.find.slop.examples import MOST, Example
from planish.prove.find_page import ENTRIES_OPEN, MOST_ENTRIES, entries_shown, find_html
from planish.records.corpus_profile import CorpusProfile

VOID = {"meta", "br", "hr", "img", "link", "input"}
# Whatever may make a browser fetch something.
FETCHING = {"src", "href", "xlink:href", "srcset", "action", "data", "poster"}
# What no page can hold, or what turns the direction of writing around.
ODD = "\x1b[31mred\x1b[0m \x00 \ud800 \u202eevil\u2066"
TEXTS = st.text(max_size=30) | st.just(ODD) | st.just(HOSTILE)


class Page(HTMLParser):
    """A page that was read: its tags must all be closed, in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.marked: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] == "mark":
            self.marked.append(data)


def page(*profiles: CorpusProfile, place: Example | None = None, notes: Sequence[str] = ()) -> Page:
    """A page of these, or of one that is hand-made; each entry stands in the same place."""
    shown = profiles or (profile(),)
    found = [[[place] * MOST if place else [] for _ in one.overused[: entries_shown(len(shown))]] for one in shown]
    related = family_of(shown) if len(shown) > 1 else None
    return Page(
        find_html(shown, found, family=related, settings={"seed": 7}, reproduce="planish find stories.txt", notes=notes)
    )


def test_each_entry_stands_with_its_figures_and_its_words_in_context() -> None:
    found = page(place=Example("It was ", "a testament to", " grief."))
    for said in ("a testament to", "1,234", "56", "0.4 to 0.625", "50 ×", "0.31", "0.0123"):
        assert said in found.text
    assert "It was a testament to grief." in found.text
    assert found.marked == ["a testament to"] * 9, "three entries in three places each"


def test_a_page_of_one_source_says_all_that_was_counted() -> None:
    text = page(profile(left_out={"empty": 3, "no text": 1204})).text
    for said in ("8.12", "6.5 to 10.2", "1a2b3c4d", "not X but Y", "variety of words (MATTR)", "0.5 to 0.75"):
        assert said in text
    assert "left out or mended: 3 × empty, 1,204 × no text" in text
    assert "planish find stories.txt" in text
    assert "novels of 1839 to 1929, which count half" in text
    assert "no proof of bad style" in text


def test_a_page_says_that_nothing_was_left_out_or_listed_only_where_it_was_so() -> None:
    assert "Nothing: all of it was read as it stands." in page().text
    assert "Nothing: all of it was read as it stands." not in page(profile(left_out={"empty": 3})).text
    assert "Nothing stands in these texts" in page(profile(overused=[])).text
    assert "Nothing stands in these texts" not in page().text


@pytest.mark.parametrize(("texts", "is_few"), [(1, True), (4, True), (5, False)])
def test_few_texts_are_said_to_conclude_nothing(texts: int, is_few: bool) -> None:
    assert ("cannot be told from" in page(profile(texts=texts)).text) == is_few


def test_the_first_entries_stand_open_more_are_folded_and_the_rest_is_counted() -> None:
    names = [f"tic {number:04}" for number in range(MOST_ENTRIES + 7)]
    found = page(profile(overused=names))
    open_part, folded = found.text.split(f"The next {MOST_ENTRIES - ENTRIES_OPEN}")
    assert names[ENTRIES_OPEN - 1] in open_part
    assert names[ENTRIES_OPEN] not in open_part
    assert names[MOST_ENTRIES - 1] in folded
    assert names[MOST_ENTRIES] not in folded
    assert "7 more stand in the ban file" in folded
    assert "details" not in [tag for tag, _ in page(profile(overused=names[:ENTRIES_OPEN])).tags]


def test_several_sources_stand_side_by_side_with_what_they_share_and_their_tree() -> None:
    everywhere, nearly, alone = "a testament to", "thick with", "tang of"
    found = page(
        profile("a", [everywhere, nearly]), profile("b", [everywhere, nearly]), profile("c", [everywhere, alone])
    )
    shared = found.text.split("What they share")[1].split("What is one’s own")[0]
    own = found.text.split("What is one’s own")[1].split("Who is alike")[0]
    assert everywhere in shared
    assert nearly in shared
    assert alone not in shared
    assert "".join(own.split()).endswith(f"a:nothingb:nothingc:“{alone.replace(' ', '')}”")
    assert [tag for tag, _ in found.tags].count("svg") == 1
    assert "1 stand on all lists, 1 more on most, and 1 are the mark of one source" in found.text
    for source in "abc":
        assert f"{source} overuses" in found.text


def test_a_column_of_the_table_is_of_the_source_that_heads_it() -> None:
    few, many = profile("few", texts=11), profile("many", texts=22)
    for given_order in ((few, many), (many, few)):
        table = "".join(page(*given_order).text.split("Side by side")[1].split("words")[1:3])
        assert table.index("few") < table.index("many")
        assert table.index("11") < table.index("22")


def test_what_only_some_sources_were_measured_on_is_a_dash_for_the_others() -> None:
    other = profile("b").model_copy(update={"figures": ()})
    row = page(profile("a"), other).text.split("variety of words (MATTR)")[1].split("What they share")[0]
    assert row.split() == ["0.6250.5", "to", "0.75", "–"]


def test_hostile_text_stays_text_everywhere() -> None:
    place = Example(HOSTILE, HOSTILE, HOSTILE)
    hostile = profile(HOSTILE, [HOSTILE, "b"], left_out={HOSTILE: 1}, structure=HOSTILE)
    for found in (page(hostile, place=place, notes=[HOSTILE]), page(hostile, profile("b"), place=place)):
        assert "script" not in {tag for tag, _ in found.tags}
        assert found.text.count(HOSTILE) >= 12
        assert HOSTILE in found.marked


@given(TEXTS, TEXTS)
def test_no_text_breaks_a_page(text: str, other: str) -> None:
    place = Example(text, other, text)
    odd = profile(f"a{text}", [f"a{text}", f"b{other}"], left_out={text: 1}, structure=other)
    for found in (page(odd, place=place, notes=[text]), page(odd, profile("plain"), place=place)):
        assert "script" not in [tag for tag, _ in found.tags]
        assert not {"\x00", "\x1b"} & set(found.html)
        found.html.encode("utf-8")


def test_text_that_turns_the_direction_of_writing_stays_in_a_block_of_its_own() -> None:
    place = Example("before \u202e", "hit", " after")
    found = page(profile(overused=["\u202eevil"]), place=place)
    blocks = [tag for tag, attributes in found.tags if attributes.get("dir") == "auto"]
    assert blocks.count("p") == MOST
    assert "th" in blocks


def test_nothing_is_fetched() -> None:
    for found in (page(), page(profile("a"), profile("b"))):
        for _, attributes in found.tags:
            assert not FETCHING & set(attributes)
        assert "url(" not in found.html
        assert "@import" not in found.html


def test_headings_of_rows_and_columns_say_which_they_are_and_labels_lead_somewhere() -> None:
    for found in (page(), page(profile("a"), profile("b"))):
        assert {attributes.get("scope") for tag, attributes in found.tags if tag == "th"} == {"col", "row"}
        ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
        assert len(set(ids)) == len(ids)
        labels = [label or "" for _, attributes in found.tags for label in [attributes.get("aria-labelledby")]]
        assert {name for label in labels for name in label.split()} <= set(ids)


@pytest.mark.parametrize("sources", [1, 3, 60])
def test_a_page_is_small_enough_to_be_sent_whatever_was_read(sources: int) -> None:
    worst = '"' * 10_000_000
    place = Example(worst[:60], worst, worst[:60])
    each = [
        profile(f"{number}{worst[:999]}", [f"{number}-{entry}{worst[:999]}" for entry in range(500 // sources)])
        for number in range(sources)
    ]
    assert len(page(*each, place=place).html.encode()) < 5_000_000


@given(st.integers(1, 10_000))
def test_a_page_never_shows_more_entries_than_it_may_and_some_of_every_source(sources: int) -> None:
    assert entries_shown(sources) >= 1
    assert sources * entries_shown(sources) <= max(MOST_ENTRIES, sources)
