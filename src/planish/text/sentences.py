"""Where a sentence ends."""

import re

# The marks that may end a sentence, and what may stand between them and the white space after it.
MARKS = ".!?…"
CLOSERS = "\"'”’»)]*"

# The mark, which ends a sentence only where white space follows: "3.5" and "example.com" are no ends.
END_MARK = rf"[{MARKS}][{re.escape(CLOSERS)}]*"

# A closing quote ends the sentence that its mark ended; a new line always ends one.
SENTENCE_END = rf"{END_MARK}\s|\n"
