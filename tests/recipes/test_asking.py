from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from chat_server import chat_server
from planish.errors import DataError, ModelError
from planish.models.chat_endpoint import ChatEndpoint
from planish.models.language_model import LanguageModel
from planish.models.reply_store import ReplyStore
from planish.recipes.asking import Asker
from planish.recipes.calls import Calls
from planish.records.reply import Draw, Reply
from planish.steer.local_chat import LocalChat

CALLS = Calls("fake")
REQUESTS = [CALLS.answer("What is red?", "Use one word.", samples=3), CALLS.back_translate("def evaluate(): pass")]


class Source:
    """Answers draws last first, fails those it is told to, and gives up after so many."""

    def __init__(self, failing: Sequence[Draw] = (), most: int = 1000) -> None:
        self.asked: list[Draw] = []
        self.failing = failing
        self.most = most

    def replies(self, draws: Sequence[Draw]) -> Iterator[Reply]:
        for draw in reversed(draws):
            if len(self.asked) == self.most:
                raise ModelError("no answer")
            self.asked.append(draw)
            yield draw.failure("lost") if draw in self.failing else draw.reply(text_of(draw), "stop")


def text_of(draw: Draw) -> str:
    return f"{draw.request.template} {draw.sample}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "replies.jsonl"


def test_replies_come_in_the_order_of_the_requests_and_are_replayed_without_a_model(path: Path) -> None:
    first = Asker(ReplyStore(path), Source()).ask(REQUESTS)
    assert [[reply.text for reply in each] for each in first] == [
        [text_of(draw) for draw in request.draws()] for request in REQUESTS
    ]
    recorded = path.read_bytes()
    assert Asker(ReplyStore(path)).ask(REQUESTS) == first
    assert Asker(ReplyStore(path)).ask(REQUESTS[::-1]) == first[::-1]
    assert path.read_bytes() == recorded


def test_only_what_is_missing_is_asked_for_and_each_thing_once(path: Path) -> None:
    source = Source()
    asker = Asker(ReplyStore(path), source)
    asker.ask([REQUESTS[0], REQUESTS[0]])
    assert sorted(draw.sample for draw in source.asked) == [0, 1, 2]
    source.asked.clear()
    more = REQUESTS[0].model_copy(update={"samples": 5})
    asker.ask([more, REQUESTS[0]])
    assert sorted(draw.sample for draw in source.asked) == [3, 4]


def test_a_source_that_gives_up_loses_nothing_that_it_gave(path: Path) -> None:
    with pytest.raises(ModelError, match="no answer"):
        Asker(ReplyStore(path), Source(most=2)).ask(REQUESTS)
    assert len(ReplyStore(path)) == 2
    source = Source()
    found = Asker(ReplyStore(path), source).ask(REQUESTS)
    assert len(source.asked) == 2
    assert [len(each) for each in found] == [3, 1]


def test_a_failure_is_asked_anew_by_a_source_and_stays_a_failure_in_a_replay(path: Path) -> None:
    lost = Draw(REQUESTS[0], 1)
    first = Asker(ReplyStore(path), Source([lost])).ask(REQUESTS)
    assert [reply.status for reply in first[0]] == ["ok", "failed", "ok"]
    assert Asker(ReplyStore(path)).ask(REQUESTS) == first
    source = Source()
    again = Asker(ReplyStore(path), source).ask(REQUESTS)
    assert source.asked == [lost]
    assert [reply.status for reply in again[0]] == ["ok", "ok", "ok"]


def test_what_was_not_recorded_is_said_with_the_model_that_is_needed(path: Path) -> None:
    Asker(ReplyStore(path), Source()).ask(REQUESTS[:1])
    with pytest.raises(DataError, match=r"without 1 of its replies.*back_translate@.*the model 'fake' is needed"):
        Asker(ReplyStore(path)).ask(REQUESTS)


def test_replies_of_a_model_that_is_here_are_replayed_too(path: Path, tiny: LanguageModel) -> None:
    requests = [CALLS.answer("Red?", "One word.", samples=2).model_copy(update={"max_tokens": 5})]
    first = Asker(ReplyStore(path), LocalChat(tiny)).ask(requests)
    assert [reply.status for reply in first[0]] == ["ok", "ok"]
    assert Asker(ReplyStore(path)).ask(requests) == first


def test_replies_of_a_server_are_replayed_after_it_is_gone(path: Path) -> None:
    with chat_server(lambda body: f"reply {body['seed']}") as server:
        first = Asker(ReplyStore(path), ChatEndpoint(server.url)).ask(REQUESTS)
    assert first[0][2].text == f"reply {Draw(REQUESTS[0], 2).seed}"
    assert Asker(ReplyStore(path)).ask(REQUESTS) == first
