"""The Python interface: ``kube_rendezvous.rendezvous(...)``, rounds one after another.

    import kube_rendezvous

    with kube_rendezvous.rendezvous("my-run", nnodes="2:4") as rounds:
        for round in rounds:
            connect(round.master_addr, round.master_port, round.rank, round.world_size)
            for batch in batches_from_the_last_checkpoint():
                if round.interrupted:
                    break
                train(batch)

The body runs once a round. When it comes to its end and the round is still good, the work is done: the loop ends, and
the rendezvous is closed for all, as torchrun does. When the round is over, `round.interrupted` is true: the body
should stop, and its next turn has the next round. To ``break`` out of the outer loop says that the work is done,
too. An error that leaves the ``with`` block leaves the rendezvous and does not close it: the others go on.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from kube_rendezvous.api import RendezvousParameters
from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.participation import Participation
from kube_rendezvous.round_environment import environment_of
from kube_rendezvous.setting_names import mistaken_settings
from kube_rendezvous.standing_round import StandingRound


class Round:
    """A round that includes this node, until it is `interrupted`.

    Attributes:
        number: of the round; grows.
        rank: of this node, from 0.
        world_size: how many nodes the round has.
        master_addr, master_port: where rank 0 is reached; rank 0 is to bind the port, which is free.
        members: names of all members, index = rank; may be empty.
    """

    def __init__(self, standing: StandingRound, participation: Participation) -> None:
        self._standing = standing
        self._participation = participation
        self.number = standing.number
        self.rank = standing.rank
        self.world_size = standing.world_size
        self.master_addr = standing.master_addr
        self.master_port = standing.master_port
        self.members = standing.members

    @property
    def interrupted(self) -> bool:
        """Whether this round is over: stop. From memory: ask as often as you like."""
        return self._participation.interruption() is not None

    @property
    def interruption(self) -> Interruption | None:
        """Why this round is over; None: it is not."""
        return self._participation.interruption()

    def wait_until_interrupted(self, seconds: float | None = None) -> bool:
        """Wait until this round is over, for a thread that stops the work; return whether it is.

        Args:
            seconds: at the most; None: as long as it takes, or until the ``with`` block ends.
        """
        return self._participation.wait_for_interruption(seconds) is not None

    def environment(self) -> dict[str, str]:
        """RANK, WORLD_SIZE, MASTER_ADDR and the others that `kube-rendezvous run` would set, for a child process."""
        return environment_of(self._standing)

    def __repr__(self) -> str:
        return f"Round({self.number}: rank {self.rank} of {self.world_size}, {self._standing.master})"


class Rounds:
    """The rounds of one node, for use in a ``with`` statement. Made by `rendezvous`."""

    def __init__(self, participation: Participation) -> None:
        self._participation = participation

    def next_round(self) -> Round:
        """Join, or join again, and wait for a round. The iteration does this.

        Raises:
            See `kube_rendezvous.api.RendezvousHandler.next_rendezvous`.
        """
        standing = self._participation.next_round()
        self._participation.release_port()
        return Round(standing, self._participation)

    def __iter__(self) -> Iterator[Round]:
        while True:
            current = self.next_round()
            yield current
            if not current.interrupted:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._participation.finish()
        else:
            self._participation.leave()


def rendezvous(
    name: str,
    *,
    nnodes: str | int,
    namespace: str | None = None,
    address: str | None = None,
    **settings: Any,
) -> Rounds:
    """Take part in a rendezvous; see the module for how.

    Args:
        name: of the Rendezvous object.
        nnodes: ``"MIN:MAX"`` or one number; used when the object has to be created, else its spec wins.
        namespace: of it; None: the pod's own, or the kubeconfig's.
        address: how other nodes reach this one; None: found out.
        settings: as of ``--rdzv-conf``: join_timeout, last_call_timeout, slot, create, kubeconfig, …

    Raises:
        TypeError: there is no such setting.
        ValueError: a setting cannot be used.
        kube_rendezvous.api.RendezvousConnectionError: there are no usable credentials.
    """
    mistakes = mistaken_settings(settings)
    if mistakes:
        raise TypeError("kube_rendezvous.rendezvous: " + "; ".join(mistakes))
    low, _, high = str(nnodes).partition(":")
    try:
        fewest, most = int(low), int(high or low)
    except ValueError as error:
        raise ValueError(f'nnodes={nnodes!r}: write "MIN:MAX", for example "2:4", or one number') from error
    params = RendezvousParameters("kubernetes", namespace or "", name, fewest, most, address, **settings)
    return Rounds(Participation(params))
