"""Plausible bugs in what is made of signs: what nodes say of devices, and what members say of their neighbours."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from kube_rendezvous.membership.heartbeat import Heartbeat
from kube_rendezvous.membership.neighbour_watch import NeighbourWatch
from kube_rendezvous.membership.neighbours import SUSPECTED_AFTER_SECONDS, Address, Neighbours
from kube_rendezvous.membership.signs_of_life import SignsOfLife
from kube_rendezvous.resources import Member, Rendezvous, RendezvousStatus
from kube_rendezvous_core import decision
from kube_rendezvous_core.formation import device_health, formation
from kube_rendezvous_core.liveness import suspicion
from kube_rendezvous_core.liveness.liveness import Liveness
from kube_rendezvous_core.liveness.pod_liveness import unhealthy_devices_of
from kube_rendezvous_core.liveness.suspicion import Questions
from kube_rendezvous_core.observed import device_reading, pod_reading
from kube_rendezvous_core.observed.observation import ObservedMember
from kube_rendezvous_core.observed.surroundings import Surroundings
from simulation.whole.simulated_modules import Replacement

_set_aside = device_health.set_aside
_settle_questions, _pings = decision.settle_questions, Neighbours.pings


def _every_report(status: Mapping[str, Any]) -> Iterable[str]:
    for container in status.get("containerStatuses") or ():
        for resource in container.get("allocatedResourcesStatus") or ():
            yield str(resource["name"])


def _whether_replaced_or_not(
    rendezvous: Rendezvous,
    judged: Liveness,
    surroundings: Surroundings,
    is_unfit: Callable[[Member], bool],
    now: datetime,
) -> Liveness:
    if rendezvous.status.closed is not None or rendezvous.spec.closed:
        return judged
    ill = [member for member in judged.alive.values() if unhealthy_devices_of(member, surroundings)]
    return device_health._without(judged, ill, surroundings)


def _ranked_alone(
    rendezvous: Rendezvous,
    judged: Liveness,
    surroundings: Surroundings,
    is_unfit: Callable[[Member], bool],
    now: datetime,
) -> Liveness:
    after = _set_aside(rendezvous, judged, surroundings, is_unfit, now)
    ranks = rendezvous.status.ranks
    newcomers = {
        loss.name: loss.member
        for loss in after.departing
        if loss not in judged.departing and loss.name not in ranks and loss.member is not None
    }
    departing = tuple(loss for loss in after.departing if loss.name not in newcomers)
    return replace(after, alive={**after.alive, **newcomers}, departing=departing)


def _believed(status: RendezvousStatus, members: Iterable[ObservedMember], _: datetime) -> dict[str, float]:
    alleged = {name for seen in members if seen.member.name in status.ranks for name in seen.member.suspects}
    return dict.fromkeys(alleged, math.inf)


def _never_asks(rendezvous: Rendezvous, *_: object) -> Questions:
    return Questions(rendezvous.status.questions)


def _forgets_to_wake(*arguments: Any) -> Questions:
    return Questions(_settle_questions(*arguments).standing)


def _although_deaf(self: Neighbours, now: float) -> tuple[str, ...]:
    heard = {name: one.heard for name, one in self._watched.items() if one.heard is not None}
    return tuple(name for name, when in heard.items() if now - when >= SUSPECTED_AFTER_SECONDS)


def _although_asleep(self: Neighbours, now: float) -> list[tuple[Address, bytes]]:
    self._looked = None
    return _pings(self, now)


def _deaf_to_questions(
    self: SignsOfLife, rendezvous: Rendezvous, member: str, circle: Sequence[str], unread: str
) -> None:
    self._neighbours.see(rendezvous, member, circle, unread)


BROKEN_SIGNS: dict[str, list[Replacement]] = {
    "DEVICES_IGNORED": [(pod_reading, "unhealthy_devices", lambda _: "")],
    "DEVICE_RECOVERY_UNHEARD": [(device_reading, "_unhealthy", _every_report)],
    "DEVICE_WITHOUT_SPARE": [(decision, "set_aside", _whether_replaced_or_not)],
    "SPARE_NOT_LOOKED_FOR": [(decision, "_tells_for_spares", lambda _: False)],
    "AILING_TAKES_A_PLACE": [
        (decision, "set_aside", _ranked_alone),
        (formation, "_doubtful_last", lambda newcomers, _: tuple(newcomers)),
    ],
    "SUSPICION_BELIEVED": [(decision, "unanswered", _believed)],
    "ANSWER_UNHEARD": [(suspicion, "_answered", lambda *_: False)],
    "QUESTION_UNHEARD": [(SignsOfLife, "look", _deaf_to_questions)],
    "QUESTION_NEVER_ASKED": [(decision, "settle_questions", _never_asks)],
    "QUESTION_FORGOTTEN": [(decision, "settle_questions", _forgets_to_wake)],
    "QUESTION_REPEATED": [(suspicion, "LET_ALONE_SECONDS", 0.0)],
    "PAUSE_SLEPT_OUT": [(Heartbeat, "interval_is_shorter", lambda _: None)],
    "SUSPICION_UNSAID": [(NeighbourWatch, "to_say", lambda *_: None)],
    "THE_DEAF_ACCUSE": [(Neighbours, "suspects", _although_deaf)],
    "THE_SLEEPER_ACCUSES": [(Neighbours, "pings", _although_asleep)],
}
