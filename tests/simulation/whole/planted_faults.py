"""What can be broken on purpose, to show that the simulation finds it."""

from dataclasses import replace
from enum import StrEnum

from kube_rendezvous.resources import BootstrapStore, Member, Rendezvous, RendezvousStatus
from kube_rendezvous_core import Surroundings


class Fault(StrEnum):
    """One planted fault each."""

    NO_FENCE = "no fence on the status write"
    RANKS_BY_ARRIVAL = "ranks by arrival"
    CACHE_KEPT_OVER_RELIST = "cache kept over a relist"
    DEADLINE_RESET_AT_RESTART = "deadline reset at restart"
    DELETE_WITHOUT_PRECONDITION = "delete without precondition"
    NO_SECOND_LOOK = "no second look on a stale cache"
    SILENCE_COUNTED_WHILE_CUT = "silence counted while the watch is cut, unproven"
    CLIENT_NEVER_REJOINS = "client that never re-joins"
    INTERRUPTS_WITHDRAWN = "interrupts withdrawn"
    STORE_OF_ANOTHER_MEMBER = "store of another member"
    POD_NOTICE_IGNORED = "notice of a pod's end ignored"
    GONE_POD_IGNORED = "gone pod ignored"
    ON_THE_WAY_IGNORED = "pods on their way ignored"
    PODS_THAT_CANNOT_COME_WAITED_FOR = "pods that cannot come waited for"
    QUARANTINE_FORGOTTEN = "quarantine forgotten at operator restart"
    STANDBY_IGNORED = "bound of standby ignored"
    DOMAIN_SPLIT = "domain split"
    INTERVAL_SHRINKS_AT_ONCE = "heartbeat interval shrinks at once"
    MAX_ROUNDS_IGNORED = "maxRounds ignored"


def blind(faults: frozenset[Fault], known: Rendezvous, *, at_start: bool) -> Rendezvous:
    """The Rendezvous as a core with these faults would see it."""
    status, spec = known.status, known.spec
    if Fault.DEADLINE_RESET_AT_RESTART in faults and at_start and status.forming is not None:
        status = replace(status, forming=replace(status.forming, deadline=None))
    if Fault.QUARANTINE_FORGOTTEN in faults and at_start:
        status = replace(status, quarantined=(), recent_losses=())
    if Fault.STANDBY_IGNORED in faults:
        spec = replace(spec, max_spares=None)
    if Fault.MAX_ROUNDS_IGNORED in faults:
        spec = replace(spec, failure_policy=replace(spec.failure_policy, max_rounds=None))
    return replace(known, status=status, spec=spec)


def blind_around(faults: frozenset[Fault], around: Surroundings) -> Surroundings:
    """Pods and nodes as a core with these faults would see them."""
    pods = dict(around.pods)
    if Fault.POD_NOTICE_IGNORED in faults:
        pods = {uid: replace(pod, deleting=False, disruption="") for uid, pod in pods.items()}
    if Fault.PODS_THAT_CANNOT_COME_WAITED_FOR in faults:
        pods = {uid: replace(pod, hindrance=None) for uid, pod in pods.items()}
    if Fault.ON_THE_WAY_IGNORED in faults:
        pods = {uid: pod for uid, pod in pods.items() if pod.phase != "Pending"}
    gone = frozenset[str]() if Fault.GONE_POD_IGNORED in faults else around.gone_pods
    return replace(around, pods=pods, gone_pods=gone)


def spoil(
    faults: frozenset[Fault], before: RendezvousStatus, after: RendezvousStatus, members: dict[str, Member]
) -> RendezvousStatus:
    """The status that a core with these faults would write instead."""
    published = after.round > before.round
    if published and Fault.RANKS_BY_ARRIVAL in faults:
        ranks = tuple(sorted(after.ranks, key=lambda name: (members[name].created, name)))
        first = members[ranks[0]]
        store = BootstrapStore(first.name, first.address, first.port)
        after = replace(after, ranks=ranks, slots=tuple(members[name].slot for name in ranks), bootstrap_store=store)
    if published and Fault.STORE_OF_ANOTHER_MEMBER in faults:
        last = members[after.ranks[-1]]
        after = replace(after, bootstrap_store=BootstrapStore(last.name, last.address, last.port))
    if published and Fault.DOMAIN_SPLIT in faults and after.domains:
        order = sorted(range(after.world_size), key=lambda rank: (rank % 2, rank))
        first = members[after.ranks[order[0]]]
        after = replace(
            after,
            ranks=tuple(after.ranks[rank] for rank in order),
            slots=tuple(after.slots[rank] for rank in order),
            domains=tuple(after.domains[rank] for rank in order),
            bootstrap_store=BootstrapStore(first.name, first.address, first.port),
        )
    told = before.forming is not None and before.forming.interrupts
    forming = after.forming
    if Fault.INTERRUPTS_WITHDRAWN in faults and told and forming is not None and forming.deadline is None:
        after = replace(after, forming=replace(forming, interrupts=False))
    return after
