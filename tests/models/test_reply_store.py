from pathlib import Path

import pytest

from planish.errors import DataError
from planish.models.reply_store import ReplyStore
from planish.records.prompt import Message
from planish.records.reply import Draw, Reply, Request

TEXTS = ["plain", "two\nlines", "\u2028 \x85 naïve 🦊", ""]


def draw(number: int, sample: int = 0) -> Draw:
    return Draw(Request(model="m", messages=(Message(role="user", content=str(number)),)), sample)


def replies() -> list[Reply]:
    return [draw(number).reply(text, "stop") for number, text in enumerate(TEXTS)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a" / "replies.jsonl"


def test_what_was_added_is_there_again(path: Path) -> None:
    store = ReplyStore(path)
    assert store.find(draw(0)) is None
    store.add(replies()[:2])
    store.add(replies()[2:])
    for each in (store, ReplyStore(path)):
        assert len(each) == len(TEXTS)
        assert [each.find(draw(number)) for number in range(len(TEXTS))] == replies()
        assert each.find(draw(0, sample=1)) is None


def test_opening_and_adding_nothing_write_nothing(path: Path) -> None:
    ReplyStore(path).add([])
    assert not path.parent.exists()


def test_the_first_reply_to_a_draw_stays(path: Path) -> None:
    store = ReplyStore(path)
    store.add([draw(0).reply("first", "stop"), draw(0).reply("second", "stop")])
    before = path.read_bytes()
    store.add([draw(0).reply("third", "stop"), draw(0).failure("lost")])
    assert path.read_bytes() == before
    assert ReplyStore(path).find(draw(0)) == draw(0).reply("first", "stop")


def test_a_failure_is_no_success_and_gives_way_to_one(path: Path) -> None:
    store = ReplyStore(path)
    store.add([draw(0).failure("lost")])
    store.add([draw(0).failure("lost again")])
    for each in (store, ReplyStore(path)):
        found = each.find(draw(0))
        assert found is not None
        assert (found.status, found.error) == ("failed", "lost again")
        assert len(each) == 0
    store.add([draw(0).reply("there", "stop")])
    for each in (store, ReplyStore(path)):
        assert each.find(draw(0)) == draw(0).reply("there", "stop")
        assert len(each) == 1


def test_a_kill_at_any_byte_loses_the_last_reply_at_most(path: Path) -> None:
    store = ReplyStore(path)
    store.add(replies()[:1])
    first = path.read_bytes()
    store.add(replies()[1:2])
    whole = path.read_bytes()
    for size in range(len(first), len(whole)):
        path.write_bytes(whole[:size])
        again = ReplyStore(path)
        assert (again.find(draw(0)), again.find(draw(1))) == (replies()[0], None)
        assert path.read_bytes() == whole[:size]
        again.add(replies()[1:2])
        assert path.read_bytes() == whole


def test_a_line_that_is_no_reply_is_named(path: Path) -> None:
    ReplyStore(path).add(replies())
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b'{"key": "a", "sample": "one"}', *lines[1:]]))
    with pytest.raises(DataError, match=r"replies.jsonl, line 2: .*sample"):
        ReplyStore(path)
