"""`watch` without a terminal: what changed between two observations, one line each."""

from collections.abc import Iterable

from kube_rendezvous_core.conditions import describe
from kubectl_rendezvous.observation import Observation
from kubectl_rendezvous.story import came_and_went
from kubectl_rendezvous.tables import state_of, verdict
from kubectl_rendezvous.wording import as_sentence, count, listed

_ONE_BY_ONE = 10
"""More that come or go at once are told in one line: a thousand would be read by nobody."""


def first_lines(seen: Observation) -> Iterable[str]:
    """What holds when the watch begins."""
    yield f"{seen.name} is {state_of(seen.seen)}. {verdict(seen.seen)}"
    for rank, name in enumerate(seen.rendezvous.status.ranks):
        yield f"rank {rank}: {name}"


def changed_lines(before: Observation, after: Observation) -> Iterable[str]:
    """What is different, as sentences."""
    was, status = before.rendezvous.status, after.rendezvous.status
    if before.rendezvous.uid != after.rendezvous.uid:
        yield f"{after.name} was deleted and created anew."
    if status.round != was.round and status.history:
        newest = status.history[0]
        yield (
            f"Round {status.round} stands with {count(status.world_size, 'node')}, rank 0 is {status.ranks[0]} "
            f"({newest.reason}). {as_sentence(came_and_went(newest))}"
        )
    if status.closed != was.closed:
        yield describe(status) if status.closed is not None else f"{after.name} is open again."
    yield from _forming(before, after)
    yield from _members(before, after)
    yield from _pods(before, after)
    if status.standby != was.standby:
        yield f"On standby: {status.standby} (was {was.standby})."


def _forming(before: Observation, after: Observation) -> Iterable[str]:
    was, forming = before.rendezvous.status.forming, after.rendezvous.status.forming
    if forming is None:
        return
    if was is None or (was.round, was.reason, was.interrupts) != (forming.round, forming.reason, forming.interrupts):
        told = "its members are told to join again" if forming.interrupts else "nobody is disturbed"
        yield f"Round {forming.round} is being formed ({forming.reason}; {told}): {as_sentence(forming.message)}"
    if was is None or (was.arrived, was.waiting_for) != (forming.arrived, forming.waiting_for):
        missing = f"; waiting for {listed(forming.waiting_for)}" if forming.waiting_for else ""
        yield f"Round {forming.round}: {forming.arrived} of {forming.required} required nodes are here{missing}."
    if forming.deadline is not None and (was is None or was.deadline != forming.deadline):
        yield f"Round {forming.round}: last call ends at {forming.deadline:%H:%M:%S} UTC."


def _members(before: Observation, after: Observation) -> Iterable[str]:
    was, now = {m.name for m in before.own_members}, {m.name: m for m in after.own_members}
    came, went = sorted(now.keys() - was), sorted(was - now.keys())
    if len(came) > _ONE_BY_ONE:
        yield f"{count(len(came), 'member')} joined: {listed(came)}."
    else:
        for name in came:
            pod = f" (pod {now[name].pod_name})" if now[name].pod_name else ""
            yield f"{name} joined{pod}."
    if len(went) > _ONE_BY_ONE:
        yield f"{count(len(went), 'member')} are gone: {listed(went)}."
    else:
        yield from (f"{name} is gone." for name in went)


def _pods(before: Observation, after: Observation) -> Iterable[str]:
    was = {p.uid: p.why for p in before.pods_to_join}
    for pod in after.pods_to_join:
        if was.get(pod.uid) != pod.why:
            yield f"Pod {pod.name} has not joined: {as_sentence(pod.why)}"
