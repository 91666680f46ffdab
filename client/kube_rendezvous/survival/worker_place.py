"""The place of one worker process in one round. No I/O.

A round names nodes; a node runs one or more workers. What all workers of a round must agree on (the number under which
torch takes the round in, the prefix of their keys) follows from the round alone, so that nobody has to ask anybody.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from kube_rendezvous.standing_round import StandingRound

_NUMBER_BITS = 31


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """Where a worker stands in a round.

    Args:
        namespace, name: of the Rendezvous.
        rendezvous_uid: of it; one that was deleted and made anew has another.
        number: of the round.
        node_rank, node_count: of the worker's node, from 0, and how many nodes the round has.
        local_rank, local_world_size: of the worker on its node, from 0, and how many workers that has.
        master_addr, master_port: where the first worker of the node with rank 0 serves the round's store.
        coordinator: ``host:port`` at which this worker reaches JAX's coordination service; "" if it has not asked.
    """

    namespace: str
    name: str
    rendezvous_uid: str
    number: int
    node_rank: int
    node_count: int
    local_rank: int
    local_world_size: int
    master_addr: str
    master_port: int
    coordinator: str = ""

    @classmethod
    def of(cls, standing: StandingRound, local_rank: int, local_world_size: int, coordinator: str = "") -> Self:
        """The place of one of a node's workers."""
        return cls(
            namespace=standing.namespace,
            name=standing.name,
            rendezvous_uid=standing.rendezvous_uid,
            number=standing.number,
            node_rank=standing.rank,
            node_count=standing.world_size,
            local_rank=local_rank,
            local_world_size=local_world_size,
            master_addr=standing.master_addr,
            master_port=standing.master_port,
            coordinator=coordinator,
        )

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError: it is something else.
        """
        return cls(**{field.name: said[field.name] for field in fields(cls)})

    def to_json(self) -> dict[str, Any]:
        """For a message from the launcher to the worker."""
        return asdict(self)

    @property
    def serves_store(self) -> bool:
        """Whether this worker serves the round's store, on the socket that its node has announced."""
        return self.node_rank == 0 and self.local_rank == 0

    @property
    def store_prefix(self) -> str:
        """Of all keys of the round."""
        return f"kube-rendezvous/{self.rendezvous_uid}/{self.number}"

    @property
    def unique_number(self) -> int:
        """The number of this round that no other round of any Rendezvous has: what torch calls a uuid; 62 bits."""
        digest = hashlib.sha256(self.rendezvous_uid.encode()).digest()
        which = int.from_bytes(digest[:4], "big") >> (32 - _NUMBER_BITS)
        return which << _NUMBER_BITS | self.number % (1 << _NUMBER_BITS)

    def environment(self, rank: int, world_size: int) -> dict[str, str]:
        """torchrun's variables for this worker in this round; the launcher has set those that rounds do not change.

        Args:
            rank, world_size: of the worker among all workers of the round.
        """
        return {
            "RANK": str(rank),
            "WORLD_SIZE": str(world_size),
            "LOCAL_RANK": str(self.local_rank),
            "LOCAL_WORLD_SIZE": str(self.local_world_size),
            "GROUP_RANK": str(self.node_rank),
            "GROUP_WORLD_SIZE": str(self.node_count),
            "MASTER_ADDR": self.master_addr,
            "MASTER_PORT": str(self.master_port),
            "RENDEZVOUS_ROUND": str(self.number),
        }
