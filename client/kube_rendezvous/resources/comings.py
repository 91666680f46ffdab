"""`status.comings`: the pods that have come into rounds beside a running one, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kube_rendezvous.printable_text import one_line
from kube_rendezvous.resources.timestamps import format_time, parse_time


@dataclass(frozen=True, slots=True)
class Coming:
    """One pod that made rounds necessary.

    Args:
        pod_uid: of the pod.
        member: the name that it had the last time.
        times: how often within ten minutes of each other.
        at: the last time, UTC.
    """

    pod_uid: str
    member: str
    times: int
    at: datetime


def parse_comings(comings: Any) -> tuple[Coming, ...]:
    """Read `status.comings`."""
    return tuple(_coming(coming) for coming in comings or ())


def _coming(coming: Mapping[str, Any]) -> Coming:
    pod, member = one_line(coming["podUID"]), one_line(coming.get("member", ""))
    return Coming(pod, member, int(coming["times"]), parse_time(coming["at"]))


def comings_to_json(comings: tuple[Coming, ...]) -> list[dict[str, Any]]:
    """Write `status.comings`."""
    return [{"podUID": c.pod_uid, "member": c.member, "times": c.times, "at": format_time(c.at)} for c in comings]
