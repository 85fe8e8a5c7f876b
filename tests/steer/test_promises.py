"""What the engine promises, whatever the tokenizer: each test looks at finished texts with a slow reference."""

import random
import re
from collections.abc import Sequence

import pytest
import torch
from custom_steers import Script
from fuzzed_tokenizers import KINDS, UNLISTED, fuzzed_model, words
from random_models import DECODED, VOCABULARY, fresh_logits, random_model
from torch import Tensor

from planish.errors import UsageError
from planish.find.slop import Slop
from planish.models.language_model import LanguageModel
from planish.models.tags import add_tags
from planish.models.tiny import tiny_llama
from planish.records.generation import Generation
from planish.records.prompt import Prompt, opening
from planish.records.rule import BanRule
from planish.steer.ban import Ban
from planish.steer.cache import ColumnCache
from planish.steer.cap import DEAD_END, Cap
from planish.steer.contrast import (
    Amplified,
    Combination,
    Contrast,
    Interpolated,
    LogRatio,
    ProbabilityDifference,
    ProxyTuned,
)
from planish.steer.engine import Engine
from planish.steer.plan import Plan
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.steer.steer import MODEL, Steer
from planish.steer.writing import write
from planish.text.forms import inflected
from planish.text.words import fold
from planish.text.words import words as words_of

SEEDS = range(12)
# In float32 the order of summation, which a batch changes, moves logits of order 1 to 10 by some 1e-5.
TOLERANCE = 1e-4
SAMPLINGS = [
    Sampling(max_tokens=30),
    Sampling(max_tokens=30, top_p=0.7),
    Sampling(max_tokens=20, temperature=0.6, top_k=5),
    Sampling(max_tokens=12, temperature=0),
    Sampling(max_tokens=30, temperature=1.4, min_tokens=5, repetition_penalty=1.2),
]
PATTERNS = [r"\w\W", r"\pN", r"\p{Cyrillic}+", r"[^\x00-\x7f]", r"^\s*\w", r".$", r"\b[a-e]\w*\b", r"e.*a"]


def draws_of(*seed: object) -> random.Random:
    return random.Random(repr(seed))


def prompt_of(model: LanguageModel, draws: random.Random) -> Prompt:
    """A prompt, sometimes one that ends in a special token or is one token long."""
    ids = model.encode(opening(words(draws)))
    turn = model.tokenizer.get_vocab()[UNLISTED]
    first = [] if model.decode(ids[:1]).endswith("\ufffd") else ids[:1]
    whole = draws.choice([ids, [1, *ids], [*ids, 1], [*ids, turn], [turn], [1], first or ids])
    return opening(words(draws)) if whole is ids else Prompt(token_ids=tuple(whole))


def some_rules(texts: Sequence[str], draws: random.Random) -> list[BanRule]:
    """Rules of every kind and option that these texts break; no two of them say the same."""
    rules: dict[str, BanRule] = {}
    text = draws.choice([*filter(None, texts), "the air"])
    for _ in range(draws.randint(1, 6)):
        start = draws.randrange(len(text))
        piece = text[start : start + draws.randint(1, 4)]
        kind = draws.choice(["phrase", "phrase", "phrase", "ngram", "regex"])
        if kind == "phrase" and piece.strip():
            rule = BanRule(text=piece, case_sensitive=draws.random() < 0.3, whole_words=draws.random() < 0.5)
        elif kind == "ngram" and (said := words_of(text)):
            at = draws.randrange(len(said))
            rule = BanRule(text=" ".join(said[at : at + draws.randint(1, 2)]), kind="ngram")
        else:
            rule = BanRule(text=draws.choice(PATTERNS), kind="regex")
        rules.setdefault(fold(rule.text).strip(), rule)
    if draws.random() < 0.5 and (said := words_of(text)) and (word := draws.choice(said)) not in rules:
        rules[word] = BanRule(text=word, inflections=True)
    return [rule for rule in rules.values() if is_sound(rule)]


def is_sound(rule: BanRule) -> bool:
    try:
        Slop([rule])
    except UsageError:
        return False
    return True


