import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest
from huggingface_hub import constants

from planish.errors import PlanishError, UsageError
from planish.models.server_process import free_port
from planish.train.hub import push_folder

TOKEN = "hf_" + "q" * 34


class FakeHub(ThreadingHTTPServer):
    """As much of the Hub as an upload of small files needs."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[tuple[str, str]] = []
        self.tokens: set[str | None] = set()
        self.repos: dict[str, bool] = {}
        self.files: dict[str, bytes] = {}
        self.refuses = False


class Answers(BaseHTTPRequestHandler):
    server: FakeHub

    def log_message(self, *_: object) -> None:
        pass

    def say(self, said: Any, status: int = 200) -> None:
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(parts)

    def answer(self) -> None:
        hub, body = self.server, self.body()
        path = self.path.partition("?")[0]
        if path == "/api/agent-harnesses":  # what the library asks once, whatever it is used for
            self.say({})
            return
        hub.asked.append((self.command, path))
        hub.tokens.add(self.headers.get("Authorization"))
        if hub.refuses:
            self.say({"error": f"the token {TOKEN} may not write"}, 403)
        elif path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            found = name in hub.repos
            hub.repos.setdefault(name, bool(asked.get("private")) or asked.get("visibility") == "private")
            url = f"{constants.ENDPOINT}/{'datasets/' * (asked.get('type') == 'dataset')}{name}"
            self.say({"url": url, "error": "it is there"}, 409 if found else 200)
        elif path == "/api/validate-yaml":
            self.say({"errors": [], "warnings": []})
        elif path.endswith("/preupload/main"):
            names = [file["path"] for file in json.loads(body)["files"]]
            self.say({"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]})
        elif "/commit/main" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.say({"commitUrl": f"{constants.ENDPOINT}/ann/smooth/commit/1", "commitOid": "1" * 40, "success": True})
        else:
            kind, name = path.removeprefix("/api/").split("/", 1)
            name = "/".join(name.split("/")[:2])
            self.say({"id": name, "private": hub.repos[name], "sha": "0" * 40, "kind": kind, "siblings": []})

    do_GET = do_POST = answer  # noqa: N815 - as the library calls them


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    server = FakeHub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "made" / "deep").mkdir(parents=True)
    (tmp_path / "made" / "README.md").write_text("# before and after\n")
    (tmp_path / "made" / "deep" / "rows.jsonl").write_bytes(b'{"a": 1}\n')
    return tmp_path / "made"


@pytest.mark.parametrize("kind", ["model", "dataset"])
@pytest.mark.parametrize("private", [True, False])
def test_all_files_arrive_in_a_repository_that_is_as_private_as_asked(
    kind: Literal["model", "dataset"], private: bool, hub: FakeHub, folder: Path
) -> None:
    url = push_folder(folder, "ann/smooth", kind, private)
    assert url.endswith("ann/smooth")
    assert hub.repos == {"ann/smooth": private}
    assert hub.files == {
        "README.md": b"# before and after\n",
        "deep/rows.jsonl": b'{"a": 1}\n',
    }
    assert hub.tokens == {f"Bearer {TOKEN}"}
    commits = [path for _, path in hub.asked if "/commit/" in path]
    assert commits == [f"/api/{kind}s/ann/smooth/commit/main"]


def test_a_repository_that_is_there_gets_the_files(hub: FakeHub, folder: Path) -> None:
    hub.repos["ann/smooth"] = True
    push_folder(folder, "ann/smooth", "model", private=True)
    assert len(hub.files) == 2


def test_nothing_private_goes_where_all_can_see_it(hub: FakeHub, folder: Path) -> None:
    hub.repos["ann/smooth"] = False
    with pytest.raises(PlanishError, match="ann/smooth is public"):
        push_folder(folder, "ann/smooth", "model", private=True)
    assert not hub.files


@pytest.mark.parametrize(
    "name", ["", "smooth", "ann/", "/smooth", "a/b/c", "ann/smo oth", "ann/x--y", "ann/x..y", "ann/x.git", "../smooth"]
)
def test_a_name_that_is_none_is_refused_before_anybody_is_asked(name: str, hub: FakeHub, folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        push_folder(folder, name, "model", private=True)
    assert repr(name) in caught.value.message
    assert "your-name/model-name" in caught.value.hint
    assert not hub.asked


def test_without_a_token_nobody_is_asked(hub: FakeHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    stored = folder.parent / "token"
    stored.write_text("hf_of_somebody_who_logged_in")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(stored))
    with pytest.raises(UsageError) as caught:
        push_folder(folder, "ann/smooth", "model", private=True)
    assert "HF_TOKEN" in caught.value.hint
    assert not hub.asked


def test_an_empty_folder_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(UsageError, match=folder.name):
            push_folder(folder, "ann/smooth", "model", private=True)
    assert not hub.asked


def test_what_the_hub_says_is_one_line_without_the_token(hub: FakeHub, folder: Path) -> None:
    hub.refuses = True
    with pytest.raises(PlanishError) as caught:
        push_folder(folder, "ann/smooth", "model", private=True)
    assert "403" in caught.value.message
    assert "HF_TOKEN" in caught.value.hint
    for said in (caught.value.message, caught.value.hint, repr(caught.value.__cause__)):
        assert TOKEN not in said
        assert "\n" not in said


@pytest.mark.parametrize("is_offline", [True, False])
def test_without_a_network_it_is_one_line(
    is_offline: bool, hub: FakeHub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", is_offline)
    with pytest.raises(PlanishError) as caught:
        push_folder(folder, "ann/smooth", "model", private=True)
    assert "cannot upload to ann/smooth" in caught.value.message
    assert "\n" not in caught.value.message
    assert "reached" in caught.value.hint
    assert not hub.asked


def test_nothing_is_left_in_the_folder(hub: FakeHub, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    push_folder(folder, "ann/smooth", "model", private=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
