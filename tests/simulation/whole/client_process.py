"""A client process: the shipped `KubernetesRendezvousHandler` with its session, watch and heartbeat, over a simulated
wire, and an agent that drives it as torchrun does: a round, workers, a look now and then, the next round."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, cast

from kube_rendezvous import handler as shipped
from kube_rendezvous.api import (
    RendezvousClosedError,
    RendezvousGracefulExitError,
    RendezvousStateError,
    Store,
)
from kube_rendezvous.cluster import Connection
from kube_rendezvous.membership import own_place
from kube_rendezvous.membership.identity import Identity
from kube_rendezvous.membership.standing import Place, Standpoint
from kube_rendezvous.resources import Rendezvous, RendezvousSpec
from kube_rendezvous.resources.rendezvous_json import spec_to_json
from kube_rendezvous.settings import HandlerSettings
from kube_rendezvous.settling import Settling
from kube_rendezvous.store_choice import AddressOnlyStore
from simulation.whole.api_server import NAMESPACE
from simulation.whole.invariants import BrokenError, Invariants
from simulation.whole.pods_and_nodes import Home
from simulation.whole.simulated_modules import Replacement
from simulation.whole.simulated_runtime import Process, current_owner, pause
from simulation.whole.wire import Wire
from simulation.whole.world import NAME, World

_PATIENCE_SECONDS = 3600.0


class Phase(Enum):
    """STOPPING: it was told, or its workers failed, and they still run. LEAVING: it says so, and ends."""

    WAITING = auto()
    RUNNING = auto()
    STOPPING = auto()
    LEAVING = auto()
    GONE = auto()


class Client:
    """One process.

    Args:
        place: number of its place; the process that replaces it there has the same.
        process: distinguishes processes in one place.
        wish: the spec with which it creates a Rendezvous.
        home: pod, slot and node.
    """

    def __init__(
        self, world: World, invariants: Invariants, place: int, process: int, wish: RendezvousSpec, home: Home
    ) -> None:
        self._world, self._invariants = world, invariants
        self.place, self.home, self.wish = place, home, wish
        self.label = f"n{place}-{process}"
        self.phase = Phase.WAITING
        self.on_leave: Callable[[], None] = lambda: None
        self._failed = False
        self.stopped_until = 0.0
        self._process = Process(world, self.label, self)
        self._process.ahead = world.clock_error(home.node)
        self._wire = Wire(world, self._process)
        self._handler: shipped.KubernetesRendezvousHandler | None = None
        self._process.start(self._main, "agent")

    @property
    def alive(self) -> bool:
        """Whether it wants to be in a round."""
        return self.phase not in (Phase.LEAVING, Phase.GONE)

    @property
    def address(self) -> str:
        """Of its host."""
        return f"{self.label}.sim"

    @property
    def me(self) -> Standpoint:
        """What it knows of itself."""
        if (handler := self._handler) is None or (known := handler._session) is None:
            return _NOBODY
        return known.outlook._me

    @property
    def joining(self) -> str:
        """The name that it is joining with."""
        known = self._handler._session if self._handler is not None else None
        return known._joining if known is not None else ""

    # What happens to it

    def die(self) -> None:
        """SIGKILL."""
        self._world.say(f"{self.label} dies")
        self._end()

    def leave(self, *, close: bool = False) -> None:
        """End in good order; with close as after a success."""
        self.phase = Phase.LEAVING
        self._process.start(lambda: self._leave(close=close), "leave")

    def fail(self) -> None:
        """Its workers fail; it joins again."""
        if self.phase is Phase.RUNNING:
            self._world.say(f"the workers of {self.label} fail")
            self._failed = True

    def cut_watch(self, seconds: float) -> None:
        """It hears nothing for so long."""
        self._world.say(f"{self.label} loses its watch for {seconds:.0f} s")
        self._wire.cut("rendezvous", seconds)

    def stop_for(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT so much later."""
        self._world.say(f"{self.label} is stopped for {seconds:.0f} s")
        self._process.stop(seconds)
        self.stopped_until = self._world.seconds + seconds

    def kill(self) -> None:
        """The scenario is over."""
        self._process.kill()

    def _end(self) -> None:
        if self.phase is not Phase.GONE:
            self.phase = Phase.GONE
            self._wire.stop()
            self._world.after(0.0, self._process.kill)

    def _leave(self, *, close: bool) -> None:
        handler = self._handler
        if handler is not None:
            how = handler.shutdown if close else handler.leave
            how()
        self._world.say(f"{self.label} has left{' and closed' if close else ''}")
        self._end()
        self.on_leave()

    # The agent

    def _main(self) -> None:
        settings = HandlerSettings(
            NAME,
            NAMESPACE,
            self.wish.min_nodes,
            self.wish.max_nodes,
            join_timeout=_PATIENCE_SECONDS,
            slot=self.home.slot,
            watch_neighbours=self._world.neighbours_watch,
        )
        self._handler = shipped.KubernetesRendezvousHandler(settings, Connection(self._wire, NAMESPACE), self._open)
        while self.phase is Phase.WAITING and self._goes_on(self._handler):
            pass

    def _goes_on(self, handler: shipped.KubernetesRendezvousHandler) -> bool:
        """One round; whether there is to be another."""
        world, rng = self._world, self._world.rng
        try:
            handler.next_rendezvous()
        except (RendezvousClosedError, RendezvousGracefulExitError, RendezvousStateError) as end:
            if self.alive:
                self._invariants.count(
                    "sent home" if isinstance(end, RendezvousGracefulExitError) else "refused: closed"
                )
                world.say(f"{self.label} ends: {end}")
                self.leave()
            return False
        if not self.alive:
            return False
        self.phase, self._failed = Phase.RUNNING, False
        world.say(f"{self.label} runs round {self.me.held_round}")
        while not self._failed:
            handler.wait_for_interruption(rng.uniform(0.5, 3.0))
            if not self.alive:
                return False
            if handler.num_nodes_waiting():  # all that torchrun asks
                self._told(handler.rendezvous)
                break
            seen = handler.rendezvous
            if seen is not None and seen.status.closed is not None:
                pause(rng.uniform(0.5, 5.0))
                if self.alive:
                    self.leave()
                return False
        self.phase = Phase.STOPPING
        pause(rng.uniform(20.0, 80.0) if rng.random() < 0.03 else rng.uniform(0.1, 4.0))
        if self.phase is Phase.STOPPING:
            self.phase = Phase.WAITING
        return self.alive

    def _told(self, seen: Rendezvous | None) -> None:
        self._world.say(f"{self.label} is told to stop")
        self._judge(lambda: self._invariants.told(self.label, seen, self.me))

    def _open(self, place: Place, listening: Any, *, timeout: float, given_up: Callable[[], bool]) -> Store | None:
        """The bootstrap store: there at once, or only after a while."""
        self._judge(lambda: self._invariants.took(self.label, self.me.name, place))
        rng = self._world.rng
        for _ in range(rng.choice([0, 0, 0, 3])):
            if given_up():
                return None
            pause(rng.uniform(0.05, 0.5))
        return cast(Store, AddressOnlyStore())

    def _judge(self, judgement: Callable[[], None]) -> None:
        try:
            judgement()
        except BrokenError as broken:
            self._world.breaks(broken)


