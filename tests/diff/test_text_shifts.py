import re
from html import unescape
from html.parser import HTMLParser

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import planish
from planish.diff.shifted_token import ShiftedToken
from planish.diff.text_shifts import POSITIONS, TextShifts, text_shifts
from planish.errors import DataError, UsageError
from planish.models.language_model import LanguageModel
from planish.models.loading import load_model
from planish.models.scoring import ROWS
from planish.models.tiny import tiny_llama
from planish.records.prompt import writing_prompt
from planish.steer.engine import Engine
from planish.steer.sampling import Sampling

ESCAPE, OVERRIDE, ISOLATE = "\x1b[31m", "\u202e", "\u2067"
HOSTILE = f"</p><script>alert(1)</script> {ESCAPE}red {OVERRIDE}abc {ISOLATE}def \x00 \x85 & \"quoted\" 'x' ]]> </s>"


@pytest.fixture(scope="module")
def other() -> LanguageModel:
    return tiny_llama(seed=1)


class Page(HTMLParser):
    """What a browser would find in a page: the elements, and the text of each token."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.tokens: list[str] = []
        self.notes: list[str] = []
        self.styles: list[str] = []
        self._in_token = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        given = dict(attrs)
        self._in_token = "title" in given
        if self._in_token:
            self.tokens.append("")
            self.notes.append(given["title"] or "")
            self.styles.append(given["style"] or "")

    def handle_endtag(self, tag: str) -> None:
        self._in_token = False

    def handle_data(self, data: str) -> None:
        if self._in_token:
            self.tokens[-1] += data


# --- the rows


@torch.no_grad()
def by_hand(models: tuple[LanguageModel, LanguageModel], prompt: list[int], ids: list[int]) -> list[tuple[float, ...]]:
    """One plain pass of each model: of every token both log-probabilities and both ranks."""
    found = []
    passes = [model.model(torch.tensor([[*prompt, *ids]])).logits[0].log_softmax(-1) for model in models]
    for at, token in enumerate(ids, start=len(prompt) - 1):
        log_probs = [float(each[at, token]) for each in passes]
        ranks = [1 + sum(value > each[at, token] for value in each[at]) for each in passes]
        found.append((*log_probs, *map(float, ranks)))
    return found


def seen(row: ShiftedToken) -> tuple[float, ...]:
    return row.log_prob_before, row.log_prob_after, float(row.rank_before), float(row.rank_after)


def test_the_rows_are_those_of_one_plain_pass_a_text(tiny: LanguageModel, other: LanguageModel) -> None:
    texts = ["A fox.", "x" * (POSITIONS + 5), *(f"Text number {number}" for number in range(ROWS))]
    found = text_shifts(tiny, other, texts).rows
    for number, text in enumerate(texts):
        ids = tiny.tokenizer(text, add_special_tokens=False)["input_ids"]
        own = [row for row in found if row.text_number == number]
        assert [row.token_id for row in own] == ids
        assert [row.position for row in own] == list(range(len(ids)))
        for row, wanted in zip(own, by_hand((tiny, other), [1], ids), strict=True):
            assert seen(row) == pytest.approx(wanted, abs=1e-4)
            assert row.change == pytest.approx(wanted[1] - wanted[0], abs=2e-4)
            assert not row.is_prompt


@torch.no_grad()
def test_the_likeliest_tokens_of_both_models_stand_beside(tiny: LanguageModel, other: LanguageModel) -> None:
    row = text_shifts(tiny, other, ["ab"], top=3).rows[1]
    prefix = torch.tensor([[1, *tiny.tokenizer("a", add_special_tokens=False)["input_ids"]]])
    for model, top in ((tiny, row.top_before), (other, row.top_after)):
        wanted = model.model(prefix).logits[0, -1].log_softmax(-1).topk(3)
        assert [each.token_id for each in top] == wanted.indices.tolist()
        assert [each.log_prob for each in top] == pytest.approx(wanted.values.tolist(), abs=1e-4)


def test_a_model_shifts_nothing_against_itself(tiny: LanguageModel) -> None:
    rows = text_shifts(tiny, tiny, ["Once upon a time."]).rows
    assert rows
    assert all(row.change == 0 for row in rows)
    assert all(row.top_before == row.top_after for row in rows)


@settings(max_examples=25)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(lambda text: "\ufffd" not in text))
def test_no_character_is_lost_or_doubled(text: str) -> None:
    model = tiny_llama()
    rows = text_shifts(model, model, [text]).rows
    assert "".join(row.text for row in rows) == text
    # This tokenizer has a token a byte.
    assert [len(row.text) for row in rows] == [
        int(at + 1 == len(char.encode())) for char in text for at in range(len(char.encode()))
    ]


TRICKY = "  The fox — naïve,\n\n\tran.  \n"


def test_spaces_and_line_feeds_of_a_real_tokenizer_are_kept() -> None:
    model = load_model("bundled")
    assert "".join(row.text for row in text_shifts(model, model, [TRICKY]).rows) == TRICKY


def test_a_tokenizer_with_bytes_beside_characters_shows_each_once(stories: LanguageModel) -> None:
    text = f"{TRICKY} 🦊 é"
    rows = text_shifts(stories, stories, [text]).rows
    # Its normaliser puts a space in front.
    assert "".join(row.text for row in rows).lstrip() == text.lstrip()
    assert any(not row.text for row in rows)


def test_a_generation_is_read_after_its_own_prompt(tiny: LanguageModel, other: LanguageModel) -> None:
    written = Engine(tiny, sampling=Sampling(max_tokens=12)).generate([writing_prompt("Write.")])[0]
    failed = written.model_copy(update={"status": "failed"})
    rows = text_shifts(tiny, other, [failed, written]).rows
    assert {row.text_number for row in rows} == {1}
    wanted = by_hand((tiny, other), list(written.prompt_token_ids), list(written.token_ids))
    assert [seen(row) for row in rows] == [pytest.approx(each, abs=1e-4) for each in wanted]


def test_the_prompt_is_shown_only_where_it_is_asked_for(tiny: LanguageModel, other: LanguageModel) -> None:
    secret, answer = "My code is swordfish.", "Noted."
    without = text_shifts(tiny, other, [answer], [secret])
    beside = text_shifts(tiny, other, [answer], [secret], with_prompts=True)
    assert "".join(row.text for row in without.rows) == answer
    assert secret in "".join(row.text for row in beside.rows if row.is_prompt)
    assert "".join(row.text for row in beside.rows if not row.is_prompt) == answer
    # The answer is read after the prompt either way.
    own = [row for row in beside.rows if not row.is_prompt]
    assert [row.change for row in own] == pytest.approx([row.change for row in without.rows], abs=1e-4)
    assert "".join(Page(without.html()).tokens) == answer


def test_models_with_different_tokenizers_are_refused(tiny: LanguageModel) -> None:
    with pytest.raises(UsageError, match="'tiny' and 'bundled' have different tokenizers"):
        text_shifts(tiny, load_model("bundled"), ["A fox."])


def test_what_cannot_be_compared_is_refused_in_one_line(tiny: LanguageModel, other: LanguageModel) -> None:
    with pytest.raises(DataError, match="none has a token"):
        text_shifts(tiny, other, [""])
    with pytest.raises(DataError, match="text 2 has 601 tokens with its prompt, and 'tiny' reads 512"):
        text_shifts(tiny, other, ["a", "x" * 600])
    with pytest.raises(UsageError, match="1 texts and 2 prompts"):
        text_shifts(tiny, other, ["a"], ["b", "c"])


# --- the page


def test_a_page_shows_each_text_whole_with_its_values(tiny: LanguageModel, other: LanguageModel) -> None:
    shifts = text_shifts(tiny, other, ["A fox, naïve\n ran.", "Two"])
    page = Page(shifts.html())
    assert "".join(page.tokens) == "A fox, naïve\n ranTwo".replace("ranTwo", "ran.Two")
    # Two bytes make one character, which is shown once, and both are told about.
    accented = page.notes[page.tokens.index("ï")]
    assert accented.count("rank") == 4
    first = shifts.rows[0]
    assert f"rank {first.rank_before}: " in page.notes[0]
    assert f"{first.log_prob_after:.2f}".replace("-", "−") in page.notes[0]


def test_hostile_text_is_harmless(tiny: LanguageModel, other: LanguageModel) -> None:
    shifts = text_shifts(tiny, other, [HOSTILE], [HOSTILE], with_prompts=True)
    html = TextShifts(HOSTILE, f'"><img src=x onerror=alert(1)>{ESCAPE}', shifts.rows).html()
    page = Page(html)
    assert page.elements == {"div", "style", "p", "b", "span", "section"}
    assert page.attributes == {"class", "style", "title", "aria-label", "tabindex", "role", "dir"}
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", unescape(html))
    # A browser gives back the same text, with a sign in place of each character that it would have obeyed.
    assert "".join(page.tokens).endswith("'x' ]]> </s>")
    assert '<script>alert(1)</script> ␛[31mred <U+202E>abc <U+2067>def ␀ <U+0085> & "quoted"' in "".join(page.tokens)


def test_a_page_needs_nothing_from_elsewhere(tiny: LanguageModel, other: LanguageModel) -> None:
    html = text_shifts(tiny, other, ["A fox."]).html()
    assert not re.search(r"https?:|url\(|@import|<script|<link|\bon\w+=", html)


def row(change: float, text: str = "a") -> ShiftedToken:
    return ShiftedToken(
        text_number=0,
        position=0,
        token_id=5,
        text=text,
        is_special=False,
        is_prompt=False,
        change=change,
        log_prob_before=-3,
        log_prob_after=-3 + change,
        rank_before=2,
        rank_after=1,
        top_before=(),
        top_after=(),
    )


def colours(changes: list[float], clip_nats: float) -> list[list[int]]:
    page = Page(TextShifts("a", "b", [row(change) for change in changes]).html(clip_nats))
    found = [re.search("background: #(..)(..)(..)", style) for style in page.styles]
    return [[int(part, 16) for part in match.groups()] for match in found if match]


def test_the_colour_grows_with_the_change_up_to_the_clip_and_shows_its_sign() -> None:
    none, small, large, clipped, beyond, lost = colours([0, 0.5, 1.5, 2, 9, -2], clip_nats=2)
    assert none == [255, 255, 255]
    assert none > small > large > clipped == beyond
    # Likelier is bluish, less likely is reddish, and neither is green.
    assert clipped[2] > clipped[0]
    assert lost[0] > lost[2]
    assert colours([0.5], clip_nats=0.5) == [clipped]


def test_a_token_has_a_line_below_it_by_its_sign_so_that_grey_says_it_too() -> None:
    html = TextShifts("a", "b", [row(0.5), row(0), row(-0.5)]).html()
    kinds = re.findall(r'<span role="group" tabindex="0"(?: class="(\w+)")?', html)
    assert kinds == ["likelier", "", "less"]


def test_the_heading_sums_up_the_text_and_not_its_prompt() -> None:
    rows = [row(9).model_copy(update={"is_prompt": True}), row(0.5), row(-0.75)]
    assert "Text 1: 2 tokens, −0.25 nats in all, −0.12 each" in TextShifts("a", "b", rows).html()


def test_nothing_that_rounds_to_0_has_a_sign() -> None:
    page = Page(TextShifts("a", "b", [row(-0.001)]).html())
    assert page.notes[0].startswith("“a” 0.00 nats")


@pytest.mark.parametrize("clip", [0, -1, float("nan")])
def test_a_clip_that_leaves_no_colours_is_refused(clip: float) -> None:
    with pytest.raises(UsageError, match="leaves no colours"):
        TextShifts("a", "b", [row(1)]).html(clip)


def test_from_python_models_go_by_name_and_a_notebook_shows_the_page(tiny: LanguageModel) -> None:
    shifts = planish.text_shifts("tiny", tiny, "A fox.")
    assert [each.change for each in shifts.rows] == [0] * len("A fox.")
    assert shifts._repr_html_() == str(shifts.html())
    assert "".join(Page(shifts._repr_html_()).tokens) == "A fox."
