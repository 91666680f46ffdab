"""Probes over HTTP, the pulses behind them, and the metrics' text."""

import http.client
from collections.abc import Callable, Iterator
from http import HTTPStatus

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kube_rendezvous_operator.shell.monitoring.metrics import CONTENT_TYPE, Metrics
from kube_rendezvous_operator.shell.monitoring.probes import ListenError, Probes, probe, sticky
from kube_rendezvous_operator.shell.monitoring.pulses import Pulses
from unit.shell.fake_clock import Clock

LIMIT_SECONDS = 30.0


@pytest.fixture
def complaints() -> list[str]:
    """What is wrong now."""
    return []


@pytest.fixture
def served(complaints: list[str]) -> Iterator[Probes]:
    pages = {"/readyz": probe(lambda: complaints, lambda: "ready"), "/startupz": probe(sticky(lambda: complaints), str)}
    probes = Probes("127.0.0.1:0", pages)
    probes.start()
    yield probes
    probes.stop()


@pytest.fixture
def get(served: Probes) -> Callable[..., tuple[int, str]]:
    def ask(path: str, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=LIMIT_SECONDS)
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    return ask


def test_a_probe_says_why_it_fails(get: Callable[..., tuple[int, str]], complaints: list[str]) -> None:
    assert get("/readyz?verbose=1") == (200, "ready\n")
    complaints += ["no members", "no workers"]
    assert get("/readyz") == (503, "no members\nno workers\n")


def test_what_has_started_has_started(get: Callable[..., tuple[int, str]], complaints: list[str]) -> None:
    complaints.append("not yet")
    assert get("/startupz")[0] == 503
    complaints.clear()
    assert get("/startupz")[0] == 200
    complaints.append("in trouble later")
    assert get("/startupz")[0] == 200


def test_other_pages_name_those_that_there_are(get: Callable[..., tuple[int, str]]) -> None:
    assert get("/") == (404, "There is only:\n/readyz\n/startupz\n")
    assert get("/readyz", "HEAD") == (200, "")


@pytest.mark.parametrize("address", ["a-word", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "192.0.2.1:8080"])
def test_an_address_that_cannot_be_listened_on_is_an_error_that_says_what_to_give(address: str) -> None:
    with pytest.raises(ListenError, match=r"--http .* cannot be listened on .*0\.0\.0\.0:8080"):
        Probes(address, {})


@pytest.mark.parametrize("address", [":0", "[::1]:0", "0.0.0.0:0"])
def test_any_interface_and_ipv6_can_be_listened_on(address: str) -> None:
    Probes(address, {}).stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_every_interface_is_that_of_either_family(host: str) -> None:
    """In a cluster of IPv6 alone the kubelet asks a pod's IPv6 address."""
    probes = Probes(":0", {"/x": lambda: (HTTPStatus.OK, "text/plain", b"here")})
    probes.start()
    try:
        connection = http.client.HTTPConnection(host, probes.port, timeout=LIMIT_SECONDS)
        connection.request("GET", "/x")
        assert connection.getresponse().read() == b"here"
        connection.close()
    finally:
        probes.stop()


def test_a_port_that_is_taken_on_every_interface_is_said() -> None:
    first = Probes(":0", {})
    with pytest.raises(ListenError, match="cannot be listened on"):
        Probes(f":{first.port}", {})
    first.stop()


def test_only_a_loop_that_is_at_something_for_too_long_is_stuck(clock: Clock) -> None:
    pulses = Pulses(60)
    pulses.beat("worker-0")
    pulses.beat("worker-1")
    pulses.end("worker-1")
    clock.now += 50
    assert pulses.stuck() == []
    pulses.beat("kopf")
    clock.now += 20
    assert pulses.stuck() == ["worker-0 has done nothing for 70 s"]
    pulses.beat("worker-0")
    assert pulses.stuck() == []


def test_metrics_have_the_promised_names_and_only_bounded_labels() -> None:
    metrics = Metrics(lambda: True)
    metrics.count_at_scrape(lambda: {"ranked": 8}, lambda: {"Active": 1})
    metrics.request("GET", 200, "/apis/x")
    metrics.request("BREW", 0, "/apis/x")
    metrics.watch_restarted("pods", "expired")
    metrics.reconciled(0.01)
    metrics.round_ended("formed")
    metrics.round_formed(2.0)
    metrics.told(0.02)
    families = {family.name: family for family in text_string_to_metric_families(metrics.text().decode())}
    ours = {name: family for name, family in families.items() if name.startswith("kube_rendezvous_")}
    labels = {name: {label for sample in family.samples for label in sample.labels} for name, family in ours.items()}
    assert labels == {
        "kube_rendezvous_rounds": {"outcome"},
        "kube_rendezvous_round_duration_seconds": {"le"},
        "kube_rendezvous_loss_to_told_seconds": {"le"},
        "kube_rendezvous_members": {"state"},
        "kube_rendezvous_rendezvous": {"state"},
        "kube_rendezvous_reconcile_seconds": {"le"},
        "kube_rendezvous_watch_restarts": {"resource", "reason"},
        "kube_rendezvous_api_requests": {"verb", "code"},
        "kube_rendezvous_leader": set(),
    }
    values = {(s.name, *s.labels.values()): s.value for family in ours.values() for s in family.samples}
    assert values["kube_rendezvous_api_requests_total", "none", "other"] == 1
    assert values["kube_rendezvous_leader",] == 1
    assert all(family.documentation for family in ours.values())
    assert "version=0.0.4" in CONTENT_TYPE


def test_two_operators_in_one_process_do_not_share_their_metrics() -> None:
    one, other = Metrics(lambda: True), Metrics(lambda: False)
    one.told(1.0)
    assert "kube_rendezvous_loss_to_told_seconds_count 1.0" in one.text().decode()
    assert "kube_rendezvous_loss_to_told_seconds_count 0.0" in other.text().decode()
    assert "kube_rendezvous_leader 0.0" in other.text().decode()