_NOBODY = Standpoint()


class _Wishing(Settling):
    """Creates what the scenario wishes for, which no settings can say."""

    def _wished_spec(self) -> dict[str, Any]:
        return spec_to_json(current_owner(Client).wish)


class _Socket:
    """Where the store would be served."""

    def __init__(self, port: int) -> None:
        self.port = port

    def close(self) -> None:
        """It was never open."""


class _Lock:
    """Of a place: in a scenario no two processes of a pod live at a time."""

    member = ""

    def begin(self) -> None:
        """Nobody asks."""

    def release(self) -> None:
        """Nobody else wants it."""


class _Silent:
    """In the place of `Farewell`: a process ends by `leave` or by SIGKILL."""

    def __init__(self, *_: object) -> None:
        pass

    def cancel(self) -> None:
        """There is nothing to cancel."""


def _identify(*_: object, **__: object) -> Identity:
    client = current_owner(Client)
    home = client.home
    return Identity(client.label, home.pod_uid, home.pod_uid, home.node, home.slot, client.address)


def without_sockets() -> list[Replacement]:
    """What of the shipped client belongs to the machine and its kernel."""
    return [
        (shipped, "Settling", _Wishing),
        (shipped, "Farewell", _Silent),
        (shipped, "identify", _identify),
        (shipped, "listen_for_the_store", lambda: _Socket(1 + current_owner(Client).place)),
        (shipped, "port_of", lambda socket: socket.port),
        (own_place, "take_place", lambda *_, **__: _Lock()),
    ]
