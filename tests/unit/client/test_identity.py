"""Who a node is, from its pod's token, its environment and its host; nothing is asked of the API server."""

import base64
import json
import socket
from typing import Any

import pytest

from kube_rendezvous.membership import identity
from kube_rendezvous.membership.identity import Identity, identify

HERE = "https://127.0.0.1:6443"

TOKEN_CLAIMS = {
    "kubernetes.io": {
        "namespace": "team-a",
        "pod": {"name": "trainer-3", "uid": "uid-of-trainer-3"},
        "node": {"name": "worker-7", "uid": "uid-of-worker-7"},
    }
}


def token_of(claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"header.{payload}.signature"


@pytest.fixture(autouse=True)
def outside_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POD_NAME", "POD_UID", "POD_IP", "NODE_NAME", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(identity, "service_account_token", lambda: None)
    monkeypatch.setattr(socket, "gethostname", lambda: "Node_A.example")


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "service_account_token", lambda: token_of(TOKEN_CLAIMS))


def test_outside_a_pod_it_is_its_host_without_pod_and_slot() -> None:
    assert identify(HERE) == Identity("node-a-example", "", "", "", "", "127.0.0.1")


@pytest.mark.usefixtures("token")
def test_in_a_pod_the_pods_own_token_says_which_one() -> None:
    assert identify(HERE) == Identity("trainer-3", "trainer-3", "uid-of-trainer-3", "worker-7", "3", "127.0.0.1")


@pytest.mark.usefixtures("token")
def test_the_environment_wins_over_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "POD_NAME": "other-0",
        "POD_UID": "other-uid",
        "NODE_NAME": "other-node",
        "POD_IP": "10.0.3.7",
        "JOB_COMPLETION_INDEX": "12",
    }.items():
        monkeypatch.setenv(name, value)
    assert identify(HERE) == Identity("other-0", "other-0", "other-uid", "other-node", "12", "10.0.3.7")


@pytest.mark.usefixtures("token")
def test_what_the_user_says_wins_over_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_IP", "10.0.3.7")
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "12")
    who = identify(HERE, address="fd00::7", slot="")
    assert (who.address, who.slot) == ("fd00::7", "")


@pytest.mark.parametrize(
    ("pod_name", "slot"),
    [("trainer-0", "0"), ("trainer-12", "12"), ("trainer-0-x7k2p", ""), ("trainer", ""), ("job-123456", "")],
)
def test_the_ordinal_of_a_stateful_set_is_the_slot(pod_name: str, slot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAME", pod_name)
    assert identify(HERE).slot == slot


@pytest.mark.parametrize(
    "broken", ["", "no-dots", "a.!!!.c", "a." + base64.urlsafe_b64encode(b"\xff\xfe").decode() + ".c", token_of([1])]
)
def test_a_token_that_cannot_be_read_says_nothing(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "service_account_token", lambda: broken)
    assert identify(HERE).pod_uid == ""


@pytest.mark.parametrize("claims", [{"kubernetes.io": "x"}, {"kubernetes.io": {"pod": None, "node": None}}, {}])
def test_claims_of_another_issuer_say_nothing(claims: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "service_account_token", lambda: token_of(claims))
    assert identify(HERE).pod_uid == ""


@pytest.mark.parametrize("name", ["---", "", "ö"])
def test_a_host_whose_name_no_object_can_have_is_a_node(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    assert identify(HERE).name_prefix == "node"


def test_a_long_name_leaves_room_for_its_random_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAME", "x" * 199 + "-" + "y" * 53)
    assert identify(HERE).name_prefix == "x" * 199


def test_the_address_is_the_one_from_which_the_api_server_is_reached() -> None:
    assert identity.address_towards("https://127.0.0.1:6443") == "127.0.0.1"
    assert identity.address_towards("https://127.0.0.1") == "127.0.0.1"


def test_over_ipv6_the_address_is_an_ipv6_address() -> None:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.connect(("::1", 443))
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert identity.address_towards("https://[::1]:6443") == "::1"


def test_with_no_way_to_the_api_server_the_address_is_the_hosts_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setattr(socket, "getfqdn", lambda: "node-a.example")
    assert identity.address_towards("https://nowhere") == "node-a.example"
