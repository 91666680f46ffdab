"""What an operator knows of pods and nodes: the real `PodCache` and `NodeCache`, told by watches that lag."""

from collections.abc import Callable
from typing import Any, cast

from kube_rendezvous.cluster import Connection
from kube_rendezvous_core import Surroundings
from kube_rendezvous_operator.shell.watching.cluster_cache import NodeCache, PodCache
from simulation.whole.watch import Watch
from simulation.whole.world import World

_NO_CONNECTION = cast(Connection, None)
"""The caches are told by `Watch`; their own watchers are never started."""
_KEY = ("sim", "run")


class _Told:
    """Hands on what a `Watch` tells."""

    def __init__(self, cache: PodCache | NodeCache) -> None:
        self._cache = cache
        self.told_of: set[str] = set()

    def relisted(self, objects: list[Any]) -> None:
        self.told_of |= {obj["metadata"].get("uid", "") for obj in objects}
        self._cache.relisted(objects)

    def changed(self, obj: Any) -> None:
        self.told_of.add(obj["metadata"].get("uid", ""))
        self._cache.changed(obj)

    def removed(self, obj: Any) -> None:
        self._cache.removed(obj)

    def troubled(self) -> None:
        """Goes on with what it knows, as the caches do."""

    def connected(self) -> None:
        self._cache.connected()


class SurroundingsSeen:
    """Both caches of one operator process."""

    def __init__(self, world: World, wake: Callable[[], None]) -> None:
        self._pods = PodCache(_NO_CONNECTION, None, lambda _: wake())
        self._nodes = NodeCache(_NO_CONNECTION, wake)
        self._told = _Told(self._pods)
        self.pod_watch = Watch(world, "pods", self._told)
        self.node_watch = Watch(world, "nodes", _Told(self._nodes))

    @property
    def pods_told_of(self) -> frozenset[str]:
        """UIDs of all pods that the watch has ever told of: one may come and go while it is cut."""
        return frozenset(self._told.told_of)

    def now(self) -> Surroundings:
        """As the core is told."""
        pods = self._pods
        return Surroundings(pods.pods(_KEY), pods.gone(_KEY[0]), self._nodes.nodes(), labels=pods.labels())
