"""What the cluster says about the places where members run: pods and nodes, as far as the operator may see them."""

import sys
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kube_rendezvous_core.observed.hindrance import Hindrance


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """The container of a pod in which the member runs (see `pod_reading.main_container` for which one that is).

    Args:
        running_since: start of the instance that runs now, by the node's clock; None: none runs.
        first: the instance that runs is the container's first.
        terminated_at: end of the newest instance, by the node's clock, if none runs; None otherwise.
        ending: how it ended, for people ("exit code 137 (OOMKilled)").
    """

    running_since: datetime | None = None
    first: bool = False
    terminated_at: datetime | None = None
    ending: str = ""


@dataclass(frozen=True, slots=True)
class OwnedPlace:
    """What the owner of a pod calls it.

    Args:
        owner: name of the Job, StatefulSet or LeaderWorkerSet; "" if it is not known.
        index: within the owner: `3`; of a LeaderWorkerSet `1-3`, worker 3 of group 1.
    """

    owner: str = ""
    index: str = ""


NOWHERE = OwnedPlace()


@dataclass(frozen=True, slots=True, order=True)
class OwnerRef:
    """An object that stands behind pods, in their namespace: it makes them (`owner_reading`) or groups them
    (`pod_group_reading`)."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class ObservedOwner:
    """What makes pods of a rendezvous.

    Args:
        ref: which object it is.
        size: how many labelled pods its spec asks for.
        wanted: how many it is to have now: fewer when some have finished, none while it is suspended.
        how: where its spec says so, for people ("replicas 4").
        suspended: it makes no pods until somebody resumes it.
        in_order: it makes a pod only when those before are ready.
    """

    ref: OwnerRef
    size: int
    wanted: int
    how: str
    suspended: bool = False
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class ObservedPodGroup:
    """Pods that are scheduled together.

    Args:
        ref: which object it is.
        min_count: they start when so many of them fit; 0: each by itself.
        topology_keys: labels of nodes of which all have to have one value, outermost first.
        together: whoever takes one of them away takes all of them.
        held_up: why it has never been scheduled; "" if it has, or nobody has tried.
    """

    ref: OwnerRef
    min_count: int = 0
    topology_keys: tuple[str, ...] = ()
    together: bool = False
    held_up: str = ""


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """A pod with the label `rendezvous.dev/name`.

    Args:
        phase: Pending, Running, Succeeded, Failed or Unknown.
        deleting: it has a deletionTimestamp.
        grace_over: and no grace is left: deleted by force, or its containers have ended. (A finalizer, such as every
            pod of a Job has, may keep the object for longer.)
        disruption: why it has to go, as a true `DisruptionTarget` condition or its group says; "" if it need not.
        holdup: what it waits for, for people ("ContainerCreating", "ImagePullBackOff: …").
        hindrance: what keeps it from running until somebody does something about it; None: it will run by itself.
        restarting_since: since when all its containers are being started anew, by the node's clock; None: they are not.
        place: what its owner calls it, as its labels say.
        completion_index: of its Job; "" if it is not of an indexed one.
        owner: what makes it, and makes it again; None: nothing that is known.
        group: the PodGroup with which it is scheduled; None: none.
        unhealthy_devices: those of its devices that its node reports as unhealthy, for people; "" if there is none.
        service_account: as which it runs.
        addresses: its own, then those of its node, as the API server knows them.
        created: when it was made, in whole seconds; only of pods of a LeaderWorkerSet.
    """

    name: str
    uid: str
    phase: str
    node_name: str = ""
    deleting: bool = False
    grace_over: bool = False
    disruption: str = ""
    holdup: str = ""
    hindrance: Hindrance | None = None
    place: OwnedPlace = NOWHERE
    completion_index: str = ""
    owner: OwnerRef | None = None
    container: ObservedContainer = field(default_factory=ObservedContainer)
    restarting_since: datetime | None = None
    group: OwnerRef | None = None
    unhealthy_devices: str = ""
    service_account: str = ""
    addresses: tuple[str, ...] = ()
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class ObservedNode:
    """A node of the cluster.

    Args:
        draining: the taint or condition that says that its pods must go; "" if there is none.
        maintenance: the condition that says that they will have to, some day; "" if there is none.
        gone: it was seen and is deleted.
        version: of the newest state seen; of its end, if that was seen. A member that wrote later has outlived it: its
            node came back under the same name.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    draining: str = ""
    maintenance: str = ""
    gone: bool = False
    version: int = sys.maxsize


@dataclass(frozen=True, slots=True)
class ObservedEviction:
    """An Eviction, or an EvictionRequest.

    Args:
        name, version: of the object.
        pod_uid: whose eviction is asked for; "" if it is no pod's.
        asks: whether the pod is to go now: not where that was withdrawn, is over, or is another responder's turn first.
        requesters: who wants it, for people.
        began: since when we are to answer; None: nobody waits for our answer.
        heard: we have said that we are at it.
        answered: we have said that we are done.
    """

    name: str
    version: str
    pod_uid: str
    asks: bool
    requesters: str = ""
    began: datetime | None = None
    heard: bool = False
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that is known around one Rendezvous.

    Args:
        pods: pods labelled for it, by UID.
        gone_pods: UIDs of such pods that were seen and are deleted.
        nodes: by name; None: they are not known (yet).
        nodes_refused: the operator may not see nodes.
        owner_refs: what made its pods, those that are gone included.
        owners: what was read of them; None: it could not be.
        groups: what was read of the PodGroups that its pods name; None: it could not be.
        evictions: that decide whether a pod of the namespace is to go, by its UID.
        labels: namespace and name that the label of each known pod names, by the pod's UID.
    """

    pods: Mapping[str, ObservedPod] = field(default_factory=dict)
    gone_pods: Container[str] = frozenset()
    nodes: Mapping[str, ObservedNode] | None = None
    nodes_refused: bool = False
    owner_refs: Collection[OwnerRef] = ()
    owners: Mapping[OwnerRef, ObservedOwner | None] = field(default_factory=dict)
    groups: Mapping[OwnerRef, ObservedPodGroup | None] = field(default_factory=dict)
    evictions: Mapping[str, ObservedEviction] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def labelled_for(self, pod_uid: str) -> str:
        """Name of the rendezvous that a pod is labelled for; "" if it has no label, or is not known."""
        return self.labels.get(pod_uid, ("", ""))[1] if pod_uid else ""

    def request_to_evict(self, pod_uid: str) -> ObservedEviction | None:
        """What asks that a pod goes; None: nothing does."""
        eviction = self.evictions.get(pod_uid) if pod_uid else None
        return eviction if eviction is not None and eviction.asks else None


NOTHING_KNOWN = Surroundings()
"""No pod is labelled, nodes are not visible: heartbeats alone decide."""
