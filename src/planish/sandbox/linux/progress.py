"""How far a verifier is, to be seen from outside while it runs."""

import mmap
import struct

PLACE = struct.Struct("qq")


class Progress:
    """Memory that a process shares with the children it forks: which text is being judged, and how many were so far.

    A child can write anything there; it can only waste its own time by that.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, PLACE.size)

    def begin(self, place: int) -> None:
        """In the child: the text at this place is next."""
        turn, _ = self.seen()
        PLACE.pack_into(self._memory, 0, turn + 1, place)

    def seen(self) -> tuple[int, int]:
        """How many times a child has begun, and the place that it began last."""
        turn, place = PLACE.unpack_from(self._memory)
        return turn, place

    def reset(self, place: int) -> None:
        """Before forking: nothing has begun."""
        PLACE.pack_into(self._memory, 0, 0, place)
