"""On what an operator has decided."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Decided:
    """When an operator decided, and up to when it had heard everything about pods and nodes (simulated seconds)."""

    at: datetime
    pods_until: float = -1.0
    nodes_until: float = -1.0
    pods_told_of: frozenset[str] = frozenset()
    nodes_known: bool = False
    members_listed_at: float = 0.0
