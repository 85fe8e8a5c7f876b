"""What the sandbox and its fork servers say to each other over a pipe: frames with their length in front."""

import struct
from enum import IntEnum
from typing import NamedTuple

# The bytes of a request, and how many texts it has.
REQUEST = struct.Struct("!QI")
# How it ended, the place of the text that was being judged, and the bytes of what follows.
ENDING = struct.Struct("!BqQ")
# An answer's detail is 200 characters at most, of up to 12 bytes each in JSON.
ANSWER_BYTES = 1 << 12


class End(IntEnum):
    """How a child ended. `working` says that it has not, and that the server is alive."""

    working = 0
    replied = 1
    timed_out = 2
    died = 3
    talked_too_much = 4


class Ending(NamedTuple):
    """How a child ended, at which text, and what it wrote: its reply, or why it ended."""

    end: End
    place: int
    written: bytes


def most_reply_bytes(output_bytes: int, texts: int) -> int:
    """How long a reply may be: its answers, and what the verifier may write besides."""
    return output_bytes + ANSWER_BYTES * texts
