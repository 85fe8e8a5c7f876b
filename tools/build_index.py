"""Count what LLMs overuse, for the slop index that ships with planish, and write how to docs/slop-index.md.

    python tools/build_index.py DATA [--out FILE] [--docs FILE]

DATA holds llm_stories.parquet and slop_profiles. The stories are by LLMs, and on prompts, that the bundled model has
not read, so the index is no list of what that model was taught. Only words, phrases and figures are kept.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
from scipy.stats import spearmanr
from train_bundled import tidy, unseen_stories

from planish.find.slop import find_slop
from planish.records.prompt import writing_prompt
from planish.records.record import write_records
from planish.records.rule import BanRule
from planish.records.score import Sample
from planish.text.words import FUNCTION_WORDS, words

SHOWN = 30


def main() -> None:
    """Read, find, write, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("src/planish/models/bundled/slop_index.jsonl"))
    parser.add_argument("--docs", type=Path, default=Path("docs/slop-index.md"))
    given = parser.parse_args()
    stories = pd.read_parquet(given.data / "llm_stories.parquet")
    stories = stories[(stories.n_words >= 300) & (stories.score >= 30)]
    unseen = stories[unseen_stories(stories)]
    samples = [Sample(writing_prompt(tidy(row.prompt)), tidy(row.text)) for row in unseen.itertuples()]
    rules = find_slop(samples)
    write_records(given.out, rules)
    page = [*description(unseen, samples), *table(rules), *agreement(rules, PublicLists(given.data / "slop_profiles"))]
    given.docs.write_text("\n".join(page) + "\n", encoding="utf-8")
    print("\n".join(page))


class PublicLists:
    """Overused words and phrases as others have published them, with their counts where they are given."""

    def __init__(self, folder: Path) -> None:
        def read(name: str) -> list[list[str]]:
            return json.loads((folder / name).read_text(encoding="utf-8"))

        self.word_counts = {word: int(count) for word, count in read("antislop_slop_words_2025-04-07.json")}
        self.words = {*self.word_counts, *(word for (word,) in read("slop_list.json"))}
        names = ("antislop_slop_phrases_2025-04-07.json", "slop_list_bigrams.json", "slop_list_trigrams.json")
        self.phrases = {content(row[0]) for name in names for row in read(name)}

    def have(self, rule: BanRule) -> bool:
        """Whether a word is listed, or the content words of a phrase stand side by side in a listed phrase.

        A phrase with one content word counts as listed where that word is.
        """
        said = content(rule.text)
        if len(said) == 1:
            return said[0] in self.words
        return any(phrase[start : start + len(said)] == said for phrase in self.phrases for start in range(len(phrase)))


def content(text: str) -> tuple[str, ...]:
    """The words of a phrase that mean something."""
    return tuple(word for word in words(text) if word not in FUNCTION_WORDS)


def description(stories: pd.DataFrame, samples: Sequence[Sample]) -> Iterator[str]:
    """How the index was made."""
    total = sum(len(words(sample.text)) for sample in samples)
    yield from ("# The slop index", "")
    yield (
        "`slop_index.jsonl` lists what LLMs write far more often than people. `tools/build_index.py` ran `find_slop` "
        f"with its default settings over {len(samples)} stories ({total:,} words) by {stories.model.nunique()} LLMs on "
        f"{stories.title.nunique()} prompts. The bundled model has read nothing by these LLMs and nothing on these "
        "prompts. The human side is the bundled profile beside wordfreq. What the prompt of a story says is excused in "
        "that story, and each entry is judged without the prompt in whose stories it stands most often: log odds and z "
        "are of the other stories. With so few prompts, some entries are still what stories of these kinds are about."
    )
    yield from ("", "The LLMs: " + ", ".join(sorted(stories.model.unique())) + ".", "")


def table(rules: Sequence[BanRule]) -> Iterator[str]:
    """The first entries."""
    kinds = {"words": 1, "phrases of two words": 2, "phrases of three words": 3}
    counted = [f"{sum(len(rule.text.split()) == n for rule in rules)} {kind}" for kind, n in kinds.items()]
    longer = sum(len(rule.text.split()) > len(kinds) for rule in rules)
    yield f"{len(rules)} entries: {', '.join(counted)}, {longer} longer phrases."
    yield from ("", f"The first {SHOWN}, in order of count times log odds:")
    yield from (
        "",
        "| entry | count | texts | per 1k words | people, per 1k words | log odds | z |",
        "|---|---|---|---|---|---|---|",
    )
    for rule in rules[:SHOWN]:
        over = rule.overuse
        assert over is not None
        yield (
            f"| {rule.text} | {over.count} | {over.texts} | {over.rate_per_1k_words:.3f} "
            f"| {over.human_rate_per_1k_words:.5f} | {over.log_odds:.1f} | {over.z:.1f} |"
        )


def agreement(rules: Sequence[BanRule], public: PublicLists) -> Iterator[str]:
    """How far others list the same."""

    def share(some: Sequence[BanRule]) -> str:
        return f"{sum(map(public.have, some)) / max(1, len(some)):.0%} of {len(some)}"

    def of_kind(is_kind: Callable[[int, int], bool]) -> list[BanRule]:
        return [rule for rule in rules if is_kind(len(rule.text.split()), len(content(rule.text)))]

    yield from ("", "## Agreement with public lists", "")
    yield (
        "The lists of slop-forensics and antislop-sampler were made from other texts by other means: words against "
        "wordfreq, phrases by their number alone. They hold words of four letters and more, and phrases of mostly "
        "three content words. A phrase of ours agrees where its content words stand side by side in one of theirs; one "
        "with a single content word, where that word is listed. The rules of `find_slop` (the least ratio, which words "
        "may end a phrase, judging without the commonest prompt) were settled with these lists in view, so the figures "
        "show agreement and are no independent test."
    )
    yield from ("", "| of ours | on their lists |", "|---|---|")
    yield f"| words | {share(of_kind(lambda n, _: n == 1))} |"
    yield f"| phrases with one content word, by that word | {share(of_kind(lambda n, m: n > 1 and m == 1))} |"
    yield f"| phrases with more content words | {share(of_kind(lambda n, m: n > 1 and m > 1))} |"
    yield from (f"| the first {k} | {share(rules[:k])} |" for k in (50, 100, 200))
    both = [rule for rule in rules if rule.overuse and rule.text in public.word_counts]
    ranks = spearmanr(
        [rule.overuse.count for rule in both if rule.overuse], [public.word_counts[rule.text] for rule in both]
    )
    yield from (
        "",
        f"Counts of the {len(both)} words on both lists: Spearman's rank correlation {ranks.statistic:.2f}.",
    )


if __name__ == "__main__":
    main()
