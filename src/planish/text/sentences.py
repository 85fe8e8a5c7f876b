"""Where a sentence ends."""

# What may stand between the mark that ends a sentence and the white space after it.
_CLOSERS = r"""["'”’»)\]*]*"""

# The mark, which ends a sentence only where white space follows: "3.5" and "example.com" are no ends.
END_MARK = rf"[.!?…]{_CLOSERS}"

# A closing quote ends the sentence that its mark ended; a new line always ends one.
SENTENCE_END = rf"{END_MARK}\s|\n"