def stands_in(rule: BanRule, text: str) -> bool:
    """The slow reference: phrases by a plain search of the text, the others by a scan of the whole of it."""
    if rule.kind != "phrase":
        return bool(Slop([rule]).locate([text])[0])
    straight = (lambda said: said.replace("’", "'")) if rule.case_sensitive else fold
    for form in inflected(rule.text) if rule.inflections else [rule.text]:
        phrase = straight(form.strip() if rule.whole_words else form)
        before = r"(?<!\w)" if rule.whole_words and re.match(r"\w", phrase) else ""
        after = r"(?!\w)" if rule.whole_words and re.search(r"\w$", phrase) else ""
        if re.search(before + re.escape(phrase) + after, straight(text)):
            return True
    return False


def assert_nothing_banned_is_left_uncounted(text: Generation, rules: Sequence[BanRule]) -> None:
    counted = {event.rule for event in text.events if event.let_pass and event.path == 0}
    left = {rule.pattern.name for rule in rules if stands_in(rule, text.text)}
    # What an inflected rule finds may be reported by another rule that says the same.
    same = {rule.pattern.name for rule in rules if rule.inflections}
    assert left - same <= counted
    assert not left or counted


def assert_tokens_are_the_text(model: LanguageModel, text: Generation) -> None:
    """By the tokenizer's own decoding of all that was read and written."""
    assert len(text.char_ends) == len(text.token_ids)
    assert list(text.char_ends) == sorted(text.char_ends)
    assert (text.char_ends[-1] if text.char_ends else 0) == len(text.text)
    front = sure = str(model.tokenizer.decode(list(text.prompt_token_ids), skip_special_tokens=True))
    for count, end in enumerate(text.char_ends, start=1):
        ids = [*text.prompt_token_ids, *text.token_ids[:count]]
        whole = str(model.tokenizer.decode(ids, skip_special_tokens=True))
        if not whole.startswith(sure) and "<0x00>" in model.tokenizer.get_vocab():
            # Such a decoder takes whole characters back when a broken byte follows them, and a stream cannot.
            return
        sure = whole.rstrip("\ufffd")
        assert whole.startswith(front + text.text[:end])
        # What is not there yet ends in a character that still misses some of its bytes, or was cut off.
        is_cut = count == len(text.token_ids) and text.finish == "stop" and text.token_ids[-1] not in model.end_ids
        assert is_cut or whole[len(front) + end :].endswith("\ufffd") or len(whole) == len(front) + end


def assert_events_are_true(text: Generation) -> None:
    assert text.tokens_spent >= len(text.token_ids)
    paths = [text.token_ids, *text.branches]
    for event in text.events:
        assert event.position >= 0
        path = paths[event.path]
        if event.path == 0:
            assert event.position < len(path)
            assert event.replacement == path[event.position]
        else:
            assert event.position <= len(path)
            assert event.replacement in (None, *path[event.position : event.position + 1])
            assert (event.replacement is None) or event.position < len(path)
    gone = [event for event in text.events if not event.let_pass]
    assert len({(event.path, event.position, event.rejected) for event in gone}) == len(gone)
    assert {event.path for event in text.events} >= set(range(1, len(paths)))


def careful(model: LanguageModel, epsilon: float) -> Cap:
    """A cap whose risks depend on the state; the larger `epsilon`, the more dead ends."""
    to_risk = torch.randn(model.width, model.vocabulary, generator=torch.Generator().manual_seed(0))

    def value(hidden: Tensor, tokens: Tensor | None = None) -> Tensor:
        values = -torch.sigmoid(hidden @ to_risk)
        return values if tokens is None else values.gather(1, tokens)

    return Cap(value, epsilon)


# --- what is banned, and what a text is


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_banned_is_left_uncounted_and_records_are_true(kind: str) -> None:
    met = clean = 0
    for seed in SEEDS:
        draws = draws_of(kind, seed)
        model = fuzzed_model(kind, seed % 3)
        prompts = [prompt_of(model, draws) for _ in range(3)]
        sampling = draws.choice(SAMPLINGS)
        plain = Engine(model, sampling=sampling).generate(prompts, samples=2, seed=seed)
        rules = some_rules([text.text for text in plain], draws)
        if draws.random() < 0.5:
            stop = tuple(text.text[3:5] for text in plain if len(text.text) > 4)[:2]
            sampling = sampling.model_copy(update={"stop": stop})
        for text in Engine(model, [Ban(Slop(rules))], sampling).generate(prompts, samples=2, seed=seed):
            assert text.status == "ok"
            assert not any(string in text.text for string in sampling.stop)
            assert_nothing_banned_is_left_uncounted(text, rules)
            assert_events_are_true(text)
            met += bool(text.events)
            clean += bool(text.events) and not any(stands_in(rule, text.text) for rule in rules)
    assert met > 10
    assert clean > 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_what_the_tokenizer_makes_of_its_tokens(kind: str) -> None:
    for seed in SEEDS:
        draws = draws_of(kind, seed)
        model = fuzzed_model(kind, seed % 3)
        prompts = [prompt_of(model, draws) for _ in range(4)]
        for text in Engine(model, sampling=Sampling(max_tokens=40)).generate(prompts, samples=2, seed=seed):
            assert_tokens_are_the_text(model, text)


