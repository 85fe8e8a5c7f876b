"""Ban lists for benchmarks: long ones that begin as real text does and are never completed."""

import random

from wordfreq import top_n_list

from planish.records.rule import BanRule

# No model writes it.
NEVER = "qzxv"


def never_met(phrases: int, ngrams: int = 0, regexes: int = 0) -> list[BanRule]:
    """So many rules of each kind; their first words are neither the commonest, as in real lists, nor rare."""
    draws = random.Random(0)
    words = [word for word in top_n_list("en", 20_000)[300:] if word.isalpha() and len(word) > 1]

    def texts(many: int) -> list[str]:
        found: set[str] = set()
        while len(found) < many:
            found.add(f"{draws.choice(words)} {draws.choice(words)} {NEVER}{draws.choice(words)}")
        return sorted(found)

    return [
        *(BanRule(text=text) for text in texts(phrases)),
        *(BanRule(text=text, kind="ngram") for text in texts(ngrams)),
        *(BanRule(text=rf"\b{words[at]}\b.{{1,40}}\b{NEVER}{at}", kind="regex") for at in range(regexes)),
    ]
