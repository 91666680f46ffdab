"""What is done about members whose node reports a device of their pod as unhealthy.

Such a member still trains, perhaps badly, perhaps not for long. It is handed over, as one on a drained node is, where
healthy members can take its place without making the world smaller; its loss counts for the failure policy. Nobody is
restarted for less: without a spare, or where the failure policy would close the rendezvous for one round more, it goes
on, and a condition names it. A newcomer with an unhealthy device gets no place while a round can do without it.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from kube_rendezvous.resources import Forming, Member, Rendezvous
from kube_rendezvous_core.conditions import Notice
from kube_rendezvous_core.formation.formation import WorldSizes
from kube_rendezvous_core.liveness.liveness import Liveness, Loss
from kube_rendezvous_core.liveness.pod_liveness import DEVICE_UNHEALTHY, unhealthy_devices_of
from kube_rendezvous_core.observed.surroundings import Surroundings
from kube_rendezvous_core.policy.failure_policy import exhausted

DEVICES_UNHEALTHY = "DevicesUnhealthy"
_NAMED = 5
_SHOWN = 150  # characters of what is said of one pod


def set_aside(
    rendezvous: Rendezvous,
    liveness: Liveness,
    surroundings: Surroundings,
    is_unfit: Callable[[Member], bool],
    now: datetime,
) -> Liveness:
    """Let those members depart that a healthy one can replace, and newcomers that nobody needs.

    Args:
        rendezvous: whose members they are.
        liveness: the verdict on them so far.
        surroundings: their pods.
        is_unfit: whether a member would get no place in a new round, for whatever reason.
        now: wall clock, UTC.
    """
    status, ranks = rendezvous.status, {name: rank for rank, name in enumerate(rendezvous.status.ranks)}
    ailing = [m for m in liveness.alive.values() if unhealthy_devices_of(m, surroundings)]
    if not ailing or status.closed is not None or rendezvous.spec.closed:
        return liveness
    sizes = WorldSizes.of(rendezvous.spec)
    newcomers = [m for m in ailing if m.name not in ranks]
    ranked = sorted((m for m in ailing if m.name in ranks), key=lambda m: (not is_unfit(m), ranks[m.name]))
    known = {m.name for m in ailing}
    left = sum(1 for m in liveness.alive.values() if m.name not in known and not is_unfit(m))
    left += sum(1 for m in ranked if not is_unfit(m))
    told = status.forming is not None and status.forming.interrupts
    world = min(status.world_size, sizes.largest(left)) if told else status.world_size
    aside = newcomers if left >= sizes.required else []
    if world and (told or not _would_close(rendezvous, now)):
        for member in ranked:
            left -= not is_unfit(member)
            if sizes.largest(left) < world:
                break
            aside = [*aside, member]
    return _without(liveness, aside, surroundings)


def _would_close(rendezvous: Rendezvous, now: datetime) -> bool:
    """Whether the failure policy allows no round more."""
    status = rendezvous.status
    forming = Forming(status.round + 1, DEVICE_UNHEALTHY, "", True, now, required=rendezvous.spec.min_nodes)
    return exhausted(rendezvous, forming, now) is not None


def _without(liveness: Liveness, aside: list[Member], surroundings: Surroundings) -> Liveness:
    if not aside:
        return liveness
    names = {member.name for member in aside}
    departing = (Loss(m.name, DEVICE_UNHEALTHY, _sentence(m, surroundings), m) for m in aside)
    return replace(
        liveness,
        alive={name: member for name, member in liveness.alive.items() if name not in names},
        departing=(*liveness.departing, *departing),
    )


def _sentence(member: Member, surroundings: Surroundings) -> str:
    devices = unhealthy_devices_of(member, surroundings)
    return f"{member.name}: a device of its pod {member.pod_name} is unhealthy ({devices})"


def ailing_members(liveness: Liveness, surroundings: Surroundings) -> Notice:
    """The condition that names members with unhealthy devices, whether they were handed over or go on.

    Args:
        liveness: after `set_aside`.
        surroundings: their pods.
    """
    going_on = [m for m in liveness.alive.values() if unhealthy_devices_of(m, surroundings)]
    aside = [one.member for one in liveness.departing if one.reason == DEVICE_UNHEALTHY and one.member is not None]
    parts = []
    if aside:
        parts.append(f"{_named(aside, surroundings)}: no round takes it until it is healthy, or is needed.")
    if going_on:
        parts.append(
            f"{_named(going_on, surroundings)}: it goes on until a healthy spare can take its place "
            "(spec.failurePolicy allowing)."
        )
    return Notice(
        DEVICES_UNHEALTHY,
        bool(parts),
        "NoSpare" if going_on else "HandedOver",
        f"Unhealthy devices: {' '.join(parts)} Mend the device, or delete the pod so that it runs elsewhere.",
        "NoneUnhealthy",
        "No device of a member's pod is reported as unhealthy.",
    )


def _named(members: list[Member], surroundings: Surroundings) -> str:
    members = sorted(members, key=lambda member: member.name)
    named = "; ".join(f"{m.name} ({unhealthy_devices_of(m, surroundings)[:_SHOWN]})" for m in members[:_NAMED])
    return named + (f"; and {len(members) - _NAMED} more" if len(members) > _NAMED else "")
