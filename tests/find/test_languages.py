# ruff: noqa: RUF001 - other alphabets have letters that look like ours
import pytest
from wordfreq import available_languages, word_frequency

from planish.errors import DataError, UsageError
from planish.find.languages import (
    NAMES,
    commonest_words,
    detect_language,
    function_words,
    listed_rate,
    require_language,
)
from planish.text.words import FUNCTION_WORDS, words

STORIES = {
    "ar": "جلس الرجل العجوز بجانب النافذة ينظر إلى الشارع. كان المطر ينزل منذ الصباح ولم يمر أحد. كان يفكر في ابنته.",
    "de": "Der alte Mann saß am Fenster und sah auf die Straße hinaus. Es regnete seit dem Morgen.",
    "el": "Ο γέρος καθόταν δίπλα στο παράθυρο και κοίταζε τον δρόμο. Έβρεχε από το πρωί και κανείς δεν περνούσε.",
    "en": "The old man sat at the window and looked out at the street. It had rained since the morning.",
    "es": "El viejo estaba sentado junto a la ventana y miraba la calle. Llovía desde la mañana y nadie pasaba.",
    "fa": "پیرمرد کنار پنجره نشسته بود و به خیابان نگاه می کرد. از صبح باران می بارید و هیچ کس رد نمی شد.",
    "fi": "Vanha mies istui ikkunan ääressä ja katsoi kadulle. Oli satanut aamusta asti, eikä kukaan kulkenut ohi.",
    "fr": "Le vieil homme était assis près de la fenêtre et regardait la rue. Il pleuvait depuis le matin.",
    "he": "האיש הזקן ישב ליד החלון והביט אל הרחוב. ירד גשם מאז הבוקר ואף אחד לא עבר. הוא חשב על הבת שלו.",
    "hi": "बूढ़ा आदमी खिड़की के पास बैठा था और सड़क को देख रहा था। सुबह से बारिश हो रही थी और कोई नहीं गुज़रा।",
    "ja": "老人は窓のそばに座って、通りを眺めていた。朝からずっと雨が降っていて、誰も通らなかった。",
    "ko": "노인은 창가에 앉아 거리를 바라보고 있었다. 아침부터 비가 내려서 아무도 지나가지 않았다.",
    "pt": "O velho estava sentado à janela e olhava para a rua. Chovia desde a manhã e ninguém passava.",
    "ru": "Старик сидел у окна и смотрел на улицу. С утра шёл дождь, и никто не проходил мимо. Он думал о дочери.",
    "uk": "Старий сидів біля вікна і дивився на вулицю. З ранку йшов дощ, і ніхто не проходив повз.",
    "vi": "Ông già ngồi bên cửa sổ và nhìn ra đường. Trời mưa từ sáng và không có ai đi qua.",
    "zh": "老人坐在窗边，看着外面的街道。从早上起就一直在下雨，没有人走过。他想着自己的女儿。",
}


@pytest.mark.parametrize("code", STORIES)
def test_a_story_is_in_the_language_it_is_written_in(code: str) -> None:
    told = detect_language([STORIES[code]])
    assert told.code == code
    assert told.reason.startswith(f"language: {code}, as ")
    assert NAMES[code] in told.reason


def test_the_reason_is_a_share_that_anybody_can_count() -> None:
    common = set(commonest_words("de", 200))
    said = words(STORIES["de"])
    share = 100 * sum(word in common for word in said) / len(said)
    expected = f"language: de, as {share:.0f} % of the words are among the 200 commonest of German"
    assert detect_language([STORIES["de"]]).reason == expected


def test_the_language_of_most_words_counts() -> None:
    assert detect_language([STORIES["fr"], STORIES["de"], STORIES["de"]]).code == "de"


@pytest.mark.parametrize("text", ["", "…", "vqx zjk wqp qzv jjx", "ชายชรานั่งอยู่ข้างหน้าต่าง"])
def test_what_is_in_no_known_language_is_not_guessed(text: str) -> None:
    with pytest.raises(DataError) as refused:
        detect_language([text])
    assert "--language" in refused.value.hint


def test_all_languages_that_there_are_lists_of_have_names_and_no_others() -> None:
    assert set(NAMES) == set(available_languages())
    with pytest.raises(UsageError, match="xx"):
        require_language("xx")


@pytest.mark.parametrize("code", sorted(NAMES))
def test_function_words_are_words_as_texts_have_them(code: str) -> None:
    expected = 95 if code == "en" else 30 if code in ("ja", "zh") else 100
    found = function_words(code)
    assert len(found) == expected
    assert all(words(word) == [word] for word in found)


def test_function_words_of_english_are_those_of_every_matcher() -> None:
    assert function_words("en") is FUNCTION_WORDS


@pytest.mark.parametrize(
    ("code", "word"), [("en", "elara"), ("de", "fenster"), ("ar", "كَلِمَة"), ("he", "שלום"), ("hi", "में")]
)
def test_a_word_is_as_frequent_as_its_list_says(code: str, word: str) -> None:
    assert listed_rate((word,), code) == word_frequency(word, code)
    assert listed_rate((word, word), code) == 0


def test_characters_and_strings_of_them_are_as_frequent_as_in_the_listed_words() -> None:
    for code, string in (("zh", "眼睛"), ("ja", "ありが")):
        rates = [listed_rate(tuple(string[:length]), code) for length in range(1, len(string) + 1)]
        assert 0 < min(rates) <= max(rates) < 0.1
        assert rates == sorted(rates, reverse=True)
    assert listed_rate(("點",), "zh") == listed_rate(("点",), "zh") > 1e-4


def test_a_korean_word_is_no_more_frequent_than_what_it_begins_with() -> None:
    assert listed_rate(("눈동자가",), "ko") == listed_rate(("눈동자",), "ko") > 0
