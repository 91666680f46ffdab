"""Reads what an answer needs from the API server, and writes `spec.closed`."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, ApiUnavailableError, Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.cluster.credentials import CredentialsError
from kube_rendezvous.cluster.refusals import explain_failure
from kube_rendezvous.cluster.slice_list import with_names
from kube_rendezvous.cluster.watcher import Watcher
from kube_rendezvous.resources import (
    MEMBER_PLURAL,
    RENDEZVOUS_PLURAL,
    MalformedMemberError,
    Member,
    Rendezvous,
    RendezvousStatus,
    parse_member,
    parse_rendezvous,
)
from kube_rendezvous.resources.names import collection_path, is_object_name, object_path
from kube_rendezvous.resources.rendezvous_slice import carried_over
from kube_rendezvous.resources.timestamps import parse_time
from kube_rendezvous_core import ObservedEviction, ObservedNode, ObservedOwner, ObservedPodGroup, OwnerRef
from kube_rendezvous_core.formation.evictions import EVICTIONS_REQUESTED
from kube_rendezvous_core.observed.eviction_reading import API as EVICTION_API
from kube_rendezvous_core.observed.eviction_reading import (
    EVICTION_REQUESTS,
    EVICTIONS,
    deciding,
    read_eviction,
    read_eviction_request,
)
from kube_rendezvous_core.observed.owner_reading import COLLECTIONS, read_owner
from kube_rendezvous_core.observed.pod_group_reading import POD_GROUPS, read_pod_group
from kubectl_rendezvous.errors import CommandError
from kubectl_rendezvous.heartbeats import not_before_heartbeats
from kubectl_rendezvous.near_names import nearest
from kubectl_rendezvous.observation import Observation, SeenPod, SeenRendezvous
from kubectl_rendezvous.pod_reading import read_node, read_pod
from kubectl_rendezvous.wording import count, listed

CLOSE_NOTE = "rendezvous.dev/close-reason"
"""Annotation with what the person who closed it gave as a reason."""

_NODES_ONE_BY_ONE = 20


def connect(kubeconfig: str | None, context: str | None) -> Connection:
    """Connect as kubectl would.

    Raises:
        CommandError: no credentials.
    """
    if kubeconfig and not Path(kubeconfig).is_file():
        raise CommandError(f"There is no kubeconfig at {kubeconfig}: correct --kubeconfig, or leave it out")
    try:
        return Connection.open(kubeconfig, context)
    except CredentialsError as error:
        cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
        raise CommandError(
            f"No way to a cluster{cause}: set KUBECONFIG, or pass --kubeconfig FILE and --context NAME; "
            "`kubectl config get-contexts` lists what there is"
        ) from error


def in_words(failure: ApiFailureError, namespace: str) -> CommandError:
    """What a failed request means for the reader."""
    if isinstance(failure, ApiUnavailableError):
        said = f"{failure.status} {failure.message}".strip() if failure.status else failure.message
        return CommandError(
            f"The API server does not answer ({said}): `kubectl cluster-info` tells whether it is there"
        )
    return CommandError(explain_failure(failure, namespace))


class Reader:
    """Reads one namespace.

    Args:
        connection: to the API server.
        namespace: None: the one that goes with the credentials.
    """

    def __init__(self, connection: Connection, namespace: str | None = None) -> None:
        self.connection = connection
        self.namespace = namespace or connection.namespace
        self._known: dict[str, RendezvousStatus] = {}

    def raw_rendezvous(self, *, everywhere: bool = False) -> list[dict[str, Any]]:
        """All Rendezvous of the namespace, or of the cluster, as the API server shows them."""
        return self._list(collection_path(RENDEZVOUS_PLURAL, None if everywhere else self.namespace))

    def rendezvous(self, name: str) -> SeenRendezvous:
        """One Rendezvous.

        Raises:
            CommandError: there is none; with names that may be meant and pods that are labelled for it.
        """
        return self.named(self._unnamed(name))

    def named(self, seen: SeenRendezvous) -> SeenRendezvous:
        """It, or a newer version of it, with all that a large round says in slices, which are read if they are new.

        Raises:
            CommandError: they cannot be read.
        """
        rendezvous, newest = seen.rendezvous, seen
        known = self._known.get(rendezvous.name)
        if known is not None:
            rendezvous = replace(rendezvous, status=carried_over(rendezvous.status, known))
        if not rendezvous.status.is_unread:
            return replace(seen, rendezvous=rendezvous)

        def again() -> Rendezvous:
            nonlocal newest
            newest = self._unnamed(rendezvous.name)
            return newest.rendezvous

        try:
            rendezvous = with_names(self.connection, rendezvous, again)
        except ApiFailureError as failure:
            raise in_words(failure, self.namespace) from failure
        self._known[rendezvous.name] = rendezvous.status
        return replace(newest, rendezvous=rendezvous)

    def _unnamed(self, name: str) -> SeenRendezvous:
        try:
            return read_rendezvous(self.connection.request("GET", object_path(RENDEZVOUS_PLURAL, self.namespace, name)))
        except ApiFailureError as failure:
            if failure.status == 404 and name in failure.message:
                raise self._not_found(name) from failure
            raise in_words(failure, self.namespace) from failure

    def observe(self, name: str) -> Observation:
        """Everything around one Rendezvous. What we may not read is left out and noted."""
        # The Rendezvous last: a status cannot be older than the Members that are held against it.
        noted: list[str] = []
        listed_members = self._list(collection_path(MEMBER_PLURAL, self.namespace), noted)
        members, unreadable = read_members(listed_members)
        raw_pods = self._optional(f"/api/v1/namespaces/{self.namespace}/pods", "pods", noted)
        seen = self.rendezvous(name)
        others = [o for o in map(read_rendezvous, self.raw_rendezvous()) if o.rendezvous.name != name]
        pods = tuple(map(read_pod, raw_pods)) if raw_pods is not None else None
        own = tuple(m for m in members if m.rendezvous == name)
        unreadable = {obj: text for obj, text in unreadable.items() if _names(listed_members, obj) == name}
        return Observation(
            now=not_before_heartbeats(datetime.now(UTC), own),
            seen=seen,
            others=tuple(others),
            members=own,
            other_members=tuple(m for m in members if m.rendezvous != name),
            pods=pods,
            nodes=self.nodes(node_names(own, pods or (), name), noted),
            owners=self._owners(name, pods or ()),
            groups=self._groups(name, pods or ()),
            evictions=self._evictions(seen),
            unreadable_members=tuple(unreadable.values()),
            notes=tuple(noted),
        )

    def nodes(self, names: Iterable[str], noted: list[str]) -> Mapping[str, ObservedNode] | None:
        """Nodes by name; None if we may not read them."""
        wanted = sorted(set(names))
        if len(wanted) > _NODES_ONE_BY_ONE:
            raw = self._optional("/api/v1/nodes", "nodes", noted)
            return None if raw is None else {n.name: n for n in map(read_node, raw) if n.name in set(wanted)}
        found: dict[str, ObservedNode] = {}
        for name in wanted:
            if not is_object_name(name):  # a member writes there what it likes
                found[name] = ObservedNode(name=name, gone=True)
                continue
            try:
                found[name] = read_node(self.connection.request("GET", f"/api/v1/nodes/{name}"))
            except ApiFailureError as failure:
                if failure.status == 403:
                    noted.append(_may_not_read("nodes", None))
                    return None
                if failure.status != 404:
                    raise in_words(failure, self.namespace) from failure
                found[name] = ObservedNode(name=name, gone=True)
        return found

    def _groups(self, name: str, pods: Iterable[SeenPod]) -> Mapping[OwnerRef, ObservedPodGroup | None]:
        """The PodGroups of the labelled pods; None, without a word, for what cannot be read."""
        seen = (pod.observed for pod in pods if pod.label == name and pod.observed is not None)
        found: dict[OwnerRef, ObservedPodGroup | None] = {}
        for ref in sorted({pod.group for pod in seen if pod.group is not None}):
            api, plural = POD_GROUPS[ref.kind]
            found[ref] = None
            with contextlib.suppress(ApiFailureError, KeyError, ValueError, TypeError, AttributeError):
                path = f"{api}/namespaces/{self.namespace}/{plural}/{ref.name}"
                found[ref] = read_pod_group(ref, self.connection.request("GET", path))
        return found

    def _evictions(self, seen: SeenRendezvous) -> Mapping[str, ObservedEviction]:
        """What asks for the eviction of pods; not looked for where the operator does not say that something does."""
        conditions = seen.rendezvous.status.conditions
        if not any(one.type == EVICTIONS_REQUESTED and one.status == "True" for one in conditions):
            return {}
        path = f"{EVICTION_API}/namespaces/{self.namespace}"
        try:
            evictions = [read_eviction(obj) for obj in self._list(f"{path}/{EVICTIONS}")]
            requests = [read_eviction_request(obj) for obj in self._list(f"{path}/{EVICTION_REQUESTS}")]
        except (CommandError, KeyError, ValueError, TypeError, AttributeError):
            return {}
        return deciding(evictions, requests)

    def _owners(self, name: str, pods: Iterable[SeenPod]) -> tuple[ObservedOwner, ...]:
        """What made the labelled pods; left out without a word if we may not read it."""
        found: list[ObservedOwner] = []
        for ref in sorted({pod.owner for pod in pods if pod.label == name and pod.owner is not None}):
            api, plural = COLLECTIONS[ref.kind]
            try:
                obj = self.connection.request("GET", f"{api}/namespaces/{self.namespace}/{plural}/{ref.name}")
                found.append(read_owner(ref, obj, name))
            except (ApiFailureError, KeyError, ValueError, TypeError, AttributeError):
                continue
        return tuple(found)

    def set_closed(self, name: str, closed: bool, note: str | None) -> None:
        """Write `spec.closed`, and the reason as an annotation (None removes it)."""
        body = {"metadata": {"annotations": {CLOSE_NOTE: note}}, "spec": {"closed": closed}}
        path = object_path(RENDEZVOUS_PLURAL, self.namespace, name)
        try:
            self.connection.request("PATCH", path, body=body, content_type=MERGE_PATCH)
        except ApiFailureError as failure:
            raise in_words(failure, self.namespace) from failure

    def wait_until(self, name: str, holds: Callable[[Rendezvous], bool], seconds: float) -> SeenRendezvous | None:
        """Watch one Rendezvous until something holds; None if it did not in time, or the object is gone."""
        waiting = _WaitingFor(holds)
        watcher = Watcher(
            self.connection,
            collection_path(RENDEZVOUS_PLURAL, self.namespace),
            {"fieldSelector": f"metadata.name={name}"},
            waiting,
            name="waiting for the status",
        )
        watcher.start()
        try:
            waiting.over.wait(seconds)
        finally:
            watcher.stop()
        return waiting.found

    def _list(self, path: str, noted: list[str] | None = None) -> list[dict[str, Any]]:
        try:
            items: list[dict[str, Any]] = self.connection.request("GET", path).get("items") or []
        except ApiFailureError as failure:
            if noted is not None and failure.status == 403:
                noted.append(_may_not_read(f"{MEMBER_PLURAL}.rendezvous.dev", self.namespace))
                return []
            raise in_words(failure, self.namespace) from failure
        return items

    def _optional(self, path: str, what: str, noted: list[str]) -> list[dict[str, Any]] | None:
        try:
            items: list[dict[str, Any]] = self.connection.request("GET", path).get("items") or []
        except ApiFailureError as failure:
            if failure.status != 403:
                raise in_words(failure, self.namespace) from failure
            noted.append(_may_not_read(what, self.namespace if what == "pods" else None))
            return None
        return items

    def _not_found(self, name: str) -> CommandError:
        near = nearest(name, [obj["metadata"]["name"] for obj in self.raw_rendezvous()])
        text = f"There is no Rendezvous {name} in namespace {self.namespace}"
        if near:
            text += f"; did you mean {listed(near)}?"
        else:
            text += ": `kubectl rendezvous list -A` shows those of all namespaces"
        pods = [read_pod(pod) for pod in self._optional(f"/api/v1/namespaces/{self.namespace}/pods", "pods", []) or ()]
        labelled = [pod.name for pod in pods if pod.label == name]
        if labelled:
            text += f" ({count(len(labelled), 'pod')} labelled for it: {listed(labelled)})"
        return CommandError(text)


def read_rendezvous(obj: Mapping[str, Any]) -> SeenRendezvous:
    """Read a Rendezvous with its creation time and the reason for which a person closed it."""
    meta = obj["metadata"]
    note = (meta.get("annotations") or {}).get(CLOSE_NOTE, "")
    return SeenRendezvous(parse_rendezvous(obj), parse_time(meta["creationTimestamp"]), note)


def read_members(objects: Iterable[Mapping[str, Any]]) -> tuple[list[Member], dict[str, str]]:
    """Members, and what is wrong with those that cannot be read, by name."""
    members: list[Member] = []
    unreadable: dict[str, str] = {}
    for obj in objects:
        try:
            members.append(parse_member(obj))
        except MalformedMemberError as error:
            unreadable[str((obj.get("metadata") or {}).get("name", ""))] = str(error)
    return members, unreadable


def node_names(members: Iterable[Member], pods: Iterable[SeenPod], name: str) -> set[str]:
    """Nodes on which members run or pods that are labelled for the Rendezvous."""
    places = {m.node_name for m in members} | {p.node_name for p in pods if p.label == name}
    return places - {""}


def _names(objects: Iterable[Mapping[str, Any]], name: str) -> Any:
    """Which Rendezvous a Member that cannot be read names."""
    return next((o.get("spec", {}).get("rendezvous") for o in objects if o["metadata"]["name"] == name), None)


def _may_not_read(what: str, namespace: str | None) -> str:
    if namespace is None:
        grant = f"kubectl create clusterrole read-{what} --verb=get,list,watch --resource={what}"
        return (
            f"We may not read {what}, so that nothing is known of them; the right: `{grant}` and a clusterrolebinding"
        )
    short = what.split(".")[0]
    grant = f"kubectl -n {namespace} create role read-{short} --verb=get,list,watch --resource={what}"
    text = f"We may not read {what} in {namespace}, so that nothing is known of them"
    return f"{text}; the right: `{grant}` and a rolebinding"


class _WaitingFor:
    """Listens until a Rendezvous is as it should be."""

    def __init__(self, holds: Callable[[Rendezvous], bool]) -> None:
        self._holds = holds
        self.over = threading.Event()
        self.found: SeenRendezvous | None = None

    def relisted(self, objects: list[dict[str, Any]]) -> None:
        if not objects:
            self.over.set()
        for obj in objects:
            self.changed(obj)

    def changed(self, obj: dict[str, Any]) -> None:
        seen = read_rendezvous(obj)
        if not self.over.is_set() and self._holds(seen.rendezvous):
            self.found = seen
            self.over.set()

    def removed(self, obj: dict[str, Any]) -> None:
        self.over.set()

    def troubled(self, failure: ApiFailureError) -> None:
        if isinstance(failure, ApiRefusedError):
            self.over.set()

    def connected(self) -> None:
        pass
