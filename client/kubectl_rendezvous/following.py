"""Follows one Rendezvous, its Members and its pods by watches; nothing is polled."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from kube_rendezvous.cluster.watcher import Watcher
from kube_rendezvous.resources import MEMBER_PLURAL, RENDEZVOUS_PLURAL
from kube_rendezvous.resources.names import collection_path
from kube_rendezvous_core import ObservedNode
from kube_rendezvous_core.observed.pod_reading import NAME_LABEL
from kubectl_rendezvous.errors import CommandError
from kubectl_rendezvous.heartbeats import not_before_heartbeats
from kubectl_rendezvous.observation import Observation
from kubectl_rendezvous.pod_reading import read_pod
from kubectl_rendezvous.reading import Reader, in_words, node_names, read_members, read_rendezvous
from kubectl_rendezvous.watched_collection import WatchedCollection


class Following:
    """Newest `Observation`s of one Rendezvous, for use in a ``with`` statement.

    Args:
        reader: of its namespace.
        first: what was read when the watch began; tells the name.
    """

    def __init__(self, reader: Reader, first: Observation) -> None:
        self._reader = reader
        self._newest = first
        self._nodes: dict[str, ObservedNode] | None = None if first.nodes is None else dict(first.nodes)
        self._news = threading.Event()
        self._unnamed = ""
        self._rendezvous, self._members, self._pods = (WatchedCollection(self._news) for _ in range(3))
        name = first.name
        own = {
            self._rendezvous: (collection_path(RENDEZVOUS_PLURAL, reader.namespace), f"metadata.name={name}"),
            self._members: (collection_path(MEMBER_PLURAL, reader.namespace), f"spec.rendezvous={name}"),
        }
        self._watchers = [
            Watcher(reader.connection, path, {"fieldSelector": selector}, listener, name=f"watch of {path}")
            for listener, (path, selector) in own.items()
        ]
        if first.pods is not None:
            path = f"/api/v1/namespaces/{reader.namespace}/pods"
            selector = {"labelSelector": f"{NAME_LABEL}={name}"}
            self._watchers.append(Watcher(reader.connection, path, selector, self._pods, name=f"watch of {path}"))

    def __enter__(self) -> Self:
        for watcher in self._watchers:
            watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watcher in self._watchers:
            watcher.stop()

    @property
    def trouble(self) -> str:
        """Why what is shown may be old; "" if it is not."""
        return self._rendezvous.trouble or self._members.trouble or self._unnamed

    def wait(self, seconds: float) -> Observation | None:
        """Wait for a change, that long at the most.

        Returns:
            What holds now; None: the Rendezvous was deleted.

        Raises:
            CommandError: the API server refuses to be asked.
        """
        self._news.wait(seconds)
        self._news.clear()
        watched = (self._rendezvous, self._members)
        refused = next((c.refused for c in watched if c.refused is not None and not c.complete), None)
        # Asked before the objects: what is complete then is among them.
        complete, pods_complete = all(c.complete for c in watched), self._pods.complete
        # The Rendezvous last: a status cannot be older than the Members that are held against it.
        members, pods, rendezvous = (c.objects for c in (self._members, self._pods, self._rendezvous))
        if refused is not None:
            raise in_words(refused, self._reader.namespace)
        if not complete:
            return self._newest
        if not rendezvous:
            return None
        try:
            seen = self._reader.named(read_rendezvous(rendezvous[0]))
        except CommandError as error:  # of a large round; it is tried again with the next heartbeat
            self._unnamed = str(error)
            return self._newest
        self._unnamed = ""
        own, unreadable = read_members(members)
        seen_pods = tuple(map(read_pod, pods)) if self._newest.pods is not None else None
        if seen_pods is not None and not pods_complete:
            seen_pods = self._newest.pods
        self._newest = replace(
            self._newest,
            now=not_before_heartbeats(datetime.now(UTC), own),
            seen=seen,
            members=tuple(own),
            pods=seen_pods,
            nodes=self._nodes_of(node_names(own, seen_pods or (), self._newest.name)),
            unreadable_members=tuple(unreadable.values()),
        )
        return self._newest

    def _nodes_of(self, names: set[str]) -> Mapping[str, ObservedNode] | None:
        """Labels of nodes hardly change: each node is read once."""
        if self._nodes is None:
            return None
        new = names - self._nodes.keys()
        found = self._reader.nodes(new, []) if new else {}
        if found is None:
            self._nodes = None
            return None
        self._nodes |= found
        return self._nodes
