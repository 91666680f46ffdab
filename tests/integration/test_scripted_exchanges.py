"""The simulator's API server answers as a real one does: one script of requests and watches, and both must agree.

What is compared is what the simulated parts live on: which requests are refused and how, whether an object's version
and generation move, what lists hold and in which order, what watches tell and where they begin.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.resources import API_VERSION, MEMBER_PLURAL, RENDEZVOUS_PLURAL, member_manifest
from kube_rendezvous.resources.names import collection_path, object_path
from simulation.whole.api_server import ApiServer, RefusalError, events_of, selected

pytestmark = pytest.mark.core

Object = dict[str, Any]
SILENCE_SECONDS = 20.0


class Server(Protocol):
    """What the script talks to."""

    def request(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Object:
        """The answer; a refusal is an answer with ``refused``."""

    def events(self, plural: str, version: str, selector: str, count: int) -> list[tuple[str, Object]]:
        """The first events of a watch that begins after that version."""


class RealServer:
    """The API server of the tests."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection, self._namespace = connection, namespace

    def request(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Object:
        kind = {"content_type": MERGE_PATCH} if method == "PATCH" else {}
        try:
            return self._connection.request(method, path, query=query, body=body, **kind)
        except ApiFailureError as refusal:
            return {"refused": (refusal.status, refusal.reason)}

    def events(self, plural: str, version: str, selector: str, count: int) -> list[tuple[str, Object]]:
        query = {"watch": "1", "resourceVersion": version, **({"fieldSelector": selector} if selector else {})}
        stream = self._connection.stream(collection_path(plural, self._namespace), query=query, silence=SILENCE_SECONDS)
        try:
            lines = stream.lines()
            return [(event["type"], event["object"]) for event in (_parsed(next(lines)) for _ in range(count))]
        finally:
            stream.close()


class SimulatedServer:
    """The simulator's."""

    def __init__(self) -> None:
        self._server = ApiServer(lambda: datetime.now(UTC), lambda: 0.0, lambda *_: None)

    def request(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Object:
        try:
            return self._server.request(method, path, query, body)
        except RefusalError as refusal:
            return {"refused": (refusal.status, refusal.reason)}

    def events(self, plural: str, version: str, selector: str, count: int) -> list[tuple[str, Object]]:
        happened = self._server.since(plural, int(version))
        assert happened is not None
        found = [(event.type, event.object) for event in events_of(selected(selector), happened)]
        assert len(found) >= count, found
        return found[:count]


def _parsed(line: bytes) -> Object:
    event = json.loads(line)
    assert isinstance(event, dict)
    return event


@dataclass
class Transcript:
    """What a server answered, in words that do not depend on its clock, its UIDs or the size of its versions."""

    server: Server
    namespace: str
    lines: list[str] = field(default_factory=list)
    _versions: dict[str, int] = field(default_factory=dict)

    def ask(self, method: str, plural: str, name: str = "", part: str = "", body: Any = None, **query: str) -> Object:
        """Send a request, note the answer."""
        path = object_path(plural, self.namespace, name) if name else collection_path(plural, self.namespace)
        answer = self.server.request(method, path + part, query, body)
        self.lines.append(f"{method} {plural} {name}{part} {sorted(query)}: {self._worded(answer)}")
        return answer

    def watch(self, plural: str, version: str, count: int, selector: str = "") -> None:
        """Watch, note what it tells."""
        for kind, obj in self.server.events(plural, version, selector, count):
            self.lines.append(f"watch {plural} {selector}: {kind} {self._object(obj)}")

    def _worded(self, answer: Object) -> str:
        if "refused" in answer:
            status, reason = answer["refused"]
            return f"{status} {reason}"
        if "items" in answer:
            more = "and more" if answer["metadata"].get("continue") else "all"
            return f"{[self._object(item) for item in answer['items']]} {more}"
        return f"Status {answer['status']}" if answer.get("kind") == "Status" else self._object(answer)

    def _object(self, obj: Object) -> str:
        meta = obj["metadata"]
        version = self._versions.setdefault(meta["resourceVersion"], len(self._versions) + 1)
        wish = {key: obj["spec"].get(key) for key in ("minNodes", "maxNodes", "afterRound", "leaving")}
        said = {key: value for key, value in wish.items() if value}  # the real one writes defaults
        known = obj.get("status", {}).get("round")
        return f"{meta['name']} version {version} generation {meta['generation']} {said} round {known}"


def _rendezvous(name: str) -> Object:
    metadata = {"name": name}
    return {
        "apiVersion": API_VERSION,
        "kind": "Rendezvous",
        "metadata": metadata,
        "spec": {"minNodes": 1, "maxNodes": 4},
    }


def _member(name: str, uid: str) -> Object:
    manifest: Object = member_manifest(
        name=name, rendezvous="run", rendezvous_uid=uid, address="10.0.0.1", port=29500, renew_time=datetime.now(UTC)
    )
    return manifest


def objects_are_created_once_and_versions_move_with_changes_only(on: Transcript) -> None:
    made = on.ask("POST", RENDEZVOUS_PLURAL, body=_rendezvous("run"))
    on.ask("POST", RENDEZVOUS_PLURAL, body=_rendezvous("run"))
    on.ask("GET", RENDEZVOUS_PLURAL, "run")
    on.ask("GET", RENDEZVOUS_PLURAL, "missing")
    on.ask("PATCH", RENDEZVOUS_PLURAL, "run", body={"spec": {"maxNodes": 6}})
    on.ask("PATCH", RENDEZVOUS_PLURAL, "run", body={"spec": {"maxNodes": 6}})
    on.ask("PATCH", RENDEZVOUS_PLURAL, "missing", body={"spec": {"maxNodes": 6}})
    on.watch(RENDEZVOUS_PLURAL, made["metadata"]["resourceVersion"], 1)


def a_status_is_fenced_by_version_and_moves_no_generation(on: Transcript) -> None:
    made = on.ask("POST", RENDEZVOUS_PLURAL, body=_rendezvous("run"))
    on.ask("PATCH", RENDEZVOUS_PLURAL, "run", body={"spec": {"maxNodes": 6}})
    status = {"round": 1, "worldSize": 1, "state": "Active"}
    on.ask("PUT", RENDEZVOUS_PLURAL, "run", "/status", body={**made, "status": status})
    fresh = on.ask("GET", RENDEZVOUS_PLURAL, "run")
    written = on.ask("PUT", RENDEZVOUS_PLURAL, "run", "/status", body={**fresh, "status": status})
    on.ask("PUT", RENDEZVOUS_PLURAL, "run", "/status", body={**written, "status": status})
    on.ask("PUT", RENDEZVOUS_PLURAL, "run", "/status", body={**fresh, "status": {**status, "round": 2}})
    another = {**written, "metadata": {**written["metadata"], "uid": "of-an-earlier-one"}}
    on.ask("PUT", RENDEZVOUS_PLURAL, "run", "/status", body={**another, "status": {**status, "round": 2}})
    on.ask("PUT", RENDEZVOUS_PLURAL, "missing", "/status", body=_renamed(written, "missing"))
    on.ask("GET", RENDEZVOUS_PLURAL, "run")
    on.watch(RENDEZVOUS_PLURAL, made["metadata"]["resourceVersion"], 2)


def a_list_is_of_one_moment_in_the_order_of_names_whatever_happens_between_its_pages(on: Transcript) -> None:
    for name in ("m-2", "m-0", "m-4", "m-1", "m-3"):
        on.ask("POST", MEMBER_PLURAL, body=_member(name, "uid-of-run"))
    on.ask("GET", MEMBER_PLURAL)
    page = on.ask("GET", MEMBER_PLURAL, limit="2")
    on.ask("DELETE", MEMBER_PLURAL, "m-3")
    on.ask("PATCH", MEMBER_PLURAL, "m-4", body={"spec": {"leaving": True}})
    page = on.ask("GET", MEMBER_PLURAL, limit="2", **{"continue": page["metadata"]["continue"]})
    on.ask("GET", MEMBER_PLURAL, limit="2", **{"continue": page["metadata"]["continue"]})
    on.ask("GET", MEMBER_PLURAL)
    on.ask("GET", MEMBER_PLURAL, fieldSelector="metadata.name=m-1")
    on.ask("GET", MEMBER_PLURAL, fieldSelector="metadata.name=m-3")


def a_deletion_with_preconditions_is_of_that_object_in_that_version(on: Transcript) -> None:
    first = on.ask("POST", MEMBER_PLURAL, body=_member("m-0", "uid-of-run"))
    meta = first["metadata"]
    later = on.ask("PATCH", MEMBER_PLURAL, "m-0", body={"spec": {"afterRound": 3}})
    for wish in (
        {"uid": "another"},
        {"resourceVersion": meta["resourceVersion"]},
        {"uid": "another", **_version(later)},
    ):
        on.ask("DELETE", MEMBER_PLURAL, "m-0", body=_preconditions(wish))
    on.ask("DELETE", MEMBER_PLURAL, "m-0", body=_preconditions({"uid": meta["uid"], **_version(later)}))
    on.ask("DELETE", MEMBER_PLURAL, "m-0", body=_preconditions({"uid": meta["uid"]}))
    on.ask("PATCH", MEMBER_PLURAL, "m-0", body={"spec": {"afterRound": 4}})
    on.ask("POST", MEMBER_PLURAL, body=_member("m-0", "uid-of-run"))
    on.ask("DELETE", MEMBER_PLURAL, "m-0", body=_preconditions({"uid": meta["uid"]}))
    on.ask("DELETE", MEMBER_PLURAL, "m-0")
    on.watch(MEMBER_PLURAL, meta["resourceVersion"], 4)


def a_watch_goes_on_after_a_version_and_tells_what_it_selects(on: Transcript) -> None:
    on.ask("POST", MEMBER_PLURAL, body=_member("m-0", "uid-of-run"))
    begin = on.ask("GET", MEMBER_PLURAL)["metadata"]["resourceVersion"]
    on.ask("POST", MEMBER_PLURAL, body=_member("m-1", "uid-of-run"))
    on.ask("PATCH", MEMBER_PLURAL, "m-0", body={"spec": {"afterRound": 1}})
    on.ask("PATCH", MEMBER_PLURAL, "m-1", body={"spec": {"afterRound": 1}})
    on.ask("PATCH", MEMBER_PLURAL, "m-1", body={"spec": {"leaving": True}})
    on.ask("DELETE", MEMBER_PLURAL, "m-0")
    on.watch(MEMBER_PLURAL, begin, 5)
    on.watch(MEMBER_PLURAL, begin, 2, "metadata.name=m-0")
    on.watch(MEMBER_PLURAL, begin, 3, "metadata.name=m-1")


def _version(obj: Object) -> Object:
    return {"resourceVersion": obj["metadata"]["resourceVersion"]}


def _preconditions(wish: Object) -> Object:
    return {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": wish}


def _renamed(obj: Object, name: str) -> Object:
    return {**obj, "metadata": {"name": name}}


SCRIPTS: tuple[Callable[[Transcript], None], ...] = (
    objects_are_created_once_and_versions_move_with_changes_only,
    a_status_is_fenced_by_version_and_moves_no_generation,
    a_list_is_of_one_moment_in_the_order_of_names_whatever_happens_between_its_pages,
    a_deletion_with_preconditions_is_of_that_object_in_that_version,
    a_watch_goes_on_after_a_version_and_tells_what_it_selects,
)


@pytest.fixture
def real(anybody: Connection, namespace: str) -> Transcript:
    """The real one's, of a namespace in which nobody else is."""
    return Transcript(RealServer(anybody, namespace), namespace)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__.replace("_", " "))
def test_both_servers_say_the_same(script: Callable[[Transcript], None], real: Transcript) -> None:
    simulated = Transcript(SimulatedServer(), "sim")
    script(real)
    script(simulated)
    assert simulated.lines == real.lines