@pytest.mark.parametrize("kind", KINDS)
def test_written_words_are_what_the_tokenizer_makes_of_their_tokens(kind: str) -> None:
    for seed in SEEDS:
        draws = draws_of(kind, seed)
        model = fuzzed_model(kind, seed % 3)
        ids = list(model.tokenizer(words(draws), add_special_tokens=False)["input_ids"])
        for special in draws.choices([0, 1, len(model.tokenizer) - 1, model.vocabulary - 1], k=3):
            ids.insert(draws.randint(0, len(ids)), special)
        steers = [Script(ids)]
        for text in Engine(model, steers, Sampling(max_tokens=len(ids))).generate([prompt_of(model, draws)], 2):
            assert list(text.token_ids) == ids
            assert_tokens_are_the_text(model, text)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_before_changes_no_text(kind: str) -> None:
    for seed in SEEDS:
        draws = draws_of(kind, seed)
        model = fuzzed_model(kind, seed % 3)
        turn = model.tokenizer.get_vocab()[UNLISTED]
        ids, wanted = ([*model.tokenizer(words(draws), add_special_tokens=False)["input_ids"]] for _ in range(2))
        begun = [(ids[:end], wanted) for end in range(1, len(ids))]
        begun += [(wanted[:end], wanted[end:]) for end in range(1, len(wanted))]
        begun += [(prompt, wanted) for prompt in ([turn], [*ids, turn], [1, turn])]
        draws.shuffle(begun)
        model.pieces.clear()
        together = [written(model, prompt, text) for prompt, text in begun]
        for (prompt, text), before in zip(begun, together, strict=True):
            model.pieces.clear()
            assert written(model, prompt, text) == before


def written(model: LanguageModel, prompt: Sequence[int], text: Sequence[int]) -> str:
    """What these tokens look like behind a prompt."""
    plan = Plan([], Sampling(max_tokens=len(text)))
    row = Row(Prompt(token_ids=tuple(prompt)), 0, 0, {MODEL: prompt}, len(text), plan)
    for token in text:
        write(model, plan, row, token, 1.0)
    return row.text


# --- streams, caps and combinations


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_under_every_steer_at_once_takes_nothing_back(kind: str) -> None:
    rewinds = dead_ends = 0
    for seed in SEEDS:
        draws = draws_of("stream", kind, seed)
        model = fuzzed_model(kind, seed % 3)
        prompt, sampling = prompt_of(model, draws), draws.choice(SAMPLINGS)
        (plain,) = Engine(model, sampling=sampling).generate([prompt], seed=seed)
        rules = some_rules([plain.text], draws)
        soft = [rule.model_copy(update={"strength": 0.5}) for rule in some_rules([plain.text], draws)]
        steers = [Ban(Slop(rules)), careful(model, draws.choice([0.0, 0.3])), Ban(Slop(soft), thinking=False)]
        row = streamed(model, steers, prompt, sampling, seed)
        if len(row.text) > 6:  # the same text again, stopped within it
            sampling = sampling.model_copy(update={"stop": (row.text[4:7],)})
            row = streamed(model, steers, prompt, sampling, seed)
            assert sampling.stop[0] not in row.text
        text = Engine(model, steers).generations([row])[0]
        assert text.status == "ok"
        assert_nothing_banned_is_left_uncounted(text, rules)
        assert_events_are_true(text)
        assert_tokens_are_the_text(model, text)
        rewinds += row.rewinds
        dead_ends += any(event.rule == DEAD_END for event in row.events)
    assert rewinds
    assert dead_ends


