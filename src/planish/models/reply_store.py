"""Every reply that a model gave, on the disk: what was asked once is not asked again."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from planish.errors import DataError
from planish.records.record import fault_of
from planish.records.reply import Draw, Reply
from planish.runs.disk import append, make_folder, truncate


class ReplyStore:
    """A file of replies, one JSON object a line, only ever added to, by one process at a time.

    It is read once, when it is opened. What a kill left of a last line is dropped with the next reply that is added.

    Raises:
        DataError: a line is no reply; it is named.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._replies: dict[tuple[str, int], Reply] = {}
        data = path.read_bytes() if path.exists() else b""
        self._whole_bytes = data.rfind(b"\n") + 1
        self._is_torn = self._whole_bytes < len(data)
        for number, line in enumerate(data[: self._whole_bytes].split(b"\n")[:-1], start=1):
            try:
                self._keep(Reply.model_validate_json(line))
            except ValidationError as error:
                hint = f"delete line {number}: its reply is asked for anew"
                raise DataError(f"{path}, line {number}: {fault_of(error).words}", hint) from error

    def __len__(self) -> int:
        """How many draws succeeded."""
        return sum(reply.status == "ok" for reply in self._replies.values())

    def find(self, draw: Draw) -> Reply | None:
        """The reply to a draw; if it never succeeded, its latest failure."""
        return self._replies.get(draw.place)

    def add(self, replies: Iterable[Reply]) -> None:
        """Keep replies; on return they are on the disk. Those to draws that succeeded already are passed over."""
        new = [reply for reply in replies if self._keep(reply)]
        if not new:
            return
        make_folder(self.path.parent)
        if self._is_torn:
            truncate(self.path, self._whole_bytes)
            self._is_torn = False
        append(self.path, "".join(reply.model_dump_json() + "\n" for reply in new).encode())

    def _keep(self, reply: Reply) -> bool:
        """Whether it is new."""
        known = self._replies.get(reply.place)
        if known is not None and known.status == "ok":
            return False
        self._replies[reply.place] = reply
        return True
