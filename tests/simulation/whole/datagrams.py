"""Datagrams between the members' hosts: each takes its time, some are lost, and hosts are cut off from each other.

In the place of the sockets of `neighbour_watch`: all above them is shipped.
"""

from collections import deque
from collections.abc import Sequence
from types import SimpleNamespace

from kube_rendezvous.membership import neighbour_watch, neighbours
from kube_rendezvous.membership.neighbours import Address
from simulation.whole.client_process import Client
from simulation.whole.simulated_modules import Replacement
from simulation.whole.simulated_runtime import Waiter, current_owner, park, wake
from simulation.whole.world import World

LONGEST_WAY_SECONDS = 0.05


class Socket:
    """For datagrams, or one end of a pair that only wakes a thread."""

    family = 0

    def __init__(self, network: "Datagrams", address: Address) -> None:
        self._network, self.address = network, address
        self.come: deque[tuple[bytes, Address]] = deque()
        self.waiting: deque[Waiter] = deque()
        self.closed = False

    def getsockname(self) -> Address:
        """As `socket.getsockname`."""
        return self.address

    def sendto(self, datagram: bytes, address: Address) -> None:
        """As `socket.sendto`."""
        self._network.carry(datagram, self.address, address)

    def recvfrom(self, _: int) -> tuple[bytes, Address]:
        """As `socket.recvfrom` of one that does not block."""
        if not self.come:
            raise BlockingIOError
        return self.come.popleft()

    def recv(self, _: int) -> bytes:
        """As `socket.recv`, of all that has come."""
        self.come.clear()
        return b"."

    def close(self) -> None:
        """As `socket.close`."""
        self.closed = True

    def take(self, datagram: bytes, sender: Address) -> None:
        """One has arrived."""
        self.come.append((datagram, sender))
        while self.waiting:
            wake(self.waiting.popleft())


class _Waker(Socket):
    other: "_Waker"

    def send(self, data: bytes) -> None:
        """As `socket.send` to the other end."""
        self.other.take(data, self.address)


class Datagrams:
    """The network of the hosts; each client is one.

    Attributes:
        lost: which part of all datagrams is lost.
        cut_at: when the way from one host to another was last cut, or will be open again (seconds).
        heard_at: when a host last got a datagram (seconds).
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._sockets: dict[Address, Socket] = {}
        self._closed_until: dict[tuple[str, str], float] = {}
        self.lost = 0.0
        self.lossy_until = 0.0
        self.heard_at: dict[str, float] = {}

    def bind(self) -> Socket:
        """As `bind_on_every_address`."""
        address = current_owner(Client).address, 40_000 + len(self._sockets)
        found = self._sockets[address] = Socket(self, address)
        return found

    def pair(self) -> tuple[Socket, Socket]:
        """As `socket.socketpair`."""
        left, right = _Waker(self, ("", 0)), _Waker(self, ("", 0))
        left.other, right.other = right, left
        return left, right

    def carry(self, datagram: bytes, sender: Address, to: Address) -> None:
        """Bring it there, if it gets there."""
        rng = self._world.rng
        if self.is_cut(sender[0], to[0]) or (self.lost and rng.random() < self.lost):
            return
        self._world.after(rng.uniform(0.0002, LONGEST_WAY_SECONDS), lambda: self._arrives(datagram, sender, to))

    def _arrives(self, datagram: bytes, sender: Address, to: Address) -> None:
        socket = self._sockets.get(to)
        if socket is not None and not socket.closed:
            self.heard_at[to[0]] = self._world.seconds
            socket.take(datagram, sender)

    def is_cut(self, sender: str, to: str) -> bool:
        """Whether nothing gets from one host to the other now."""
        return self.closed_until(sender, to) > self._world.seconds

    def closed_until(self, sender: str, to: str) -> float:
        """When the way from one host to the other was or will be open again (seconds); 0 if it never was cut."""
        return self._closed_until.get((sender, to), 0.0)

    def cut(self, some: Sequence[str], others: Sequence[str], seconds: float, *, one_way: bool) -> None:
        """Nothing gets from these hosts to those for so long; nor back, if it is not one way."""
        until = self._world.seconds + seconds
        for here in some:
            for there in others:
                self._closed_until[here, there] = until
                if not one_way:
                    self._closed_until[there, here] = until

    def lose(self, part: float, seconds: float) -> None:
        """Lose such a part of all for so long."""
        self.lost, self.lossy_until = part, self._world.seconds + seconds
        self._world.after(seconds, self._lose_none)

    def _lose_none(self) -> None:
        if self.lossy_until <= self._world.seconds:
            self.lost = 0.0

    def replacements(self) -> list[Replacement]:
        """What the shipped client gets instead of the kernel's."""
        return [
            (neighbour_watch, "bind_on_every_address", self.bind),
            (neighbour_watch, "socket", SimpleNamespace(socketpair=self.pair)),
            (neighbour_watch, "select", SimpleNamespace(select=_select)),
            (neighbour_watch, "_resolve", lambda host, port, _: (host, port)),
            (neighbours, "secrets", SimpleNamespace(token_bytes=self._world.rng.randbytes)),
        ]


def _select(
    sockets: Sequence[Socket], _: Sequence[Socket], __: Sequence[Socket], timeout: float
) -> tuple[list[Socket], list[Socket], list[Socket]]:
    """As `select.select`, of whether there is something to read."""
    ready = [one for one in sockets if one.come]
    if not ready:
        waiting: deque[Waiter] = deque()
        for one in sockets:
            one.waiting = waiting
        park(timeout, waiting)
        ready = [one for one in sockets if one.come]
    return ready, [], []
