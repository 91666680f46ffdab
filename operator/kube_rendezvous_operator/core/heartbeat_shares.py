"""Who may write how many heartbeats a second, when all together want more than the API server should bear.

Namespaces share fairly, and so do the rendezvous of each: whoever wants little gets it, the rest is divided evenly
among those who want more (max-min fairness). So whoever brings many members makes his own heartbeats rarer.
"""

from collections.abc import Hashable, Mapping
from typing import TypeVar

from kube_rendezvous_operator.core.heartbeat import MAX_HEARTBEATS_PER_SECOND

_USUAL_INTERVAL = 5.0

Key = TypeVar("Key", bound=Hashable)


def heartbeat_shares(members: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], float]:
    """Heartbeats a second that each rendezvous may count with.

    Args:
        members: how many each has, by namespace and name.
    """
    by_namespace: dict[str, dict[tuple[str, str], float]] = {}
    for key, count in members.items():
        by_namespace.setdefault(key[0], {})[key] = count / _USUAL_INTERVAL
    wanted = {namespace: sum(wishes.values()) for namespace, wishes in by_namespace.items()}
    given = divided_fairly(wanted, MAX_HEARTBEATS_PER_SECOND)
    shares: dict[tuple[str, str], float] = {}
    for namespace, wishes in by_namespace.items():
        shares.update(divided_fairly(wishes, given[namespace]))
    return shares


def divided_fairly(wanted: Mapping[Key, float], amount: float) -> dict[Key, float]:
    """Divide: nobody gets more than it wants, and nobody less than another that wants more.

    Args:
        wanted: by whom.
        amount: of all together.
    """
    given: dict[Key, float] = {}
    left = float(amount)
    for number, (one, wish) in enumerate(sorted(wanted.items(), key=lambda item: item[1])):
        given[one] = min(wish, left / (len(wanted) - number))
        left -= given[one]
    return given
