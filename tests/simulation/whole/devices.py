"""Devices of pods, and what their nodes say of them: ill, mended, unknown."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

HEALTHY, UNHEALTHY, UNKNOWN = "Healthy", "Unhealthy", "Unknown"


@dataclass(frozen=True, slots=True)
class _Illness:
    """Seconds."""

    since: float
    until: float = math.inf


class Devices:
    """What is true of them.

    Args:
        seconds: the time.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._said: dict[str, str] = {}
        self._illnesses: dict[str, list[_Illness]] = {}

    @property
    def ever_ill(self) -> bool:
        """Whether any device has been."""
        return bool(self._illnesses)

    def say(self, uid: str, health: str) -> None:
        """The node of this pod says so of a device from now on."""
        known = self._illnesses.get(uid, [])
        if known and known[-1].until == math.inf:
            known[-1] = _Illness(known[-1].since, self._seconds())
        if health == UNHEALTHY:
            self._illnesses.setdefault(uid, []).append(_Illness(self._seconds()))
        self._said[uid] = health

    def shown_in(self, uid: str, pod: dict[str, Any]) -> None:
        """Write into the status of a pod what is said of its device, if anything is."""
        if uid not in self._said:
            return
        devices = [{"name": "example.org/device", "resources": [{"resourceID": "0", "health": self._said[uid]}]}]
        for container in pod["status"].get("containerStatuses", []):
            container["allocatedResourcesStatus"] = devices

    def is_ill(self, uid: str) -> bool:
        """Whether a device of this pod is."""
        return self._said.get(uid) == UNHEALTHY

    def was_ill_after(self, uid: str, seconds: float) -> bool:
        """Whether it was at that time or at any time since."""
        return any(one.until >= seconds for one in self._illnesses.get(uid, ()))

    def was_ill_all_the_time_after(self, uid: str, seconds: float) -> bool:
        """Whether it was before that time, and is since."""
        return any(one.since < seconds and one.until == math.inf for one in self._illnesses.get(uid, ()))
