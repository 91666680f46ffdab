"""Spares: who stands by beside a standing round, and who is one too many.

Members beyond `maxNodes` stand by without a rank and replace a lost member at once. `spec.standby.max` bounds them: one
beyond that is named in `status.surplus` and goes home. A newcomer that could still get a place is no spare.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kube_rendezvous.resources import Member

SPARES_NAMED = 100
SURPLUS_NAMED = 100


@dataclass(frozen=True, slots=True)
class Standby:
    """``count`` members without a rank, the first of them by name, and those that are to go home."""

    count: int = 0
    spares: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()


def settle_standby(unranked: Sequence[Member], free_places: int, max_spares: int | None, interrupted: bool) -> Standby:
    """Sort the members without a rank.

    Args:
        unranked: living, in the order in which they may have a place.
        free_places: how many more nodes the standing round could have.
        max_spares: `spec.standby.max`; None: no bound.
        interrupted: a new round is being formed: who is surplus shows when it stands.
    """
    names = [member.name for member in unranked]
    if max_spares is None or interrupted:
        return Standby(len(names), tuple(names[:SPARES_NAMED]))
    kept = free_places + max_spares
    return Standby(len(names), tuple(names[:kept][:SPARES_NAMED]), tuple(names[kept:][:SURPLUS_NAMED]))
