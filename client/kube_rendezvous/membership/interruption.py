"""Why a running member must stop, in words for a log, a file or a page. No I/O, no clock, no threads."""

from dataclasses import dataclass

from kube_rendezvous.membership.standing import Standpoint, is_set_back, nodes_waiting
from kube_rendezvous.resources import Rendezvous


@dataclass(frozen=True, slots=True)
class Interruption:
    """A round that is over for this node.

    Args:
        round: the one that is over.
        reason: one word in CamelCase, for programs.
        message: a sentence for people.
    """

    round: int
    reason: str
    message: str


def interruption(rendezvous: Rendezvous | None, me: Standpoint) -> Interruption | None:
    """Why a member that runs must stop; None: it need not. Says so exactly when `nodes_waiting` is above 0.

    Args:
        rendezvous: the newest version seen; None: there is none.
        me: what the member knows of itself.
    """
    if rendezvous is None or nodes_waiting(rendezvous, me) == 0:
        return None
    reason, message = _why(rendezvous, me)
    return Interruption(me.held_round, reason, message)


def _why(rendezvous: Rendezvous, me: Standpoint) -> tuple[str, str]:
    status = rendezvous.status
    if status.closed is not None:
        return "Closed", status.closed.message
    if rendezvous.uid != me.rendezvous_uid:
        return "Recreated", "the Rendezvous was deleted and created anew"
    if me.expelled:
        return "Expelled", "our RendezvousMember object is gone: the operator took us for lost, or somebody deleted it"
    if is_set_back(status, me):
        return "SetBack", (
            f"round {me.held_round}, which we hold, is not known any more: the API server's storage was restored from "
            f"a backup of before, and what it tells of is round {status.round}"
        )
    if status.forming is not None and status.forming.interrupts:
        return status.forming.reason, status.forming.message
    past = next((past for past in status.history if past.round == status.round), None)
    return (past.reason, past.message) if past else ("Replaced", f"round {status.round} was published")
