"""For each kind: a constraint, texts that follow it, and texts that do not, as near to the line as can be."""

from typing import NamedTuple


class HandMade(NamedTuple):
    spelled: str
    passing: tuple[str, ...]
    failing: tuple[str, ...]


TEXTS = (
    # Length.
    HandMade(
        'at_least_words{"count": 4}',
        ("One two three four.", "I don't well-known it.", "a b c d e"),
        ("One two three.", "don't-you-dare is one", "— … ! ?"),
    ),
    HandMade(
        'at_most_words{"count": 3}',
        ("One two three.", "One.", "It isn't well-known."),
        ("One two three four.", "a b c d e", "1 2 3 4"),
    ),
    HandMade(
        'exactly_words{"count": 3}',
        ("One two three.", "It isn't mine.", "a — b, c!"),
        ("One two.", "One two three four.", "one"),
    ),
    HandMade(
        'between_words{"least": 2, "most": 3}',
        ("One two.", "One two three.", "a, b"),
        ("One.", "One two three four.", "a b c d e f"),
    ),
    HandMade(
        'at_least_sentences{"count": 3}',
        ("A b. C d! E f?", "one\ntwo\nthree", "Go. “Why?” he asked. She left… Then he did."),
        ("A b. C d!", "Dr. No met Mr. Who. He left.", "“Go now, please!” he said. Yes."),
    ),
    HandMade(
        'at_most_sentences{"count": 2}',
        ("A b. C d!", "Dr. No met Mrs. J. R. Who. He left.", "It cost 3.50 at example.com."),
        ("A b. C d. E f.", "one\ntwo\nthree", "Why? Why? Why?"),
    ),
    HandMade(
        'exactly_sentences{"count": 2}',
        ("A b. C d.", "He came at 5 p.m. today. Good.", "She waited... and waited. He came."),
        ("A b.", "A b. C d. E f.", "Nothing, e.g. Nothing else"),
    ),
    HandMade(
        'at_least_paragraphs{"count": 2}',
        ("One.\n\nTwo.", "One.\n \nTwo.\n\nThree.", "One,\nand more.\n\n\n\nTwo."),
        ("One.\nTwo.", "\n\nOne.\n\n", "One.\n\n***\n\n"),
    ),
    HandMade(
        'exactly_paragraphs{"count": 2}',
        ("One.\n\nTwo.", "One.\n\n***\n\nTwo.", "\nOne,\nmore.\n\nTwo.\n"),
        ("One.", "One.\n\nTwo.\n\nThree.", "One.\nTwo."),
    ),
    HandMade(
        'at_least_lines{"count": 2}', ("One.\nTwo.", "One.\n\nTwo.", "a\nb\nc"), ("One. Two.", "\nOne.\n", "a\n \n")
    ),
    HandMade(
        'exactly_lines{"count": 2}', ("One.\nTwo.", "One.\n\nTwo.\n", "a\n \nb"), ("One.", "a\nb\nc", "\n\nTwo\n\n")
    ),
    HandMade('at_least_characters{"count": 5}', ("abcde", "a b c", " a b cd "), ("abcd", " abcd ", "a b ")),
    HandMade('at_most_characters{"count": 5}', ("abcde", " abcde\n", "a"), ("abcdef", "a b cd", "a\nb\ncd")),
    HandMade(
        'longest_sentence_at_most{"count": 3}',
        ("One two three. Four.", "a b c\nd e f", "Mr. No left. Good."),
        ("One two three four.", "A. One two three four! B.", "Ask Mr. No now."),
    ),
    HandMade(
        'shortest_sentence_at_least{"count": 3}',
        ("One two three. Four five six.", "Ask Mr. No now.", "a b c d"),
        ("One two three. Four five.", "Go.", "a b c\nd"),
    ),
    # Keywords.
    HandMade(
        'contains_words{"keywords": ["sea", "fog"]}',
        ("The sea, the fog.", "FOG over the SEA", "fog-bound? no: fog, sea"),
        ("The sea.", "The seas, the fog.", "seafog"),
    ),
    HandMade(
        'avoids_words{"keywords": ["sea", "fog"]}',
        ("The lake lies here.", "He is seasick now.", "foggy it was here"),
        ("The sea lies here.", "So FOG it was.", "Was it “fog”?"),
    ),
    HandMade(
        'word_at_least{"count": 2, "keyword": "sea"}',
        ("Sea and sea.", "sea, SEA, sea", "the sea: a sea"),
        ("The sea.", "sea seas seal", "seasea and sea"),
    ),
    HandMade(
        'word_exactly{"count": 2, "keyword": "sea"}',
        ("Sea and sea.", "SEA, the sea, seas", "sea sea"),
        ("The sea.", "sea sea sea", "the seas"),
    ),
    HandMade(
        'phrase_exactly{"count": 1, "phrase": "so it is"}',
        ("And so it is.", "SO IT IS, he said", "so it is; so it isn’t"),
        ("And so it was.", "so it is, so it is", "also it is"),
    ),
    HandMade(
        'first_word{"keyword": "once"}',
        ("Once there was one.", "“Once!” he said", "ONCE"),
        ("There once was one.", "Oncemore it came", "One day"),
    ),
    HandMade(
        'last_word{"keyword": "home"}',
        ("He went home.", "and “Home!”", "home"),
        ("He went home now.", "at homes", "home is there"),
    ),
    HandMade(
        'word_before_word{"first": "sea", "second": "fog"}',
        ("The sea, the fog.", "sea fog sea", "Sea! And fog, fog."),
        ("The fog, the sea.", "The sea.", "fog sea fog"),
    ),
    HandMade(
        'every_sentence_contains{"keyword": "sea"}',
        ("The sea. A sea!", "Sea? SEA. It is the sea.", "sea\nsea"),
        ("The sea.", "The sea. A fog.", "The sea. The seas."),
    ),
    HandMade(
        'every_paragraph_contains{"keyword": "sea"}',
        ("The sea.\n\nA sea. Yes.", "Oh. Sea.\n\nsea\n\nsea", "sea\n\n***\n\nsea"),
        ("The sea.", "The sea.\n\nA fog.", "sea\nsea"),
    ),
    HandMade(
        'paragraph_begins{"keyword": "then", "number": 2}',
        ("One.\n\nThen two.", "a\n\nthen b\n\nc", "a\n\n“Then!” he said"),
        ("Then one.\n\nTwo.", "One.\nThen two.", "One.\n\nAnd then two."),
    ),
    # Letters.
    HandMade(
        'letter_at_least{"count": 3, "letter": "z"}',
        ("Zigzag jazz.", "z z z", "Pizza and Zen"),
        ("Pizza.", "zig zag", "Z z"),
    ),
    HandMade(
        'letter_at_most{"count": 2, "letter": "e"}',
        ("Even so.", "Eel", "none is mad"),
        ("Eleven.", "E e e", "here we sit"),
    ),
    HandMade(
        'no_letter{"letter": "e"}',
        ("A lipogram has its own charm.", "sky and fog", "É is not it"),
        ("The sky.", "A lot of Energy in it", "one by two"),
    ),
    HandMade(
        'sentences_begin_with_letter{"letter": "a"}',
        ("A b c. And d.", "all\nare\nable", "“Ah!” she said. Again."),
        ("A b c.", "A b c. But d.", "He said. And d."),
    ),
    HandMade(
        'no_words_longer_than{"count": 5}',
        ("House by the lake.", "don't go far", "a bb ccc dddd"),
        ("Houses by the lake.", "Some well-known man", "We can't've it"),
    ),
    HandMade(
        'alliteration{"count": 3}',
        ("Peter picks pears.", "A big Bad bug", "so: sea, sun, sky"),
        ("Peter picks apples.", "pea pod and pan", "1 12 13 is no letter"),
    ),
    HandMade(
        'acrostic{"keyword": "sun"}',
        ("So it is.\nUp it goes.\nNow.", "S\n\nu\nn", "- see\n- us\n- now"),
        ("So it is.\nUp it goes.", "Sun up now", "s\nu\nn\ns"),
    ),
    # Case.
    HandMade(
        "all_lowercase", ("all of it is small.", "no 1 is here!", "straße, été"), ("All of it.", "not Me", "so said É")
    ),
    HandMade("all_uppercase", ("ALL OF IT IS LOUD.", "NO 1 IS HERE!", "ÉTÉ"), ("aLL OF IT.", "NOT ME, no", "SO é")),
    HandMade(
        "title_case",
        ("This Is A Title.", "Don't And Up-to-date", "In 1999 And After"),
        ("This Is a Title.", "THIS Is It", "this Is It"),
    ),
    HandMade(
        'capital_words_at_least{"count": 2}',
        ("It is VERY LOUD.", "OH NO OH", "a BIG, BIG one"),
        ("It is VERY loud.", "I A B C", "Not Once Here"),
    ),
    HandMade(
        'exactly_capital_words{"count": 1}',
        ("It is VERY loud.", "I said NO!", "A BIG one"),
        ("It is loud.", "It is VERY LOUD.", "I am Here"),
    ),
    HandMade(
        "capitals_only_begin_sentences",
        ("It was he. Then i came.", "“So it was,” said anna.", "One\nTwo"),
        ("It was Anna.", "Then I came.", "it was he."),
    ),
    HandMade(
        "paragraphs_open_in_capitals",
        ("ONCE there was one.\n\nTHEN two came.", "A boy came.", "“OH!” he said"),
        ("Once there was one.", "ONCE there was.\n\nThen two.", "ALL OF IT"),
    ),
    # Punctuation.
    HandMade("no_commas", ("None here.", "a; b; c", "1.000 and more"), ("One, two.", "1,000 of it", "这\uff0c是")),
    HandMade("no_full_stops", ("None here!", "and so on…", "what for?"), ("One.", "3.5 of it", "Mr. No!")),
    HandMade(
        "no_apostrophes",
        ("It is not mine.", "cannot go", "the well-known one"),
        ("It isn't mine.", "Anna’s cat", "‘Go,’ he said"),
    ),
    HandMade("question", ("Why?", "“Why?” he said.", "So?!"), ("Why.", "see a?b=c now", "so ?")),
    HandMade(
        'exactly_questions{"count": 2}',
        ("Why? How?", "Why?? And “how?” he said.", "What? No. Who?!"),
        ("Why?", "Why? How? Who?", "a?b and why?"),
    ),
    HandMade('exclamation_marks_at_least{"count": 2}', ("Oh! No!", "Oh!!", "a! b! c!"), ("Oh! No.", "none", "so!")),
    HandMade("every_sentence_exclaims", ("Oh! No!", "“Oh!” he said!", "Go!\nNow!"), ("Oh! No.", "Oh!\nNo", "Why?")),
    HandMade(
        "dialogue", ('"Go," he said.', "“Go.”", "He said „ja“ to it"), ("He said go.", 'It is 5" wide', '"!" and ""')
    ),
    HandMade(
        'dashes_at_least{"count": 2}',
        ("One — two — three.", "a—b—c", "so — it — was — so"),
        ("One — two.", "One - two - three", "a -- b -- c"),
    ),
    HandMade('semicolons_at_least{"count": 1}', ("One; two.", "a; b; c", "so;"), ("One, two.", "One: two", "one")),
    HandMade(
        'parentheses_at_least{"count": 1}',
        ("One (two).", "(a) and (b)", "so (it was so)"),
        (
            "One two.",
            "One (two",
            "One ()",
        ),
    ),
    HandMade('ellipses_at_least{"count": 1}', ("And so…", "And so... on", "a… b… c"), ("And so.", "And so..", "so on")),
    # Layout.
    HandMade(
        'bullets_exactly{"count": 2}',
        ("- a\n- b", "So:\n* a\n* b\nDone.", "  • a\n\n  • b"),
        ("- a", "- a\n- b\n- c", "-a\n-b"),
    ),
    HandMade(
        'numbered_exactly{"count": 2}',
        ("1. a\n2. b", "So:\n1) a\n2) b", "1. a\n\n2. b\nDone"),
        ("1. a", "1. a\n2. b\n3. c", "2. a\n1. b"),
    ),
    HandMade(
        'highlights_at_least{"count": 2}',
        ("*One* and **two**.", "*a* *b* *c*", "**so it** was *so*"),
        ("*One* and two.", "2 * 3 * 4 * 5", "* a\n* b *"),
    ),
    HandMade(
        'placeholders_at_least{"count": 1}',
        ("Dear [name],", "[a] and [b]", "on [the date] so"),
        ("Dear name,", "see [it](there)", "so [] it"),
    ),
    HandMade(
        'headings_at_least{"count": 1}',
        ("# One\nTwo.", "So\n\n## Two\nthree", "###### a"),
        ("One", "#one of it", "a # b"),
    ),
    HandMade(
        "angle_title",
        ("<<A Day>>\nIt was.", "\n <<A>> \n\nb", "<<A Day Out>>"),
        ("<A Day>\nIt was.", "It was.\n<<A Day>>", "<<A Day>> It was."),
    ),
    HandMade(
        'sections{"titles": ["Summary", "Details"]}',
        ("Summary\na\nDetails\nb", "# Summary\n\na\n\n**Details:**\nb", "summary:\nDETAILS:\nb"),
        ("Summary\na", "Details\na\nSummary\nb", "Summary: a\nDetails: b"),
    ),
    HandMade(
        'postscript{"marker": "P.S."}',
        ("One.\n\nP.S. Two.", "a\n \nP.S. b\nc", "a\n\nb\n\nP.S. c"),
        ("One.\nP.S. Two.", "One.\n\nP.S.", "P.S. Two."),
    ),
    HandMade(
        'parts_by_stars{"count": 2}',
        ("One.\n***\nTwo.", "a\n\n*****\n\nb", "a\n *** \nb\nc"),
        ("One.", "One.\n***\nOne.", "a\n***\nb\n***\nc"),
    ),
    HandMade("json_only", ('{"a": 1}', ' ["a"] ', '{"a": {"b": null}}'), ('```json\n{"a": 1}\n```', '"a"', "{'a': 1}")),
    HandMade(
        'json_keys{"keys": ["a", "b"]}',
        ('{"a": 1, "b": 2}', '{"b": "c", "a": []}', '\n{"a": {}, "b": {}}'),
        ('{"a": 1}', '{"a": 1, "b": 2, "c": 3}', '["a", "b"]'),
    ),
    HandMade(
        'table_columns{"count": 2}',
        (
            "| a | b |\n|---|---|\n| c | d |",
            "So:\na | b\n:-- | --:\nc | d\n",
            "| a | b |\n| - | - |\n| c | d |\n| e | f |",
        ),
        ("| a | b |\n|---|---|", "| a | b | c |\n|---|---|---|\n| d | e | f |", "| a | b |\n| c | d |"),
    ),
    HandMade(
        "code_block",
        ("```\na\n```", "So:\n```python\na = 1\n```\nDone.", "```\n\na\n```"),
        ("```\na", "```\n\n```\na", "`a`"),
    ),
    # Start and end.
    HandMade(
        'begins_with{"phrase": "Once upon a time"}',
        ("Once upon a time, it was.", "once upon a time", "\nONCE UPON A TIME it was"),
        ("Once upon a day.", "So, once upon a time", "Once upon a timetable"),
    ),
    HandMade(
        'ends_with{"phrase": "that is that."}',
        ("And that is that.", "THAT IS THAT.\n", "So: that is that."),
        ("And that is that", "that is that. Yes.", "that is that!"),
    ),
    HandMade('ends_with_mark{"mark": "?"}', ("Why?", "“Why?”\n", "So. (And why?)"), ("Why.", "Why? So.", "Why?!")),
    HandMade(
        "first_word_is_last", ("Home is home.", "“So,” he said so", "a b A!"), ("Home is here.", "Home", "home, home")
    ),
    HandMade(
        "first_sentence_is_last",
        ("It rains. So what? It rains.", "a b\nc\nA b!", "Go. Now. Or else. Go."),
        ("It rains. It rains.", "It rains. So what? It rained.", "It rains."),
    ),
    HandMade("quoted_whole", ('"So it is."', "“So it is.”\n", "«Oui»"), ('"So it is.', 'So "it is"', "'So it is.'")),
    # Repetition.
    HandMade(
        'repeats_request{"request": "Say why, please."}',
        ("Say why, please. Because.", "Say why, please.\n\nNo.", "Say  why,\nplease. So."),
        ("Say why, please.", "Say why please. Because.", "say why, please. Because."),
    ),
    HandMade(
        'no_long_word_twice{"count": 5}',
        ("Houses stand where trees stood.", "the the rivers and the garden", "House by houses"),
        ("House by house.", "Where trees are, trees were", "a b c"),
    ),
    HandMade(
        "sentences_begin_differently",
        ("A b. C d. E f. G h.", "One\ntwo\nthree\nfour", "He came. She saw. It was. We left. You too."),
        ("A b. C d. E f.", "A b. C d. E f. A h.", "He came. She saw. he was. We left."),
    ),
    HandMade(
        "sentences_chained",
        ("I see a dog. Dog and cat. Cat!", "a b\nb c\nc d", "“So?” So it was. Was it?"),
        ("I see a dog. Dog and cat.", "I see a dog. Dog and cat. A cat!", "a b\nb c\nd e"),
    ),
    # Numbers.
    HandMade(
        'numbers_at_least{"count": 2}',
        ("1 and 2.", "1,000 at 3.5", "12:30 or 7 or 8"),
        ("1 and two.", "3.5 of it", "B12 and 3rd"),
    ),
    HandMade('numbers_exactly{"count": 1}', ("It is 1.", "1,000 of it", "B12 or 7"), ("It is one.", "1 and 2", "B12")),
    HandMade(
        "numbers_spelled_out",
        ("It takes two.", "Twelve came", "seven or so"),
        ("It takes 2.", "it takes one", "two and 2"),
    ),
    HandMade('numbers_sum{"total": 10}', ("4 and 6.", "1 2 3 4", "10 and 0"), ("4 and 7.", "10", "4.5 and 5.5")),
)
