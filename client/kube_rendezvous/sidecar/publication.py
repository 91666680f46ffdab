"""What the sidecar says to the trainer at one moment. No I/O. `kube_rendezvous.sidecar` explains the states."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.round_environment import environment_of, shell_lines
from kube_rendezvous.standing_round import StandingRound


class SidecarState(StrEnum):
    """See `kube_rendezvous.sidecar`."""

    WAITING = "waiting"
    FORMED = "formed"
    FORMING = "forming"
    CLOSED = "closed"
    LEFT = "left"


FINAL = frozenset({SidecarState.CLOSED, SidecarState.LEFT})


@dataclass(frozen=True, slots=True)
class Publication:
    """One version of what the sidecar says.

    Args:
        sequence: grows with each version.
        state: see `kube_rendezvous.sidecar`.
        namespace, name: of the Rendezvous.
        standing: the newest round that this node was in; None before the first.
        reason, message: why the state is not ``formed``: a word for programs and a sentence for people.
    """

    sequence: int
    state: SidecarState
    namespace: str
    name: str
    standing: StandingRound | None = None
    reason: str = ""
    message: str = ""

    @property
    def round(self) -> int:
        """Number of the newest round that this node was in; 0 before the first."""
        return 0 if self.standing is None else self.standing.number

    def formed(self, standing: StandingRound) -> "Publication":
        """The next version: a round stands."""
        return self._next(SidecarState.FORMED, standing=standing, reason="", message="")

    def forming(self, why: Interruption) -> "Publication":
        """The next version: the round is over."""
        return self._next(SidecarState.FORMING, reason=why.reason, message=why.message)

    def waiting(self, reason: str, message: str) -> "Publication":
        """The next version: there is still no round, and why. A round that is over stays `forming`."""
        state = SidecarState.WAITING if self.standing is None else SidecarState.FORMING
        return self._next(state, reason=reason, message=message)

    def closed(self, message: str) -> "Publication":
        """The next version: there will be no round any more."""
        return self._next(SidecarState.CLOSED, reason="Closed", message=message)

    def left(self, reason: str, message: str) -> "Publication":
        """The next version: this node has left."""
        return self._next(SidecarState.LEFT, reason=reason, message=message)

    def stands_after(self, after: int) -> bool:
        """Whether a round newer than this one stands."""
        return self.state is SidecarState.FORMED and self.round > after

    def to_json(self) -> dict[str, Any]:
        """For ``round.json`` and the HTTP endpoint."""
        out: dict[str, Any] = {
            "state": str(self.state),
            "sequence": self.sequence,
            "namespace": self.namespace,
            "name": self.name,
            "round": self.round,
            "reason": self.reason,
            "message": self.message,
        }
        if self.standing is not None:
            out |= {
                "rank": self.standing.rank,
                "world_size": self.standing.world_size,
                "master_addr": self.standing.master_addr,
                "master_port": self.standing.master_port,
                "members": list(self.standing.members),
            }
        return out

    def to_env(self) -> str:
        """For ``round.env``: the newest round's variables also when it is over, so that ``set -u`` finds them."""
        variables = {"RENDEZVOUS_STATE": str(self.state), "RENDEZVOUS_ROUND": str(self.round)}
        if self.standing is not None:
            variables |= environment_of(self.standing)
        return shell_lines(variables | {"RENDEZVOUS_REASON": self.reason})

    def _next(self, state: SidecarState, **changes: Any) -> "Publication":
        return replace(self, sequence=self.sequence + 1, state=state, **changes)


def parse_publication(obj: Any) -> Publication:
    """Read what `to_json` wrote.

    Raises:
        ValueError: it is something else.
    """
    try:
        standing = None
        if "rank" in obj:
            standing = StandingRound(
                namespace=str(obj["namespace"]),
                name=str(obj["name"]),
                number=int(obj["round"]),
                rank=int(obj["rank"]),
                world_size=int(obj["world_size"]),
                master_addr=str(obj["master_addr"]),
                master_port=int(obj["master_port"]),
                members=tuple(str(member) for member in obj["members"]),
            )
        return Publication(
            sequence=int(obj["sequence"]),
            state=SidecarState(obj["state"]),
            namespace=str(obj["namespace"]),
            name=str(obj["name"]),
            standing=standing,
            reason=str(obj["reason"]),
            message=str(obj["message"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"is not what a sidecar writes: {error!r}") from error
