"""Informers for labelled Pods and for Nodes: what surrounds the members. Both are optional: without the right to see
them the operator works by heartbeats alone, and says so once."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous_core import ObservedNode, ObservedPod, OwnerRef
from kube_rendezvous_core.observed.pod_reading import NAME_LABEL, read_node, read_pod
from kube_rendezvous_operator.shell.monitoring.measurements import Measurements
from kube_rendezvous_operator.shell.watching.member_cache import Key
from kube_rendezvous_operator.shell.watching.optional_informer import OptionalInformer

_log = logging.getLogger(__name__)

_GONE_REMEMBERED = 10_000  # of each namespace: nobody makes us forget those of another
_OWNERS_REMEMBERED = 8  # of one rendezvous: who starts a job anew under another name leaves the old name behind
_KEYS_REMEMBERED = 1000
_GONE_NODES_REMEMBERED = 1000  # a node is some kilobytes of labels, and an autoscaler makes new names every day


class PodCache(OptionalInformer):
    """Pods with the label `rendezvous.dev/name`, of one namespace or (None) of the cluster. Thread-safe."""

    what = "Pods"
    loss = "a lost pod is noticed by its heartbeat only"
    allow = "Allow the operator list and watch on pods"

    def __init__(
        self,
        connection: Connection,
        namespace: str | None,
        wake: Callable[[Key], None],
        measure: Measurements | None = None,
    ) -> None:
        scope = f"/namespaces/{namespace}" if namespace else ""
        super().__init__(
            connection, f"/api/v1{scope}/pods", {"labelSelector": NAME_LABEL}, f"pods-{namespace or 'all'}", measure
        )
        self._wake = wake
        self._by_key: dict[Key, dict[str, ObservedPod]] = {}
        self._key_of: dict[str, Key] = {}
        self._gone: dict[str, OrderedDict[str, None]] = {}
        self._owners: OrderedDict[Key, OrderedDict[OwnerRef, None]] = OrderedDict()
        self._changes: dict[Key, int] = {}
        self._change = 0

    def pods(self, key: Key) -> dict[str, ObservedPod]:
        """The pods of one Rendezvous, by UID."""
        with self._lock:
            return dict(self._by_key.get(key, {}))

    def owners(self, key: Key) -> tuple[OwnerRef, ...]:
        """What made its pods, also those that are gone."""
        with self._lock:
            return tuple(self._owners.get(key, ()))

    def version(self, key: Key) -> int:
        """A number that changes with its pods."""
        with self._lock:
            return self._changes.get(key, 0)

    def gone(self, namespace: str) -> Container[str]:
        """UIDs of pods of a namespace whose end was seen; a live view."""
        return self._gone.get(namespace, {}).keys()

    def labels(self) -> Mapping[str, Key]:
        """Which rendezvous each known pod is labelled for, by UID; a live view."""
        return MappingProxyType(self._key_of)

    def relisted(self, objects: list[Object]) -> None:
        """See `WatchListener`."""
        with self._lock:
            there = {obj["metadata"]["uid"] for obj in objects}
            woken = {self._bury(uid) for uid in list(self._key_of) if uid not in there}
            for obj in objects:
                woken |= self._take(obj)
        self.are_known()
        for key in woken:
            self._wake(key)

    def changed(self, obj: Object) -> None:
        """See `WatchListener`."""
        with self._lock:
            keys = self._take(obj)
        for key in keys:
            self._wake(key)

    def removed(self, obj: Object) -> None:
        """See `WatchListener`."""
        meta = obj["metadata"]
        with self._lock:
            # Without a deletionTimestamp it has only lost the label: it lives, and we know nothing more of it.
            bury = self._bury if "deletionTimestamp" in meta else self._forget
            key = bury(meta["uid"]) if meta["uid"] in self._key_of else None
        if key is not None:
            self._wake(key)

    def _take(self, obj: Object) -> set[Key]:
        """Store a pod; return whose it is, and whose it was, if something about it changed."""
        meta = obj["metadata"]
        pod, key = self.readable(obj, read_pod), (meta["namespace"], meta["labels"][NAME_LABEL])
        if pod is None:
            return {self._forget(meta["uid"])} if meta["uid"] in self._key_of else set()
        before = self._key_of.get(pod.uid, key)
        if before != key:
            self._forget(pod.uid)
        pods = self._by_key.setdefault(key, {})
        if pods.get(pod.uid) == pod:
            return set()
        pods[pod.uid] = pod
        self._key_of[pod.uid] = key
        self._count_change(key)
        if pod.owner is not None:
            self._remember_owner(key, pod.owner)
        return {before, key}

    def _forget(self, uid: str) -> Key:
        key = self._key_of.pop(uid)
        pods = self._by_key[key]
        del pods[uid]
        self._count_change(key)
        if not pods:
            del self._by_key[key]
            if key not in self._owners:
                del self._changes[key]
        return key

    def _count_change(self, key: Key) -> None:
        self._change += 1
        self._changes[key] = self._change

    def _remember_owner(self, key: Key, owner: OwnerRef) -> None:
        owners = self._owners.pop(key, OrderedDict())
        owners.pop(owner, None)
        owners[owner] = None
        if len(owners) > _OWNERS_REMEMBERED:
            owners.popitem(last=False)
        self._owners[key] = owners
        for forgotten in [self._owners.popitem(last=False)[0] for _ in range(len(self._owners) - _KEYS_REMEMBERED)]:
            if forgotten not in self._by_key:
                self._changes.pop(forgotten, None)

    def _bury(self, uid: str) -> Key:
        key = self._forget(uid)
        gone = self._gone.setdefault(key[0], OrderedDict())
        gone[uid] = None
        if len(gone) > _GONE_REMEMBERED:
            gone.popitem(last=False)
        return key


class NodeCache(OptionalInformer):
    """All nodes: their labels and whether they must be left. Thread-safe.

    Args:
        connection: to the API server.
        wake_all: called when something changed that every rendezvous should look at.
        measure: told what is to be counted.
        withheld: we are told that we may not see them: not even asked for.
    """

    what = "Nodes"
    loss = "ranks do not follow the topology and drained nodes are noticed by their pods only"
    allow = "Allow the operator list and watch on nodes (the chart's value topology.enabled)"

    def __init__(
        self,
        connection: Connection,
        wake_all: Callable[[], None],
        measure: Measurements | None = None,
        *,
        withheld: bool = False,
    ) -> None:
        super().__init__(connection, "/api/v1/nodes", {}, "nodes", measure)
        self._wake_all = wake_all
        self._withheld = withheld
        self._nodes: dict[str, ObservedNode] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()

    def start(self) -> None:
        """Begin to watch, or say that we do not."""
        if not self._withheld:
            super().start()
            return
        self.refused = True
        self.settled.set()
        text = "Nodes are not watched (--no-nodes), so %s. %s and start the operator without --no-nodes"
        _log.warning(text, self.loss, self.allow)

    def nodes(self) -> Mapping[str, ObservedNode] | None:
        """By name, a live view: there may be thousands. None while they are not known."""
        return MappingProxyType(self._nodes) if self.synced.is_set() else None

    def relisted(self, objects: list[Object]) -> None:
        """See `WatchListener`."""
        read = (self.readable(obj, read_node) for obj in objects)
        there = {node.name: node for node in read if node is not None}
        with self._lock:
            ended = {name: replace(node, gone=True) for name, node in self._nodes.items() if name not in there}
            self._gone = OrderedDict.fromkeys([name for name in self._gone if name in ended])
            self._gone.update(dict.fromkeys(ended))
            self._nodes = {**ended, **there}
            self._forget_the_longest_gone()
        self.are_known()
        self._wake_all()

    def refusal_changed(self) -> None:
        """Who asks for topology is to know that there will be none."""
        self._wake_all()

    def changed(self, obj: Object) -> None:
        """See `WatchListener`."""
        self._put(self.readable(obj, read_node))

    def removed(self, obj: Object) -> None:
        """See `WatchListener`."""
        self._put(self.readable(obj, partial(read_node, gone=True)))

    def _put(self, node: ObservedNode | None) -> None:
        if node is None:
            return
        with self._lock:
            before = self._nodes.get(node.name)
            self._nodes[node.name] = node
            self._gone.pop(node.name, None)
            if node.gone:
                self._gone[node.name] = None
                self._forget_the_longest_gone()
        # Nodes report every few seconds; only what the core looks at is worth a look at every rendezvous.
        if before is None or (before.draining, before.gone) != (node.draining, node.gone):
            self._wake_all()

    def _forget_the_longest_gone(self) -> None:
        """With the lock held. In a new dictionary: somebody may be looking at the old one."""
        surplus = [self._gone.popitem(last=False)[0] for _ in range(len(self._gone) - _GONE_NODES_REMEMBERED)]
        if surplus:
            forgotten = frozenset(surplus)
            self._nodes = {name: node for name, node in self._nodes.items() if name not in forgotten}
