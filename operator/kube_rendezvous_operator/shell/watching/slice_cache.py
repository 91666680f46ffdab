"""Informer for RendezvousSlices: the operator writes them and need not read them, but hears which are deleted.

Optional, as that for pods: without it, a slice that somebody deletes is missed by the next operator that starts.
"""

from collections import OrderedDict
from collections.abc import Callable

from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.printable_text import one_line
from kube_rendezvous.resources import SLICE_PLURAL
from kube_rendezvous.resources.names import collection_path
from kube_rendezvous_operator.shell.monitoring.measurements import Measurements
from kube_rendezvous_operator.shell.watching.member_cache import Key
from kube_rendezvous_operator.shell.watching.optional_informer import OptionalInformer

_GONE_REMEMBERED = 10_000
"""Names: those of slices that a few hundred rounds have superseded are among them."""

Name = tuple[str, str]
"""Namespace and name of a slice."""


class SliceCache(OptionalInformer):
    """Which slices of one namespace, or (None) of the cluster, have been deleted lately. Thread-safe.

    Args:
        connection: to the API server.
        namespace: what to watch.
        wake: called with the Rendezvous and the digest of each slice that is deleted.
        measure: told what is to be counted.
    """

    what = "RendezvousSlices"
    loss = "one that somebody deletes is not made again"
    allow = "Update the resource definitions and allow the operator list and watch on rendezvousslices"

    def __init__(
        self,
        connection: Connection,
        namespace: str | None,
        wake: Callable[[Key, str], None],
        measure: Measurements | None = None,
    ) -> None:
        path = collection_path(SLICE_PLURAL, namespace)
        super().__init__(connection, path, {}, f"rendezvousslices-{namespace or 'all'}", measure)
        self._wake = wake
        self._there: dict[Name, Key] = {}
        self._gone: OrderedDict[Name, None] = OrderedDict()

    def is_gone(self, namespace: str, name: str) -> bool:
        """Whether this slice was deleted, as far as is known."""
        with self._lock:
            return (namespace, name) in self._gone

    def relisted(self, objects: list[Object]) -> None:
        """See `WatchListener`."""
        there = {_name(obj) for obj in objects}
        with self._lock:
            missing = [name for name in self._there if name not in there]
        for name in missing:
            self._forget(name)
        for obj in objects:
            self.changed(obj)
        self.are_known()

    def changed(self, obj: Object) -> None:
        """See `WatchListener`."""
        key = self.readable(obj, _rendezvous)
        if key is not None:
            with self._lock:
                self._there[_name(obj)] = key
                self._gone.pop(_name(obj), None)

    def removed(self, obj: Object) -> None:
        """See `WatchListener`."""
        self.changed(obj)
        self._forget(_name(obj))

    def _forget(self, name: Name) -> None:
        with self._lock:
            key = self._there.pop(name, None)
            if key is None:
                return
            self._gone[name] = None
            if len(self._gone) > _GONE_REMEMBERED:
                self._gone.popitem(last=False)
        self._wake(key, name[1].removeprefix(f"{key[1]}-"))


def _name(obj: Object) -> Name:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _rendezvous(obj: Object) -> Key:
    return obj["metadata"]["namespace"], one_line(obj["spec"]["rendezvous"])
