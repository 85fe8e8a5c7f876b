import signal
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest
from serving import PATIENCE_S, error_in, eventually, serving
from test_worker import Held

from planish.models.language_model import LanguageModel
from planish.steer.engine import Engine
from planish.steer.server.limits import Limits


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_what_is_being_written_is_finished_and_nothing_new_begun(
    tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch, sent: signal.Signals
) -> None:
    held = Held(monkeypatch)
    with serving(Engine(tiny)) as served, ThreadPoolExecutor(1) as clients:
        asking = clients.submit(served.complete, stream=True, max_tokens=30)
        eventually(lambda: held.joined)
        served.server.handle_exit(sent, None)
        assert error_in(served.complete(), 503)["code"] == "shutting_down"
        held.go_on.set()
        assert asking.result().text.endswith("data: [DONE]\n\n")
        eventually(lambda: served.server.should_exit)


def test_what_takes_too_long_is_refused_at_the_end(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    with serving(Engine(tiny), rows=1, limits=Limits(shutdown_s=0)) as served, ThreadPoolExecutor(2) as clients:
        asking = clients.submit(served.complete, max_tokens=400, n=9)
        eventually(lambda: held.joined)
        served.server.handle_exit(signal.SIGTERM, None)
        held.go_on.set()
        assert error_in(asking.result(), 503)["code"] == "shutting_down"


def test_a_second_signal_ends_at_once(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    with serving(Engine(tiny), rows=1) as served, ThreadPoolExecutor(1) as clients:
        asking = clients.submit(served.complete, max_tokens=400, n=9)
        eventually(lambda: held.joined)
        for _ in range(2):
            served.server.handle_exit(signal.SIGINT, None)
        held.go_on.set()
        error_in(asking.result(), 503)


def test_an_idle_server_ends(tiny: LanguageModel) -> None:
    with serving(Engine(tiny)) as served:
        served.server.handle_exit(signal.SIGTERM, None)
        eventually(lambda: served.server.should_exit)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{served.root}/health", timeout=PATIENCE_S)
