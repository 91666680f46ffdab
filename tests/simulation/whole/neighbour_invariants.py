"""What must hold of suspicions and questions: who cannot know accuses nobody, who is heard is not accused, and whoever
is asked is one whom a neighbour suspects, once for a while."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kube_rendezvous.membership.neighbours import SUSPECTED_AFTER_SECONDS
from kube_rendezvous.resources import Member, Question, Rendezvous, RendezvousStatus
from kube_rendezvous.resources.neighbours import watched_by
from kube_rendezvous.resources.rendezvous_slice import circles
from kube_rendezvous_core.liveness.suspicion import LET_ALONE_SECONDS, MOST_QUESTIONS
from simulation.whole.client_process import Client
from simulation.whole.datagrams import Datagrams
from simulation.whole.invariants import require
from simulation.whole.world import World

_SAID_LATE_SECONDS = 9.0
"""A suspicion is some seconds old when it is on record: others were said just before it, and a request takes time."""


def watchers_of(name: str, status: RendezvousStatus) -> list[str]:
    """The members of a round that watch this one."""
    circle: Sequence[str] = next((circle for circle in circles(status) if name in circle), ())
    return [
        one
        for place, one in enumerate(circle)
        if name in (circle[watched] for watched in watched_by(place, len(circle)))
    ]


@dataclass(slots=True)
class NeighbourInvariants:
    """Judged by which datagrams have arrived.

    Args:
        living: the clients whose process lives.
        count: notes what has happened.
    """

    world: World
    network: Datagrams
    living: Callable[[], list[Client]]
    count: Callable[[str], None]
    _suspected: dict[str, set[str]] = field(default_factory=dict)
    _asked_at: dict[str, float] = field(default_factory=dict)

    def member_written(self, before: Member | None, after: Member) -> None:
        """A member has written."""
        said = set(after.suspects) - set(before.suspects if before is not None else ())
        self._suspected.setdefault(after.name, set()).update(after.suspects)
        for name in said:
            self.count("suspicion")
            self._accused(after.name, name)

    def _accused(self, author: str, name: str) -> None:
        world, clients = self.world, {client.me.name: client for client in self.living()}
        one, other = clients.get(author), clients.get(name)
        if one is None:
            return
        now, patience = world.seconds, SUSPECTED_AFTER_SECONDS + _SAID_LATE_SECONDS
        heard = self.network.heard_at.get(one.address, -1.0)
        require(now - heard <= patience, f"{author} accuses {name}, but has heard nobody for {now - heard:.0f} s")
        if other is None:
            return
        ways = (one.address, other.address), (other.address, one.address)
        disturbed = max(
            *(self.network.closed_until(*way) for way in ways),
            self.network.lossy_until,
            other.stopped_until,
            world.joined_at[name],
        )
        require(now - disturbed <= patience, f"{author} accuses {name}, which answers")

    def status_written(self, before: Rendezvous, after: RendezvousStatus) -> None:
        """An operator has replaced the status of ``before``."""
        was = before.status
        require(len(after.questions) <= MOST_QUESTIONS, f"{len(after.questions)} questions stand")
        rare = max(was.heartbeat_seconds, after.heartbeat_seconds) > before.spec.heartbeat_seconds
        for question in after.questions:
            if question not in was.questions:
                self.count("question")
                require(rare, f"{question.member} is asked although heartbeats are frequent")
                self._asked(was, question)

    def _asked(self, status: RendezvousStatus, question: Question) -> None:
        name, author, now = question.member, question.by, self.world.seconds
        require(author in watchers_of(name, status), f"{name} is asked because of {author}, which does not watch it")
        require(name in self._suspected.get(author, ()), f"{name} is asked, but {author} never suspected it")
        last = self._asked_at.get(name, -LET_ALONE_SECONDS)
        alone = now - last >= LET_ALONE_SECONDS - _SAID_LATE_SECONDS
        require(alone or self.world.clocks_differ, f"{name} is asked again after {now - last:.0f} s")
        self._asked_at[name] = now
