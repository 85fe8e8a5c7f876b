"""Count what people write, for the human profile that ships with planish.

    python tools/build_profile.py DATA [--out FILE]

DATA holds human_prose.parquet. Two registers are counted: modern fiction (Brown corpus of 1961, Reddit stories) and
novels of 1839 to 1929. Every tenth modern text is left out, as from the training of the bundled model, so that tests
have human prose that nothing here has seen. Only counts are kept.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import pandas as pd
import polars as pl
from train_bundled import human_texts, tidy

from planish.find.human import LONGEST_COUNTED, count_entries

# The least count that is kept of words, of two words and of three: the file has to stay small.
CUTS = {"modern": [2, 2, 2], "novel": [2, 2, 2]}


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
    tables, sizes = [], {}
    for name, texts in {"modern": modern, "novel": novels}.items():
        counts, texts_with = count_entries(map(tidy, texts))
        totals = [0] * LONGEST_COUNTED
        for entry, count in counts.items():
            totals[entry.count(" ")] += count
        sizes[name] = {"texts": len(texts), "totals": totals, "cuts": CUTS[name]}
        tables.append(kept(name, counts, texts_with))
    table = pl.concat(tables).sort("register", "entry")
    table.write_parquet(given.out, compression="zstd", compression_level=22, metadata={"registers": json.dumps(sizes)})
    print(json.dumps(sizes), f"{len(table):,} entries, {given.out.stat().st_size / 1e6:.1f} MB")


def kept(register: str, counts: Counter[str], texts_with: Counter[str]) -> pl.DataFrame:
    """The entries that are counted often enough."""
    entries = [entry for entry, count in counts.items() if count >= CUTS[register][entry.count(" ")]]
    columns = {
        "register": [register] * len(entries),
        "entry": entries,
        "count": [counts[entry] for entry in entries],
        "texts": [texts_with[entry] for entry in entries],
    }
    schema = {"register": pl.Categorical, "entry": pl.String, "count": pl.UInt32, "texts": pl.UInt16}
    return pl.DataFrame(columns, schema=schema)


if __name__ == "__main__":
    main()
