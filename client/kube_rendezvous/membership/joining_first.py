"""A join that begins with the POST of the Member, before anything was read: its watch brings the rest.

The Member says with its next write which Rendezvous it belongs to (`resources.belonging`). Where whoever looks first
would not have joined (none is there, it is closed, it goes), the Member is withdrawn, and it is as if it had not been.
"""

import weakref
from dataclasses import dataclass
from datetime import datetime

from kube_rendezvous.cluster import ApiFailureError, ApiUnavailableError, Connection
from kube_rendezvous.cluster.watch_protocol import Object
from kube_rendezvous.membership.standing import MustJoin, Standpoint, standing
from kube_rendezvous.resources import Rendezvous
from kube_rendezvous.resources.belonging import is_certainly_younger
from kube_rendezvous.resources.timestamps import parse_time

_OLD_DEFINITIONS: "weakref.WeakSet[Connection]" = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Undecided:
    """A Member of ours of which it is not known yet what it belongs to.

    Args:
        name: of it.
        created: by the clock of the API server; None if it did not tell.
    """

    name: str
    created: datetime | None

    @staticmethod
    def posted(name: str, answer: Object) -> "Undecided":
        """After the POST."""
        created = (answer.get("metadata") or {}).get("creationTimestamp")
        return Undecided(name, parse_time(created) if isinstance(created, str) else None)

    def counts_in(self, rendezvous: Rendezvous) -> bool:
        """Whether the operator sees by itself that it belongs to this one."""
        return self.created is not None and is_certainly_younger(self.created, rendezvous)


@dataclass(slots=True)
class FirstJoin:
    """How far it has come. Guarded by the session's lock.

    Args:
        undecided: the Member that was made, until the Rendezvous is seen.
        tried: name of one of which it is not known whether it was made: the answer was lost.
    """

    undecided: Undecided | None = None
    tried: str = ""
    _found: bool = False

    def failed(self, name: str, failure: ApiFailureError, connection: Connection) -> None:
        """The POST was not answered as it should be."""
        look_at_refusal(connection, failure)
        if isinstance(failure, ApiUnavailableError):
            self.tried = name

    def decide(self, undecided: Undecided, rendezvous: Rendezvous, unjoined: Standpoint) -> Standpoint:
        """Who we are, now that the Rendezvous is seen: its Member, or nobody yet.

        Args:
            undecided: the Member.
            rendezvous: as it was seen.
            unjoined: who we are without a Member.
        """
        self.undecided = None
        if not isinstance(standing(rendezvous, unjoined), MustJoin):
            return unjoined
        self._found = True
        return unjoined.joined(undecided.name, rendezvous)

    def give_up(self) -> bool:
        """There is nothing to join. Returns whether a Member was made for it."""
        made, self.undecided = self.undecided is not None, None
        return made

    def has_found(self) -> bool:
        """Whether the Member has joined what was found; true once."""
        found, self._found = self._found, False
        return found


def may_join_first(connection: Connection) -> bool:
    """Whether this API server takes a Member that does not say what it belongs to, as far as is known."""
    return connection not in _OLD_DEFINITIONS


def look_at_refusal(connection: Connection, failure: ApiFailureError) -> None:
    """Definitions of before that was possible: this process asks for it no more."""
    if failure.status == 422 and "rendezvousUID" in failure.message:
        _OLD_DEFINITIONS.add(connection)
