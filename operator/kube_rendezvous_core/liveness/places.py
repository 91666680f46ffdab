"""Who holds a place: two members of one pod and slot may be a process and its predecessor, or two that live.

A pod and a slot are where a node says that it is, no proof that it is there alone: a second container, or a debugging
run by `kubectl exec`, says the same. So an older member is taken for the predecessor of a younger one only

- if both hold the lock of the place, which the older one's process must have lost (it ended) for the younger to get it;
- or if it has missed a heartbeat since the younger one was heard.

One that has renewed since the younger one appeared is alive: the younger one is refused. Until either shows, it waits.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kube_rendezvous.resources import Member
from kube_rendezvous_core.liveness.heartbeat import missed_one
from kube_rendezvous_core.observed.observation import ObservedMember


@dataclass(frozen=True, slots=True)
class Places:
    """The verdict on members that share a place, by name.

    Args:
        heirs: of members whose process is gone: who runs in their place now.
        refused: members beside one that lives: that one.
        undecided: members beside one that may live: that one.
        decided_in: seconds until that shows for the next of them; None: there are none.
        doubtful: of the heirs' predecessors, those of which only silence tells.
    """

    heirs: Mapping[str, Member] = field(default_factory=dict)
    refused: Mapping[str, Member] = field(default_factory=dict)
    undecided: Mapping[str, Member] = field(default_factory=dict)
    decided_in: float | None = None
    doubtful: frozenset[str] = frozenset()


def settle_places(members: Iterable[ObservedMember], ranked: Collection[str], interval_seconds: int) -> Places:
    """Tell predecessors from neighbours. Outside a pod no place is certain, and nobody has either.

    Args:
        members: of one Rendezvous; those known to be lost need not be among them.
        ranked: names of the newest round: who holds a rank is refused in no case.
        interval_seconds: the heartbeat interval in force.
    """
    heirs: dict[str, Member] = {}
    refused: dict[str, Member] = {}
    undecided: dict[str, Member] = {}
    doubtful: set[str] = set()
    decided_in: float | None = None
    for crowd in _by_place(members):
        gone = _predecessors(crowd)
        silent = _silent([m for m in crowd if m.member.name not in gone], interval_seconds)
        doubtful |= silent.keys()
        gone |= silent
        heirs |= gone
        rest = [m for m in crowd if m.member.name not in gone]
        first = min(rest, key=lambda m: (m.member.name not in ranked, _age(m.member)))
        for other in rest:
            if other is first or other.member.name in ranked:
                continue
            if first.member.renew_time > (other.first_renewed or other.member.renew_time):
                refused[other.member.name] = first.member
            else:
                undecided[other.member.name] = first.member
                left = max(0.0, missed_one(interval_seconds) - first.silence)
                decided_in = left if decided_in is None else min(decided_in, left)
    return Places(heirs, refused, undecided, decided_in, frozenset(doubtful))


def _by_place(members: Iterable[ObservedMember]) -> Iterable[list[ObservedMember]]:
    """Those that share a pod and a slot, oldest first."""
    places: dict[tuple[str, str], list[ObservedMember]] = {}
    for observed in members:
        member = observed.member
        if member.pod_uid and not member.leaving and not observed.deleted:
            places.setdefault((member.pod_uid, member.slot), []).append(observed)
    return (sorted(crowd, key=lambda m: _age(m.member)) for crowd in places.values() if len(crowd) > 1)


def _predecessors(crowd: Sequence[ObservedMember]) -> dict[str, Member]:
    """Those that have held the lock before another got it."""
    locked = [observed.member for observed in crowd if observed.member.holds_place]
    return {member.name: locked[-1] for member in locked[:-1]}


def _silent(crowd: Sequence[ObservedMember], interval_seconds: int) -> dict[str, Member]:
    """Those that have missed a heartbeat while a younger one was heard."""
    found: dict[str, Member] = {}
    for number, observed in enumerate(crowd):
        younger = [m for m in crowd[number + 1 :] if m.silence < observed.silence]
        if younger and observed.silence >= missed_one(interval_seconds):
            found[observed.member.name] = younger[-1].member
    return found


def _age(member: Member) -> tuple[float, str, str]:
    # Creation times have whole seconds; within one, the later heartbeat decides: one pod has one clock.
    return member.created.timestamp(), member.renew_time, member.name
