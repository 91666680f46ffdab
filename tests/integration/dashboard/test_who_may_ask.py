"""The dashboard answers its own page only, on this machine only, and shows what its user may read only."""

import http.client
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from integration.dashboard.conftest import Dashboard, StartDashboard
from integration.kubectl.scene import Scene

SECONDS = 20.0


def ask(
    dashboard: Dashboard, path: str = "", headers: Mapping[str, str | None] | None = None, method: str = "GET"
) -> http.client.HTTPResponse:
    """Ask for a path below the secret."""
    url = urlsplit(dashboard.address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=SECONDS)
    sent = {"Host": url.netloc, **(headers or {})}
    connection.putrequest(method, f"{url.path}{path}", skip_host=True)
    for name, value in sent.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


def first_event(answer: http.client.HTTPResponse) -> dict[str, object]:
    """The first view of a stream."""
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.readline() == b"event: view\n"
    view: dict[str, object] = json.loads(answer.readline().removeprefix(b"data: "))
    return view


@pytest.mark.parametrize("path", ["", "page.js", "events"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8001"}, 200),  # forwarded by ssh
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "localhost@evil.example"}, 421),
        ({"Host": None}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),  # another server of this machine
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
    ],
)
def test_foreign_hosts_and_origins_are_refused(
    shared_dashboard: Dashboard, path: str, headers: Mapping[str, str | None], status: int
) -> None:
    assert ask(shared_dashboard, path, headers).status == status


def test_its_own_origin_is_admitted(shared_dashboard: Dashboard) -> None:
    own = urlsplit(shared_dashboard.address).netloc
    assert ask(shared_dashboard, "events", {"Origin": f"http://{own}", "Sec-Fetch-Site": "same-origin"}).status == 200


@pytest.mark.parametrize("path", ["/", "/page.js", "/events", "/wrong/", "/wrong/events"])
def test_without_the_secret_of_the_address_nobody_sees_anything(shared_dashboard: Dashboard, path: str) -> None:
    url = urlsplit(shared_dashboard.address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=SECONDS)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 403
    assert answer.read() == b"Open the whole address that `kubectl rendezvous dashboard` has printed."


@pytest.mark.parametrize("path", ["../cli.py", "page/../../cli.py", "%2e%2e/cli.py", "nothing", "server.py"])
def test_nothing_but_the_page_is_served(shared_dashboard: Dashboard, path: str) -> None:
    assert ask(shared_dashboard, path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(shared_dashboard: Dashboard, method: str) -> None:
    assert ask(shared_dashboard, "events", method=method).status == 501


def test_every_answer_forbids_what_the_page_does_not_need(shared_dashboard: Dashboard) -> None:
    headers = ask(shared_dashboard).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "require-trusted-types-for 'script'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "Server" not in headers or "Python" not in headers["Server"]


def test_it_listens_on_loopback_only(shared_dashboard: Dashboard) -> None:
    port = urlsplit(shared_dashboard.address).port or 0
    others = {
        str(info[4][0])
        for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET, socket.SOCK_STREAM)
        if not str(info[4][0]).startswith("127.")
    }
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # sends nothing; names the address to the outside
        probe.connect(("192.0.2.1", 9))
        others.add(probe.getsockname()[0])
    for other in others:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((other, port), SECONDS)


@pytest.mark.parametrize("name", ["../../../api/v1/secrets", "run,metadata.name!=x", "RUN", "", "a" * 300])
def test_names_that_no_object_can_have_are_not_asked_for(shared_dashboard: Dashboard, name: str) -> None:
    assert ask(shared_dashboard, f"events?namespace=default&name={name}").status == 404


def test_another_namespace_is_not_shown_unless_all_were_asked_for(
    start_dashboard: StartDashboard, scene: Scene
) -> None:
    assert ask(start_dashboard(), "events?namespace=default&name=run").status == 404
    view = first_event(ask(start_dashboard("-A"), "events?namespace=default&name=run"))
    assert "There is no Rendezvous run in namespace default" in str(view["missing"])


def test_who_may_not_read_pods_gets_the_page_without_them(
    start_dashboard: StartDashboard, scene: Scene, guest: Callable[..., Path]
) -> None:
    run = scene.rendezvous()
    scene.member("a-x", run)
    kubeconfig = guest("rendezvous.rendezvous.dev", "rendezvousmembers.rendezvous.dev")
    dashboard = start_dashboard("--kubeconfig", str(kubeconfig))

    view = first_event(ask(dashboard, f"events?namespace={scene.namespace}&name=run"))

    assert "a-x" in str(view["members"])
    assert f"We may not read pods in {scene.namespace}" in str(view["notes"])
