"""What the operator remembers of Evictions and EvictionRequests, and which pods' rendezvous their changes wake."""

import logging
from typing import Any

import pytest

from kube_rendezvous.cluster import ApiRefusedError
from kube_rendezvous_core.observed.eviction_reading import deciding
from kube_rendezvous_operator.shell.watching.eviction_cache import EvictionCache, EvictionRequestCache, Evictions

NOWHERE: Any = object()
"""Never used: the caches are told by the test what their watch would tell them."""


def request(uid: str, pod: str, intent: str = "Eviction", namespace: str = "team-a") -> dict[str, Any]:
    """A request for the eviction of a pod."""
    return {
        "metadata": {"name": f"r-{uid}", "namespace": namespace, "uid": uid, "resourceVersion": "1"},
        "spec": {"requester": "a.example/b", "intent": intent, "target": {"pod": {"name": "p", "uid": pod}}},
    }


def eviction(uid: str, pod: str, state: str) -> dict[str, Any]:
    """An Eviction of a pod by Kubernetes' own evictor."""
    made = request(uid, pod)
    return made | {"status": {"targetResponders": [{"name": "x.k8s.io/y", "state": state}]}}


@pytest.fixture
def woken() -> list[tuple[str, str]]:
    """Namespace and pod, each time."""
    return []


@pytest.fixture
def requests(woken: list[tuple[str, str]]) -> EvictionRequestCache:
    return EvictionRequestCache(NOWHERE, None, lambda *it: woken.append(it))


def asked_for(cache: EvictionRequestCache) -> set[str]:
    return {one.pod_uid for one in cache.of("team-a") if one.asks}


def test_what_comes_changes_and_goes_wakes_its_pod(
    requests: EvictionRequestCache, woken: list[tuple[str, str]]
) -> None:
    requests.relisted([request("1", "p"), request("2", "q", namespace="team-b")])
    assert (asked_for(requests), woken) == ({"p"}, [("team-a", "p"), ("team-b", "q")])
    requests.changed(request("1", "p", "Withdrawn"))
    assert asked_for(requests) == set()
    requests.removed(request("1", "p", "Withdrawn"))
    requests.relisted([])
    assert woken[2:] == [("team-a", "p"), ("team-a", "p"), ("team-b", "q")]
    assert requests.of("team-b") == []


def test_one_that_cannot_be_read_is_forgotten_and_blinds_nobody(requests: EvictionRequestCache) -> None:
    requests.relisted([request("1", "p"), request("2", "q") | {"spec": None}])
    assert asked_for(requests) == {"p"}
    requests.changed(request("1", "p") | {"spec": None})
    assert asked_for(requests) == set()


def test_an_eviction_decides_and_a_request_only_where_there_is_none(requests: EvictionRequestCache) -> None:
    evictions = EvictionCache(NOWHERE, None, lambda *_: None)
    requests.relisted([request("1", "p"), request("2", "q")])
    evictions.relisted([eviction("3", "p", "Inactive")])
    decide = deciding(evictions.of("team-a"), requests.of("team-a"))
    assert {uid: one.asks for uid, one in decide.items()} == {"p": False, "q": True}
    requests.changed(request("4", "q", "Withdrawn"))
    assert deciding([], requests.of("team-a"))["q"].asks, "one of two is withdrawn"


def test_nothing_is_asked_for_where_nobody_wants_it() -> None:
    nothing = Evictions(NOWHERE, (), lambda *_: None)
    assert (nothing.informers, nothing.of("team-a")) == ((), {})
    assert len(Evictions(NOWHERE, ("a", "b"), lambda *_: None).informers) == 4


def test_an_api_that_is_absent_costs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    both = Evictions(NOWHERE, (None,), lambda *_: None)
    with caplog.at_level(logging.WARNING):
        for informer in both.informers:
            for _ in range(3):
                informer.troubled(ApiRefusedError("GET", 404, "NotFound", "the server could not find it"))
    (line,) = caplog.records
    assert line.getMessage().startswith("Evictions cannot be watched, so nobody is handed over")
    assert all(informer.settled.is_set() for informer in both.informers)