def streamed(model: LanguageModel, steers: Sequence[Steer], prompt: Prompt, sampling: Sampling, seed: int) -> Row:
    """Write a row; what was shown stays, and in the end all of it is shown."""
    engine, shown = Engine(model, steers, sampling), ""
    pieces = engine.stream(prompt, seed)
    while True:
        try:
            shown += next(pieces)
        except StopIteration as end:
            row: Row = end.value
            assert shown == row.text
            return row


@pytest.mark.parametrize(
    ("top_p", "rest", "is_tight"), [(1, 0, False), (0.5, 0, False), (1, 0.9, False), (0.5, 0.9, True)]
)
def test_no_token_with_a_cap_of_0_is_drawn_uncounted(
    tiny: LanguageModel, top_p: float, rest: float, is_tight: bool
) -> None:
    forbidden = torch.rand(tiny.vocabulary, generator=torch.Generator().manual_seed(1)) < 0.8
    risks = torch.where(forbidden, -1.0, -rest)

    def value(hidden: Tensor, tokens: Tensor | None = None) -> Tensor:
        return risks.expand(len(hidden), -1) if tokens is None else risks[tokens]

    sampling = Sampling(max_tokens=20, top_p=top_p)
    counted = 0
    for text in Engine(tiny, [Cap(value, 0.0)], sampling).generate([opening("Hello")], samples=20):
        passed = {event.position for event in text.events if event.let_pass and event.rule == DEAD_END}
        drawn = {position for position, token in enumerate(text.token_ids) if forbidden[token]}
        assert drawn <= passed
        counted += len(drawn)
        assert_events_are_true(text)
    assert bool(counted) is is_tight


MODES = [LogRatio(strength=2), ProbabilityDifference(), Amplified(strength=3), Interpolated(share=0.3), ProxyTuned()]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: str(mode.mode))
@pytest.mark.parametrize("sampling", [Sampling(max_tokens=40), Sampling(max_tokens=20, temperature=0, top_p=0.9)])
def test_identical_models_write_what_one_would(mode: Combination, sampling: Sampling) -> None:
    model, same, third = (fuzzed_model.__wrapped__("bytes", 1) for _ in range(3))
    contrast = Contrast(same, mode, plain=third if mode.mode == "proxy_tuned" else None)
    prompts = [opening(words(draws_of("same", number))) for number in range(4)]
    plain = Engine(model, sampling=sampling).generate(prompts, samples=3)
    assert Engine(model, [contrast], sampling).generate(prompts, samples=3) == plain


# --- soft bans and sections


@pytest.mark.parametrize("strength", [0.2, 0.7])
def test_soft_bans_leave_the_share_that_they_promise_in_any_batch(tiny: LanguageModel, strength: float) -> None:
    # The script leaves no other choice: what does not survive is let pass, counted.
    ids = tiny.tokenizer("a lily.")["input_ids"]
    ban = Ban(Slop([BanRule(text="lily", strength=strength)]))

    def survivors(batch_size: int) -> set[int]:
        engine = Engine(tiny, [Script(ids), ban], Sampling(max_tokens=len(ids)), batch_size=batch_size)
        texts = engine.generate([opening("Hello")], samples=count, seed=3)
        assert {text.text for text in texts} == {"a lily."}
        return {text.sample for text in texts if not text.events}

    count = 600
    survived = survivors(600)
    deviation = (count * strength * (1 - strength)) ** 0.5
    assert abs(len(survived) - (1 - strength) * count) < 4 * deviation
    assert survivors(37) == survived


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Hello", "So lily <think>lily </thin lily</think> a lily"),
        ("Hello", "<think> lily lily"),
        ("Go. <think>\n", "lily </think> lily."),
        ("Go. <think>" + "well, " * 20, "lily </think> lily."),
        ("<think>x</think>", "lily"),
    ],
    ids=["in the text", "never closed", "opened by the prompt", "opened long before", "closed by the prompt"],
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by_letters", [False, True])
def test_a_section_of_thinking_is_left_alone(prompt: str, text: str, kind: str, by_letters: bool) -> None:
    model = fuzzed_model(kind, 0)
    parts = [*text] if by_letters and kind != "pieces" else [text]
    ids = [token for part in parts for token in model.tokenizer(part, add_special_tokens=False)["input_ids"]]
    ban = Ban(Slop([BanRule(text="lily")]), thinking=False)
    (out,) = Engine(model, [Script(ids), ban], Sampling(max_tokens=len(ids))).generate([opening(prompt)])
    is_open = prompt.rfind("<think>") > prompt.rfind("</think>")
    outside = re.sub(r"<think>.*?(</think>|$)", "", ("<think>" if is_open else "") + text)
    # The script leaves no other choice, so the ban lets every hit pass.
    assert out.text.endswith(text[1:])
    assert len(out.events) == outside.count("lily")
    assert all(event.let_pass for event in out.events)


