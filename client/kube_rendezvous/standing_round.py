"""A round as a trainer sees it. No I/O."""

import re
from dataclasses import dataclass

# What the CRD allows in a Member's address; checked again, because it goes into environments, files and pages.
_ADDRESS = re.compile(r"[0-9A-Za-z.:%_-]{1,253}")


@dataclass(frozen=True, slots=True)
class StandingRound:
    """A round that includes this node.

    Args:
        namespace, name: of the Rendezvous.
        number: of the round; grows.
        rank: of this node, from 0.
        world_size: how many nodes the round has.
        master_addr, master_port: where rank 0 is reached: it alone binds the port.
        members: names of all members, index = rank; empty if they were not known any more when the place was taken.
        rendezvous_uid: of the Rendezvous; "" where it does not matter.

    Raises:
        ValueError: the address could not stand in an environment.
    """

    namespace: str
    name: str
    number: int
    rank: int
    world_size: int
    master_addr: str
    master_port: int
    members: tuple[str, ...] = ()
    rendezvous_uid: str = ""

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.master_addr):
            raise ValueError(f"round {self.number}: {self.master_addr!r} is no address")

    @property
    def master(self) -> str:
        """``address:port``, an IPv6 address in brackets: what JAX, gRPC and URLs want."""
        host = f"[{self.master_addr}]" if ":" in self.master_addr else self.master_addr
        return f"{host}:{self.master_port}"
