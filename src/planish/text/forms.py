"""In which forms the words of a rule may stand in a text."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import product
from math import prod

from planish.errors import UsageError
from planish.text.words import FUNCTION_WORDS, WORD

# Every combination of its words' forms is looked for, and they multiply.
MOST_FORMS = 2000


def by_form(rules: Iterable[str] | Mapping[str, str]) -> Mapping[str, str]:
    """Rules by what is looked for: a rule that comes without its forms is its own only one."""
    return rules if isinstance(rules, Mapping) else {rule: rule for rule in rules}


def inflected(text: str) -> list[str]:
    """The text with its words in every inflected form, itself first; function words stay as they are.

    English; a word that is not known stays as it is. A word that is a base form itself counts as that only: "rose" has
    the forms of the flower, and not those of "rise".

    Raises:
        UsageError: there are more than `MOST_FORMS`.
    """
    choices: list[list[str]] = []
    end = 0
    for match in WORD.finditer(text):
        choices += [[text[end : match.start()]], _forms(match.group())]
        end = match.end()
    choices.append([text[end:]])
    count = prod(map(len, choices))
    if count > MOST_FORMS:
        raise UsageError(
            f"{text!r} has {count} inflected forms; {MOST_FORMS} is the most", "shorten it, or leave out inflections"
        )
    return ["".join(words) for words in product(*choices)]


@lru_cache(maxsize=1 << 14)
def _forms(word: str) -> list[str]:
    """The word, and then its other forms in order, capitalised as it is."""
    # Only here, since it reads its tables when it is imported.
    from lemminflect import getAllInflections, getAllLemmas

    lower = word.lower()
    if lower in FUNCTION_WORDS:
        return [word]
    lemmas = {lemma for found in getAllLemmas(lower).values() for lemma in found}
    bases = {lower} & lemmas or lemmas
    forms = {form for base in bases for found in getAllInflections(base).values() for form in found}
    forms |= bases
    return list(dict.fromkeys([word, *(_capitalised_as(word, form) for form in sorted(forms))]))


def _capitalised_as(word: str, form: str) -> str:
    if word.isupper() and len(word) > 1:
        return form.upper()
    return form[:1].upper() + form[1:] if word[:1].isupper() else form
