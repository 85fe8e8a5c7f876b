"""Count what people write, for the human profile that ships with planish.

    python tools/build_profile.py DATA [--out FILE]

DATA holds human_prose.parquet. Two registers are counted: modern fiction (Brown corpus of 1961, Reddit stories) and
novels of 1839 to 1929. Every tenth modern text is left out, as from the training of the bundled model, so that tests
have human prose that nothing here has seen. Only counts are kept.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from train_bundled import human_texts, tidy

from planish.find.human_counts import count_corpus, write_profile
from planish.text.corpus import Document, TextShard


def main() -> None:
    """Read, count, cut, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("src/planish/models/bundled/human_profile.parquet"))
    given = parser.parse_args()
    prose = pd.read_parquet(given.data / "human_prose.parquet")
    modern, _, _ = human_texts(prose)
    chapters = prose[prose.source == "100_english_novels"].sort_values(["author", "title", "part"])
    novels = ["\n\n".join(book.text) for _, book in chapters.groupby(["author", "title"])]
    with TemporaryDirectory() as folder:
        registers = {
            name: count_corpus(
                [TextShard(tuple(Document(tidy(text)) for text in texts))], Path(folder), most_kept=10**9
            )
            for name, texts in {"modern": modern, "novel": novels}.items()
        }
    write_profile(given.out, registers, "en")
    print({name: counted.totals for name, counted in registers.items()}, f"{given.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
