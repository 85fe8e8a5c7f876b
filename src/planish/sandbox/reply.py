"""Reads what a confined process replied. It may have been written by the verifier: nothing of it is believed unseen."""

import json
from typing import get_args

from planish.sandbox.job import Answer, Verdict

DETAIL_CHARS = 200
VERDICTS = frozenset(get_args(Verdict))


def read_reply(written: bytes, nonce: str, texts: int) -> list[Answer] | None:
    """The answers of a reply to the request with this nonce, or None where it is no such reply."""
    try:
        reply = json.loads(written)
    except (ValueError, RecursionError):
        return None
    if not isinstance(reply, dict) or reply.get("nonce") != nonce:
        return None
    given = reply.get("answers")
    if not isinstance(given, list) or len(given) != texts:
        return None
    answers = [_answer(one) for one in given]
    return [answer for answer in answers if answer] if all(answers) else None


def printable(text: str) -> str:
    """A detail that can be written to a file and to a terminal."""
    return text[:DETAIL_CHARS].encode("utf-8", "replace").decode()


def _answer(given: object) -> Answer | None:
    match given:
        case [str(verdict), str(detail), bool(repaired)] if verdict in VERDICTS:
            return Answer(verdict, printable(detail), repaired)  # type: ignore[arg-type]
    return None