@pytest.mark.parametrize("ban_everywhere", [False, True])
def test_a_section_between_special_tokens_is_told_apart_or_refused(ban_everywhere: bool) -> None:
    model = tiny_llama()
    add_tags(model, ["<think>", "</think>"])
    model.model.config.planish_tags = {}
    begin, finish, said = (model.tokenizer(part)["input_ids"] for part in ("<think>", "</think>", " lily."))
    ids = [*said, *finish, *said]
    try:
        ban = Ban(Slop([BanRule(text="lily")]), thinking=ban_everywhere)
        engine = Engine(model, [Script(ids), ban], Sampling(max_tokens=len(ids)))
    except UsageError:
        return
    (text,) = engine.generate([Prompt(token_ids=tuple(begin))])
    # The script leaves no other choice, so the ban lets every hit pass.
    hits = [event.position for event in text.events if event.let_pass]
    assert hits == ([1, len(said) + 2] if ban_everywhere else [len(said) + 2])


# --- what the model has read


@pytest.mark.parametrize("shape", ["llama", "tied", "mistral", "gemma3", "qwen2"])
@torch.no_grad()
def test_long_rows_that_outgrow_their_room_and_go_back_far_are_read_right(shape: str) -> None:
    config = DECODED["llama" if shape == "tied" else shape]()
    config.tie_word_embeddings = shape == "tied"
    model, draws = random_model(config), draws_of(shape)

    def tokens(count: int) -> list[int]:
        return draws.choices(range(3, VOCABULARY), k=count)

    def feed(more: Sequence[Sequence[int]]) -> None:
        hidden = cache.feed(more)
        for index, new in enumerate(more):
            rows[index] += new
            logits = model.head(hidden[index])
            torch.testing.assert_close(logits, fresh_logits(model, rows[index]), atol=TOLERANCE, rtol=0)

    cache = ColumnCache(model)
    rows = [tokens(length) for length in (1, 33, 90)]
    cache.add_rows(rows)
    for _ in range(40):  # one token at a time, past the room of the first pass
        feed([tokens(1) for _ in rows])
    for index, length in enumerate((3, 2, 100)):  # behind the window, all but the whole row, and just a little
        cache.rewind(index, length)
        del rows[index][length:]
    feed([tokens(1) for _ in rows])
    cache.keep_rows([2, 1, 2, 0])
    rows = [[*rows[index]] for index in (2, 1, 2, 0)]
    feed([tokens(count) for count in (70, 1, 9, 20)])
    cache.keep_rows([3, 1])
    rows = [rows[3], rows[1]]
    joining = [tokens(150), tokens(4), []]
    cache.add_rows(joining)
    rows += joining
    for _ in range(10):
        feed([tokens(1) for _ in rows])


