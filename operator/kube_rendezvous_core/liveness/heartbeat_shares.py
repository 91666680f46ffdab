"""Who may write how many heartbeats a second, when all together want more than the API server should bear.

Namespaces share fairly, and so do the rendezvous of each: whoever wants little gets it, the rest is divided evenly
among those who want more (max-min fairness). So whoever brings many members makes his own heartbeats rarer.
"""

from collections.abc import Hashable, Mapping
from typing import TypeVar

from kube_rendezvous_core.liveness.heartbeat import MAX_HEARTBEATS_PER_SECOND

_USUAL_INTERVAL = 5.0
_ALL = float(MAX_HEARTBEATS_PER_SECOND)

Key = TypeVar("Key", bound=Hashable)


def heartbeat_shares(members: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], float]:
    """Heartbeats a second that each rendezvous may count with.

    Args:
        members: how many each has, by namespace and name.
    """
    by_namespace: dict[str, dict[tuple[str, str], float]] = {}
    for key, count in members.items():
        by_namespace.setdefault(key[0], {})[key] = count / _USUAL_INTERVAL
    level = fair_level({namespace: sum(wishes.values()) for namespace, wishes in by_namespace.items()}, _ALL)
    shares: dict[tuple[str, str], float] = {}
    for wishes in by_namespace.values():
        shares.update(dict.fromkeys(wishes, fair_level(wishes, level)))
    return shares


def fair_level(wanted: Mapping[Key, float], amount: float) -> float:
    """How much each may have: whoever wants less holds nobody back, whoever wants more gets no more.

    Args:
        wanted: by whom.
        amount: of all together.
    """
    left = float(amount)
    given = 0.0
    for number, wish in enumerate(sorted(wanted.values())):
        given = left / (len(wanted) - number)
        if wish > given:
            return given
        left -= wish
    return max(wanted.values(), default=0.0) + left
