"""The places of the run, each with a member that goes on by itself, or free."""

import time
from pathlib import Path

from integration.handlers.agents import Agent
from integration.handlers.nodes import Node
from integration.handlers.runs import Run

JOIN_SECONDS = 300  # longer than any quiet point may take to come: who hangs is to be seen, not to time out
GOODBYE_SECONDS = 10.0


class Places:
    """Real handlers, a connection each, driven as agents drive them.

    Args:
        kubeconfig: the cluster.
        run: their Rendezvous.
        count: how many places there are.
    """

    def __init__(self, kubeconfig: Path, run: Run, count: int) -> None:
        self._kubeconfig = kubeconfig
        self._run = run
        self._agents: dict[int, Agent] = {}
        self._retired: list[Agent] = []
        self.count = count

    @property
    def taken(self) -> frozenset[int]:
        """The places that have a member."""
        return frozenset(self._agents)

    @property
    def agents(self) -> list[Agent]:
        """The living members' drivers."""
        return list(self._agents.values())

    def arrive(self, place: int) -> None:
        """A new member comes to a free place."""
        node = Node(
            self._kubeconfig,
            self._run.namespace,
            self._run.name,
            1,
            1,
            slot=str(place),
            create="never",
            join_timeout=JOIN_SECONDS,
            close_timeout=20,
        )
        self._agents[place] = Agent(node)

    def die(self, place: int) -> None:
        """Its process is gone: it says nothing more, and the kernel closes its sockets."""
        agent = self._retire(place)
        if agent.node.handler._session is not None:
            agent.node.handler._release(agent.node.handler._session)

    def leave(self, place: int) -> None:
        """It says goodbye without closing, as one that is told to end does (a SIGTERM to torchrun)."""
        agent = self._retire(place)
        session = agent.node.handler._session
        if session is not None and session.outlook.me.name and not session.outlook.me.expelled:
            session.say_goodbye(close_reason=None, leaving=True, deadline=time.monotonic() + GOODBYE_SECONDS)
        self.shut(agent)

    def lose_object(self, place: int) -> None:
        """Somebody deletes its Member."""
        session = self._agents[place].node.handler._session
        if session is not None and session.outlook.me.name:
            self._run.delete_member(session.outlook.me.name)

    def end_all(self) -> None:
        """Everybody shuts down, as at the end of a training."""
        for place in sorted(self._agents):
            agent = self._retire(place, ended=False)
            agent.node.begin(agent.node.handler.shutdown)
        for agent in self._retired:
            agent.node.wait_for_threads(30)
            self.shut(agent)

    def forget_retired(self) -> list[str]:
        """Drop those that are gone; returns what is still busy although it should have ended, by place."""
        busy = [agent.node.slot for agent in self._retired if not agent.node.wait_for_threads(10)]
        self._retired.clear()
        return [f"the thread that drove the member at place {place} has not come back" for place in busy]

    @staticmethod
    def shut(agent: Agent) -> None:
        """Close what its process would have closed by ending."""
        if agent.node.handler._session is not None:
            agent.node.handler._release(agent.node.handler._session)

    def _retire(self, place: int, *, ended: bool = True) -> Agent:
        agent = self._agents.pop(place)
        agent.node.over.set()
        agent.node.handler._ended = ended  # what it waits for in another thread ends now
        self._retired.append(agent)
        return agent
