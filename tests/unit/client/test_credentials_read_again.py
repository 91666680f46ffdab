"""Credentials that are refused are read again, and used only if they are others now."""

import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiRefusedError, ApiUnavailableError, Connection
from unit.raising_signals import SignalError, raising_signal


class Doorkeeper:
    """An HTTP server that lets in whoever shows the right token."""

    def __init__(self) -> None:
        self.token = "first"
        self.shown: list[str] = []
        keeper = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                shown = self.headers.get("Authorization", "")
                keeper.shown.append(shown)
                body = b'{"kind": "Status"}'
                self.send_response(200 if shown == f"Bearer {keeper.token}" else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def door() -> Iterator[Doorkeeper]:
    keeper = Doorkeeper()
    threading.Thread(target=keeper.http.serve_forever, daemon=True).start()
    yield keeper
    keeper.http.shutdown()
    keeper.http.server_close()


def kubeconfig(file: Path, door: Doorkeeper, user: dict[str, Any]) -> str:
    file.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{door.http.server_address[1]}"}}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )
    return str(file)


def grow_old(connection: Connection) -> None:
    """What was read of its credentials is no longer taken for new."""
    connection._credentials._headers_until = 0.0


def test_what_was_read_just_now_is_not_read_again_by_each_request(door: Doorkeeper, tmp_path: Path) -> None:
    connection = Connection.open(kubeconfig(tmp_path / "config", door, {"token": "first"}))
    read: list[Any] = []
    connection._credentials._api.configuration.refresh_api_key_hook = read.append
    for _ in range(2):
        connection.request("GET", "/")
    assert not read
    grow_old(connection)
    for _ in range(2):
        connection.request("GET", "/")
    assert len(read) == 1
    assert door.shown == ["Bearer first"] * 4


def test_a_kubeconfig_that_was_written_anew_is_read_again(door: Doorkeeper, tmp_path: Path) -> None:
    file = tmp_path / "config"
    connection = Connection.open(kubeconfig(file, door, {"token": "first"}))
    connection.request("GET", "/")
    door.token = "second"
    kubeconfig(file, door, {"token": "second"})
    connection.request("GET", "/")
    assert door.shown == ["Bearer first", "Bearer first", "Bearer second"]


def test_a_plug_in_is_asked_again(door: Doorkeeper, tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": "cat", "args": [str(answer)]}
    exec_["interactiveMode"] = "Never"

    def plug_in_says(token: str) -> None:
        api = "client.authentication.k8s.io/v1"
        answer.write_text(json.dumps({"apiVersion": api, "kind": "ExecCredential", "status": {"token": token}}))

    plug_in_says("first")
    connection = Connection.open(kubeconfig(tmp_path / "config", door, {"exec": exec_}))
    connection.request("GET", "/")
    door.token = "second"
    plug_in_says("second")
    connection.request("GET", "/")
    assert door.shown[-1] == "Bearer second"


def test_the_same_credentials_are_not_shown_again(door: Doorkeeper, tmp_path: Path) -> None:
    connection = Connection.open(kubeconfig(tmp_path / "config", door, {"token": "wrong"}))
    for _ in range(3):
        with pytest.raises(ApiRefusedError):
            connection.request("GET", "/")
    assert len(door.shown) == 3


def test_a_file_that_is_gone_leaves_what_was_known(door: Doorkeeper, tmp_path: Path) -> None:
    file = tmp_path / "config"
    connection = Connection.open(kubeconfig(file, door, {"token": "first"}))
    file.unlink()
    connection.request("GET", "/")
    door.token = "second"
    with pytest.raises(ApiRefusedError):
        connection.request("GET", "/")
    door.token = "first"
    connection.request("GET", "/")


def test_many_threads_that_are_refused_together_read_once(door: Doorkeeper, tmp_path: Path) -> None:
    file = tmp_path / "config"
    connection = Connection.open(kubeconfig(file, door, {"token": "first"}))
    connection.request("GET", "/")
    door.token = "second"
    kubeconfig(file, door, {"token": "second"})
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(connection.request("GET", "/"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(answers) == 8


def test_the_line_feed_at_the_end_of_a_token_file_is_no_part_of_the_token(door: Doorkeeper, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    Connection.open(kubeconfig(tmp_path / "config", door, {"tokenFile": str(token)})).request("GET", "/")
    assert door.shown == ["Bearer first"]


def test_credentials_that_cannot_be_had_now_may_be_had_later(door: Doorkeeper, tmp_path: Path) -> None:
    connection = Connection.open(kubeconfig(tmp_path / "config", door, {"token": "first"}))

    def fails(_: Any) -> None:
        raise OSError("the plug-in has no network")

    connection._credentials._api.configuration.refresh_api_key_hook = fails
    grow_old(connection)
    with pytest.raises(ApiUnavailableError, match="cannot be read now: the plug-in has no network"):
        connection.request("GET", "/")


def test_what_a_signals_handler_raises_meanwhile_is_no_failure_to_try_again(door: Doorkeeper, tmp_path: Path) -> None:
    connection = Connection.open(kubeconfig(tmp_path / "config", door, {"token": "first"}))
    connection._credentials._api.configuration.refresh_api_key_hook = lambda _: signal.raise_signal(signal.SIGUSR1)
    grow_old(connection)
    with raising_signal(), pytest.raises(SignalError):
        connection.request("GET", "/")


def test_nor_a_reason_to_say_that_there_are_no_credentials(
    monkeypatch: pytest.MonkeyPatch, door: Doorkeeper, tmp_path: Path
) -> None:
    monkeypatch.setattr("kubernetes.config.load_kube_config", lambda **_: signal.raise_signal(signal.SIGUSR1))
    with raising_signal(), pytest.raises(SignalError):
        Connection.open(kubeconfig(tmp_path / "config", door, {"token": "first"}))
