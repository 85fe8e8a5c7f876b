"""What a judge said: a score from 0 to 10, or yes or no."""

import re

_SCORE = re.compile(r"\bscore\b[*_\s]*[:=][*_\s]*(-?\d+(?:\.\d+)?)", re.IGNORECASE)
_ANSWER = re.compile(r"\b(?:answer|verdict|judge?ment)\b[*_\s]*[:=][*_\s]*(yes|no)\b", re.IGNORECASE)
_AT_ONCE = re.compile(r"[\s*_\"'`]*(yes|no)\b(?=[\s*_\"'`]*(?:[.,!;:–—-]|\s*$))", re.IGNORECASE)
MOST = 10


def read_score(reply: str) -> float | None:
    """The last `Score: n` of a reply; None where there is none, or none between 0 and 10."""
    found = _SCORE.findall(reply)
    score = float(found[-1]) if found else -1.0
    return score if 0 <= score <= MOST else None


def read_yes_no(reply: str) -> bool | None:
    """The last `Answer: yes` or `no` of a reply, or the word with which its first line or last line begins.

    None where there is none, or where the first line says yes and the last one no.
    """
    if named := _ANSWER.findall(reply):
        return str(named[-1]).lower() == "yes"
    lines = reply.strip().splitlines() or [""]
    said = {match[1].lower() == "yes" for line in (lines[0], lines[-1]) if (match := _AT_ONCE.match(line))}
    return said.pop() if len(said) == 1 else None
