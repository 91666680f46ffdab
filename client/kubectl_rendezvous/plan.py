"""`plan`: what the operator would decide if members were lost and others came. Nothing is written.

The real `decide` runs on a simulated sequence: the losses are seen, the survivors join again, the newcomers join, last
call ends if it has to. What is supposed: everybody else lives, and newcomers take the slots of the lost first, as the
pods of a StatefulSet or of an indexed Job do. What is known counts as it does for the operator: nodes that must be
left, unhealthy devices, requests for eviction, PodGroups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kube_rendezvous.resources import Member, Rendezvous
from kube_rendezvous_core import ObservedMember, Surroundings, decide
from kube_rendezvous_core.conditions import describe
from kube_rendezvous_core.formation.device_health import DEVICES_UNHEALTHY
from kube_rendezvous_core.formation.evictions import EVICTIONS_REQUESTED
from kube_rendezvous_core.formation.formation import WorldSizes
from kube_rendezvous_core.formation.pod_groups import GANG_MISMATCH, TOPOLOGY_FROM_POD_GROUP
from kube_rendezvous_core.ranking.ranking import moved_ranks
from kubectl_rendezvous.errors import CommandError
from kubectl_rendezvous.near_names import nearest
from kubectl_rendezvous.observation import Observation
from kubectl_rendezvous.pod_reading import CORDONED
from kubectl_rendezvous.tables import NONE, Table
from kubectl_rendezvous.wording import as_sentence, count, listed

_REMARKS = (DEVICES_UNHEALTHY, EVICTIONS_REQUESTED, GANG_MISMATCH, TOPOLOGY_FROM_POD_GROUP)
_STEPS = 20  # losses, joins, last call, growth: a handful is enough for any sequence that ends


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen.

    Args:
        today: names by rank.
        then: names by rank, in the round that would stand at the end; empty if none could be formed.
        round: its number; the present one if no new round would be formed.
        verdict: why, in sentences.
        spares: who would be on standby.
        formed: whether a new round would be formed.
        remarks: what the operator would say of devices, evictions and PodGroups, in sentences.
        moved: how many ranks would have another holder.
    """

    today: tuple[str, ...]
    then: tuple[str, ...]
    round: int
    verdict: str
    spares: tuple[str, ...]
    formed: bool
    moved: int
    remarks: tuple[str, ...] = ()


def members_to_lose(observation: Observation, wanted: Sequence[str]) -> tuple[Member, ...]:
    """The members that are meant: by their own names, or by those of their pods.

    Raises:
        CommandError: nobody is called so.
    """
    found: dict[str, Member] = {}
    for name in wanted:
        meant = [m for m in observation.own_members if name in (m.name, m.pod_name)]
        if not meant:
            known = {n for m in observation.own_members for n in (m.name, m.pod_name) if n}
            near = nearest(name, known)
            hint = (
                f"; did you mean {listed(near)}?" if near else f"; there are {listed(sorted(known))}" if known else ""
            )
            raise CommandError(f"No member of {observation.name} and no pod of one is called {name}{hint}")
        found.update({m.name: m for m in meant})
    return tuple(found.values())


def make_plan(observation: Observation, lost: Sequence[Member], added: int, nodes: Sequence[str] = ()) -> Plan:
    """Play it through.

    Args:
        lost: members that vanish.
        added: how many newcomers join.
        nodes: on which nodes they run, in turn; for ranks by topology.
    """
    start = observation.rendezvous
    gone = {member.name for member in lost}
    staying = [m for m in observation.own_members if m.name not in gone]
    newcomers = _newcomers(observation, lost, added, nodes)
    surroundings = _surroundings(observation, staying)
    end = _play(start, staying, list(lost), newcomers, surroundings, observation.now)
    ranks = end.status.ranks
    formed = end.status.round > start.status.round
    possible = formed or not (end.status.forming is not None and end.status.forming.interrupts)
    living = [m.name for m in (*staying, *newcomers)]
    then = ranks if possible and end.status.closed is None else ()
    return Plan(
        today=start.status.ranks,
        then=then,
        round=end.status.round,
        verdict=_verdict(start, end, len(living), formed=formed),
        spares=tuple(name for name in living if name not in then),
        formed=formed,
        moved=moved_ranks(start.status.ranks, ranks) if formed else 0,
        remarks=tuple(c.message for c in end.status.conditions if c.type in _REMARKS and c.status == "True"),
    )


def _surroundings(observation: Observation, staying: Sequence[Member]) -> Surroundings:
    """What the operator would know of those who stay; nobody is supposed to be on the way."""
    uids = {member.pod_uid for member in staying}
    seen = (pod.observed for pod in observation.pods or () if pod.uid in uids and pod.label == observation.name)
    nodes = observation.nodes
    if nodes is not None:  # one that takes no more pods need not be left
        nodes = {name: replace(n, draining="") if n.draining == CORDONED else n for name, n in nodes.items()}
    return Surroundings(
        pods={pod.uid: pod for pod in seen if pod is not None},
        nodes=nodes,
        groups=observation.groups,
        evictions=observation.evictions,
    )


