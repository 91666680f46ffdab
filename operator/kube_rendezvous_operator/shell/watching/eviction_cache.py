"""Informers for Evictions and EvictionRequests: off unless asked for, and optional, as pods and nodes are."""

from collections.abc import Callable, Iterable, Mapping

from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous_core import ObservedEviction
from kube_rendezvous_core.observed.eviction_reading import (
    API,
    EVICTION_REQUESTS,
    EVICTIONS,
    deciding,
    read_eviction,
    read_eviction_request,
)
from kube_rendezvous_operator.shell.monitoring.measurements import Measurements
from kube_rendezvous_operator.shell.watching.optional_informer import OptionalInformer

Wake = Callable[[str, str], None]
"""Called with the namespace and the UID of the pod of which something is known anew."""


class _Informer(OptionalInformer):
    plural: str

    def __init__(
        self, connection: Connection, namespace: str | None, wake: Wake, measure: Measurements | None = None
    ) -> None:
        scope = f"/namespaces/{namespace}" if namespace else ""
        super().__init__(connection, f"{API}{scope}/{self.plural}", {}, f"{self.plural}-{namespace or 'all'}", measure)
        self._wake = wake
        self._known: dict[str, tuple[str, ObservedEviction]] = {}

    def read(self, obj: Object) -> ObservedEviction:
        """Read one."""
        raise NotImplementedError

    def of(self, namespace: str) -> list[ObservedEviction]:
        """All of a namespace."""
        with self._lock:
            return [eviction for at, eviction in self._known.values() if at == namespace]

    def relisted(self, objects: list[Object]) -> None:
        """See `WatchListener`."""
        there = {obj["metadata"]["uid"] for obj in objects}
        for uid in [uid for uid in list(self._known) if uid not in there]:
            self._forget(uid)
        for obj in objects:
            self.changed(obj)
        self.are_known()

    def changed(self, obj: Object) -> None:
        """See `WatchListener`."""
        meta, eviction = obj["metadata"], self.readable(obj, self.read)
        if eviction is None:
            self._forget(meta["uid"])
            return
        with self._lock:
            self._known[meta["uid"]] = meta["namespace"], eviction
        self._wake(meta["namespace"], eviction.pod_uid)

    def removed(self, obj: Object) -> None:
        """See `WatchListener`."""
        self._forget(obj["metadata"]["uid"])

    def _forget(self, uid: str) -> None:
        with self._lock:
            known = self._known.pop(uid, None)
        if known is not None:
            self._wake(known[0], known[1].pod_uid)


class EvictionCache(_Informer):
    """Evictions of one namespace or (None) of the cluster. Thread-safe."""

    what = "Evictions"
    plural = EVICTIONS
    loss = "nobody is handed over, and nobody answered, before a pod is evicted"
    allow = "Serve lifecycle.k8s.io/v1alpha1 and allow the operator list and watch on evictions"

    def read(self, obj: Object) -> ObservedEviction:
        """See `read_eviction`."""
        return read_eviction(obj)


class EvictionRequestCache(_Informer):
    """EvictionRequests of one namespace or (None) of the cluster. Thread-safe."""

    what = "EvictionRequests"
    plural = EVICTION_REQUESTS
    loss = "a request that no controller has made an Eviction of is not heard"
    allow = "Serve lifecycle.k8s.io/v1alpha1 and allow the operator list and watch on evictionrequests"

    def is_news(self, refusal: ApiFailureError) -> bool:
        """An API that is not there has been missed by `EvictionCache`, too."""
        return refusal.status != 404

    def read(self, obj: Object) -> ObservedEviction:
        """See `read_eviction_request`."""
        return read_eviction_request(obj)


class Evictions:
    """All that is known of them. Thread-safe.

    Args:
        connection: to the API server.
        scopes: namespaces to watch, None for the cluster; none at all: nothing is asked for.
        wake: see there.
        measure: told what is to be counted.
    """

    def __init__(
        self, connection: Connection, scopes: Iterable[str | None], wake: Wake, measure: Measurements | None = None
    ) -> None:
        scopes = tuple(scopes)
        self._evictions = {scope: EvictionCache(connection, scope, wake, measure) for scope in scopes}
        self._requests = {scope: EvictionRequestCache(connection, scope, wake, measure) for scope in scopes}

    @property
    def informers(self) -> tuple[EvictionCache | EvictionRequestCache, ...]:
        """To be started and stopped."""
        return (*self._evictions.values(), *self._requests.values())

    def of(self, namespace: str) -> Mapping[str, ObservedEviction]:
        """What decides whether a pod of that namespace is to go, by its UID."""
        scope = namespace if namespace in self._evictions else None
        if scope not in self._evictions:
            return {}
        return deciding(self._evictions[scope].of(namespace), self._requests[scope].of(namespace))