@pytest.mark.parametrize("shape", ["llama", "mistral", "gemma3"])
@torch.no_grad()
def test_who_comes_into_the_place_of_a_broken_row_reads_none_of_it(shape: str) -> None:
    model = random_model(DECODED[shape]())
    cache = ColumnCache(model)
    embedding = model.model.get_input_embeddings()
    sound = embedding.weight[5].clone()
    embedding.weight[5] = torch.nan
    cache.add_rows([[*range(3, 5), *range(6, 60)], [5, *range(20, 50)]])
    assert cache.feed([[7], [8]])[1].isnan().all()
    embedding.weight[5] = sound
    cache.wipe(1)
    cache.keep_rows([0])
    cache.add_rows([[*range(40, 44)]])
    hidden = cache.feed([[9], [9]])
    for state, row in zip(hidden, [[3, 4, *range(6, 60), 7, 9], [*range(40, 44), 9]], strict=True):
        torch.testing.assert_close(model.head(state), fresh_logits(model, row), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("shape", ["llama", "mistral", "gemma3", "qwen2"])
@torch.no_grad()
def test_in_half_precision_a_batch_errs_no_more_than_the_model_itself(shape: str) -> None:
    exact, model = random_model(DECODED[shape]()), random_model(DECODED[shape]())
    model.model.to(torch.bfloat16)
    rows = [[*range(3, 3 + length)] for length in (1, 2, 17, 60)]
    cache = ColumnCache(model)
    cache.add_rows([[*row, *range(10, 30)] for row in rows])
    for index, row in enumerate(rows):
        cache.rewind(index, len(row) - 1)
    hidden = cache.feed([row[-1:] for row in rows])
    wanted = torch.stack([fresh_logits(exact, row) for row in rows])
    own = torch.stack([fresh_logits(model, row) for row in rows])
    assert (model.head(hidden) - wanted).abs().max() <= 2 * (own - wanted).abs().max()


# --- odd input


def alone(model: LanguageModel, odd: Prompt, sampling: Sampling | None = None) -> Generation:
    """The text of an odd prompt, next to a usual one whose text must be what it always is."""
    usual, engine = opening("Hello"), Engine(model, sampling=sampling or Sampling(max_tokens=4))
    texts = engine.generate([usual, odd])
    assert texts[0] == engine.generate([usual])[0]
    assert texts[0].status == "ok"
    return texts[1]


@pytest.mark.parametrize("ids", [(), (5, 10**6), (-1,), (259,)], ids=["none", "too large", "negative", "one too many"])
def test_ids_that_the_model_cannot_read_fail_their_row_only(tiny: LanguageModel, ids: tuple[int, ...]) -> None:
    assert alone(tiny, Prompt(token_ids=ids)).status == "failed"


def test_letters_that_the_model_has_no_logits_for_fail_their_row_only() -> None:
    model = tiny_llama()
    model.model.resize_token_embeddings(100)
    assert alone(model, opening("é")).status == "failed"


@pytest.mark.parametrize("odd", [opening(""), Prompt(token_ids=(5,)), Prompt(messages=())])
@pytest.mark.parametrize("max_tokens", [1, 4])
def test_next_to_nothing_is_a_prompt_too(tiny: LanguageModel, odd: Prompt, max_tokens: int) -> None:
    assert alone(tiny, odd, Sampling(max_tokens=max_tokens)).status == "ok"


@pytest.mark.parametrize("ends", [None, [], [2, 10**6]], ids=["no end", "no ends", "an end beyond the logits"])
def test_a_model_may_have_no_end_or_one_that_it_cannot_write(ends: list[int] | None) -> None:
    model = tiny_llama()
    model.tokenizer.eos_token = None
    model.model.generation_config.eos_token_id = ends
    (text,) = Engine(model, sampling=Sampling(max_tokens=5, min_tokens=5)).generate([opening("Hello")])
    assert (text.status, len(text.token_ids)) == ("ok", 5)


@pytest.mark.parametrize("banned", ["a", ",", "…", "\n\n", " ", "\u0301"])
def test_a_rule_of_any_character_is_kept_or_refused(tiny: LanguageModel, banned: str) -> None:
    rule = BanRule(text=banned, whole_words=False)
    ids = tiny.tokenizer(f"x{banned}y")["input_ids"]
    try:
        ban = Ban(Slop([rule]))
    except UsageError:
        return
    (text,) = Engine(tiny, [Script(ids), ban], Sampling(max_tokens=len(ids))).generate([opening("Hello")])
    assert {event.rule for event in text.events} == {banned}


def test_no_rules_ban_nothing(tiny: LanguageModel) -> None:
    sampling = Sampling(max_tokens=8)
    plain = Engine(tiny, sampling=sampling).generate([opening("Hello")])
    assert Engine(tiny, [Ban(Slop([]))], sampling).generate([opening("Hello")]) == plain


def test_a_banned_word_that_the_end_token_completes_is_met(tiny: LanguageModel) -> None:
    (end,) = tiny.end_ids
    ids = [*tiny.tokenizer("a lily")["input_ids"], end]
    ban = Ban(Slop([BanRule(text="lily")]))
    (text,) = Engine(tiny, [Script(ids), ban], Sampling(max_tokens=20)).generate([opening("Hello")])
    assert [(event.rule, event.let_pass) for event in text.events] == [("lily", True)]