def _newcomers(observation: Observation, lost: Sequence[Member], added: int, nodes: Sequence[str]) -> list[Member]:
    rendezvous = observation.rendezvous
    # As the operator has recorded them: it may know more of a pod's owner than a Member says of itself.
    status = rendezvous.status
    recorded = dict(zip(status.ranks, status.slots, strict=False))
    slot_of = {m.name: recorded.get(m.name, m.slot) for m in observation.own_members}
    held = {slot_of[m.name] for m in observation.own_members if m not in lost}
    slots = [slot_of[m.name] for m in lost if slot_of[m.name] and slot_of[m.name] not in held]
    return [
        Member(
            namespace=rendezvous.namespace,
            name=f"newcomer-{number}",
            uid=f"newcomer-{number}",
            resource_version="1",
            created=observation.now + timedelta(seconds=1),
            rendezvous=rendezvous.name,
            rendezvous_uid=rendezvous.uid,
            address="192.0.2.1",
            port=1,
            # Without it, the node of no pod is looked at.
            pod_uid=f"pod-of-newcomer-{number}" if nodes else "",
            node_name=nodes[(number - 1) % len(nodes)] if nodes else "",
            slot=slots[number - 1] if number <= len(slots) else "",
        )
        for number in range(1, added + 1)
    ]


def _play(
    rendezvous: Rendezvous,
    staying: Sequence[Member],
    lost: Sequence[Member],
    newcomers: Sequence[Member],
    surroundings: Surroundings,
    now: datetime,
) -> Rendezvous:
    living = {m.name: m for m in (*staying, *newcomers)}
    observed = [*(ObservedMember(m, deleted=True) for m in lost), *map(ObservedMember, living.values())]
    for _ in range(_STEPS):
        before = rendezvous.status
        decision = decide(rendezvous, observed, now, surroundings=surroundings)
        for expulsion in (*decision.expel_first, *decision.expel_after, *decision.expel_beside):
            living.pop(expulsion.member.name, None)
        rendezvous = replace(rendezvous, status=decision.status)
        status = decision.status
        forming = status.forming
        if forming is None:
            break
        late = [n for n in status.ranks if n in living and living[n].after_round < status.round]
        if forming.interrupts and late:
            living.update({name: replace(living[name], after_round=status.round) for name in late})
        elif forming.deadline is not None:
            now = max(now, forming.deadline)
        elif status == before:
            break  # nothing changes by itself any more
        observed = [ObservedMember(m) for m in living.values()]
    return rendezvous


def _verdict(start: Rendezvous, end: Rendezvous, living: int, *, formed: bool) -> str:
    status = end.status
    if status.closed is not None:
        return f"No round could be formed: {start.name} is closed. {as_sentence(status.closed.message)}"
    if formed:
        moved = moved_ranks(start.status.ranks, status.ranks)
        return (
            f"Round {status.round} would be formed with {count(status.world_size, 'node')}; "
            f"{moved} of {count(status.world_size, 'rank')} would have another holder than today."
        )
    forming = status.forming
    if forming is None:
        return f"No new round: {describe(status)}"
    unit = f", in steps of nodeUnit {end.spec.node_unit}" if end.spec.node_unit > 1 else ""
    required = WorldSizes.of(end.spec).required
    return (
        f"No round could be formed: {count(living, 'node')} would be left and {required} are required "
        f"(spec.minNodes {end.spec.min_nodes}{unit}). "
        f"Nothing would train until {count(required - living, 'more node')} came."
    )


def plan_table(plan: Plan) -> Table:
    """Ranks today and then, side by side."""
    rows = []
    for rank in range(max(len(plan.today), len(plan.then))):
        before = plan.today[rank] if rank < len(plan.today) else NONE
        after = plan.then[rank] if rank < len(plan.then) else NONE
        rows.append((str(rank), before, after, _mark(plan, before, after)))
    return Table(("RANK", "TODAY", "THEN", ""), tuple(rows))


def _mark(plan: Plan, before: str, after: str) -> str:
    if before == after:
        return ""
    if after == NONE:
        return "no such rank" if plan.then else ""
    return f"moved from rank {plan.today.index(after)}" if after in plan.today else "new holder"


def plan_document(plan: Plan) -> Mapping[str, Any]:
    """The same for programs."""
    return {
        "formed": plan.formed,
        "round": plan.round,
        "today": list(plan.today),
        "then": list(plan.then),
        "moved": plan.moved,
        "standby": list(plan.spares),
        "verdict": plan.verdict,
        "remarks": list(plan.remarks),
    }
