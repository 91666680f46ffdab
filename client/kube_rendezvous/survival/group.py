"""The process group of a trainer that lives through rounds, and the round that it works in.

Two threads: the trainer's own takes rounds in and runs collectives; the other waits for the news that the round is
over. It gives the trainer a moment to come out by itself (a broken peer ends most collectives at once), and then frees
it from the collective in which it waits. It never takes a round in: a collective of the old round that the trainer is
just about to begin must fail, and not meet another one's in the new round.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from kube_rendezvous.api import RendezvousClosedError, RendezvousError
from kube_rendezvous.membership.interruption import Interruption
from kube_rendezvous.raised_by_signals import came_with_a_signal
from kube_rendezvous.signal_proof import Changes
from kube_rendezvous.survival.engine import Engine, Taken
from kube_rendezvous.survival.errors import RoundOverError, TakeInError
from kube_rendezvous.survival.roster import Roster
from kube_rendezvous.survival.round_source import RoundSource
from kube_rendezvous.survival.waits_in_vain import WaitsInVain
from kube_rendezvous.survival.worker_place import WorkerPlace

_log = logging.getLogger(__name__)

NOBODY_IS_GONE = frozenset(
    {"Growth", "SpecChanged", "NodeDraining", "PodTerminating", "EvictionRequested", "DeviceUnhealthy"}
)
"""Reasons (of the operator) for the end of a round in which everybody still works: collectives end by themselves."""

PLANNED_MOMENT_SECONDS = 5.0
"""For which they are let, before they are cut: a transfer that is cut in its midst may leave its sender waiting."""

_AGAIN_SECONDS = 0.25
_IN_VAIN_SECONDS, _IN_VAIN_LOOKS = 5.0, 10
_ATTEMPTS = 3
_WAIT_SECONDS = 86400.0


class Round:
    """A round in which this process works. Use it in a ``with`` statement: its end ends the block, not the process.

    Attributes:
        number: of the round; grows.
        rank, world_size: of this process among all of the round.
        place: of this process: node rank, local rank, address of the store.
        roster: all processes of the round.
    """

    def __init__(self, group: "Group", place: WorkerPlace, taken: Taken) -> None:
        self._group = group
        self.number = place.number
        self.place = place
        self.roster: Roster = taken.roster
        self.rank = taken.rank
        self.world_size = taken.roster.world_size
        self.broken = False
        self.awaits_state = False  # from when the state that it lacks is asked for until it is there

    @property
    def state_source(self) -> int | None:
        """The rank whose state everybody is to go on from; None: there is nothing to share. See `share_state`."""
        return self.roster.state_source

    @property
    def lacks_state(self) -> bool:
        """Whether this process needs the state of `state_source`."""
        return self.rank in self.roster.lacking

    def changed(self) -> bool:
        """Whether the round is over. From memory: ask in every step."""
        return self.broken or self._group.changed()

    def check(self) -> None:
        """Raise `RoundOverError` if the round is over; to be called between steps."""
        if self.changed():
            why = self._group.why_changed
            raise RoundOverError(f"round {self.number} is over" + (f": {why.message}" if why else ""))

    def confirm(self) -> None:
        """Raise `RoundOverError` if a collective of this step has been cut off; before its results are used.

        On GPUs between ``backward()`` and ``optimizer.step()``: collectives of NCCL go on beside the thread, and one
        that is aborted leaves garbage in its tensors and says nothing. Gloo's raise by themselves: there it is free.
        """
        if not self._group.collectives_succeeded():
            raise RoundOverError(f"round {self.number} is over: a collective of this step was cut off")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return error is not None and self._group.ends_round(self, error)

    def __repr__(self) -> str:
        return f"Round({self.number}: rank {self.rank} of {self.world_size})"


class Group:
    """This process in a rendezvous, through all of its rounds. Made by `survive`; to be used in a ``with`` statement.

    Args:
        source: gives rounds.
        engine: takes them in.
        before_leaving: called by the trainer's thread between two rounds.
        progress: how far this process has come (steps): called whenever a round is taken in.
        news_timeout: seconds for which to wait for the news that a peer is lost, after a collective has failed.
    """

    def __init__(
        self,
        source: RoundSource,
        engine: Engine,
        *,
        progress: Callable[[], int],
        before_leaving: Callable[[], None] = lambda: None,
        news_timeout: float,
    ) -> None:
        self._source = source
        self._engine = engine
        self._progress = progress
        self._before_leaving = before_leaving
        self._news_timeout = news_timeout
        # Held while connections are cut: the other thread must not cut those of a round that is being taken in.
        self._state = Changes()
        self._working_in = self._taken_in = 0
        self._ended = False
        self._done = False
        self._newcomer = True
        self._waits = WaitsInVain(_IN_VAIN_SECONDS, _IN_VAIN_LOOKS)
        self._freed_in = self._stuck_in = 0
        self._unexplained = 0
        self._unexplained_at = -1
        self.round: Round | None = None
        threading.Thread(target=self._hear_news, name="rendezvous-news", daemon=True).start()

    @property
    def engine(self) -> str:
        """The name of the engine in use."""
        return self._engine.name

    @property
    def why_changed(self) -> Interruption | None:
        """Why the round is over; None: it is not, or nobody has said why."""
        return self._source.over()

    def changed(self) -> bool:
        """Whether the present round is over. From memory: ask in every step."""
        return self._source.over() is not None

    def collectives_succeeded(self) -> bool:
        """See `Round.confirm`."""
        return self._engine.collectives_succeeded()

    def take_round(self) -> Round:
        """Leave the present round, if there is one, and take the next one in. Call it from the trainer's own thread.

        To call it while the round stands asks everybody for a new one.

        Raises:
            RendezvousClosedError: there will be no other round, because the work of the loop is done (whatever else
                all are to do together belongs in its body), or the rendezvous is closed; further errors as
                `RendezvousHandler.next_rendezvous`.
            TakeInError: some rounds in a row were formed, but could not be taken in.
        """
        if self._done:
            raise RendezvousClosedError(
                "all workers have come to the end of their loop: there is no round after that. What they are to do "
                "together afterwards, such as an evaluation, belongs in the body of the loop"
            )
        failed: BaseException | None = None
        for _ in range(_ATTEMPTS):
            try:
                return self._take_next()
            except Exception as error:
                if not self._engine.is_failure_of_peer(error):
                    raise
                failed = error.with_traceback(None)  # whose frames would hold what the trainer computes with
                _log.warning("could not take round %d in: %s", self._working_in, _first_line(error))
        raise TakeInError(
            f"{_ATTEMPTS} rounds in a row could not be taken in; the last error: {_first_line(failed)}. Can the "
            "workers reach each other on all ports (NetworkPolicy, GLOO_SOCKET_IFNAME, NCCL_SOCKET_IFNAME)?"
        ) from failed

    def __iter__(self) -> Iterator[Round]:
        """Rounds, until all workers of one have come to the end of their loop bodies in it. Then the work is done.

        To ``break`` says that this process is done, and waits for the others at the end of the ``with`` block.
        """
        while True:
            current = self.take_round()
            yield current
            if current.changed():
                continue
            self._done = self._all_are_done(current)
            if self._done:
                return
            _log.info("round %d is over before all were done", current.number)

    def ends_round(self, current: Round, error: BaseException) -> bool:
        """Whether an error means that the round is broken: then the next one is to be taken. For `Round`."""
        if isinstance(error, RoundOverError):
            current.broken = True  # whoever raised it: the work in it is not done
            return True
        if not isinstance(error, Exception) or isinstance(error, RendezvousError) or came_with_a_signal(error):
            return False
        of_peer = self._engine.is_failure_of_peer(error)
        if not of_peer and not (self.changed() and isinstance(error, RuntimeError | ValueError)):
            return False
        self._leave()  # peers that wait for us raise at once
        current.broken = True
        why = self._source.wait_until_over(self._news_timeout)
        if why is None and not self._explain(error):
            return False
        _log.info("round %d is broken (%s): %s", current.number, why.reason if why else "no news", _first_line(error))
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        current = self.round
        if kind is None and current is not None and not self._done:
            # Somebody broke out of the loop: the others may still need this process.
            self._done = not current.changed() and self._all_are_done(current)
        with self._state.lock:
            self._ended = True
            self._state.notify_all()
        try:
            self._leave()
            self._engine.close()
        finally:
            if kind is None and self._done:
                self._source.finish()
            else:
                self._source.leave()

    def _all_are_done(self, current: Round) -> bool:
        try:
            done = self._engine.agree_done(self.changed)
        except Exception as error:
            if self.ends_round(current, error):
                return False
            raise
        if done:
            self._source.done()  # at once: what is still to come may take long, or fail
        return done

    def _take_next(self) -> Round:
        while True:
            self._leave()
            if self.round is not None:
                self._before_leaving()
                # Whose state never came is as new as before: what it has is of no use to the others.
                self._newcomer = self._newcomer and self.round.awaits_state
                self.round = None
            began = time.monotonic()
            given = self._source.next_round()
            with self._state.lock:
                self._working_in = given.place.number
                self._state.notify_all()
            try:
                taken = self._engine.take_in(
                    given.place,
                    given.listening,
                    progress=self._progress(),
                    newcomer=self._newcomer,
                    given_up=self.changed,
                )
            except RoundOverError as over:
                _log.info("%s", over)
                continue
            except Exception as error:
                if self.changed() and not came_with_a_signal(error):
                    _log.info("round %d was replaced while it was taken in: %s", given.place.number, _first_line(error))
                    continue
                raise
            finally:
                if given.listening is not None:
                    given.listening.close()
            with self._state.lock:
                self._taken_in = given.place.number
            self._source.took(given.place.number)
            self.round = Round(self, given.place, taken)
            _log.info(
                "round %d: rank %d of %d, by %s, %.0f ms",
                given.place.number,
                taken.rank,
                taken.roster.world_size,
                self._engine.name,
                (time.monotonic() - began) * 1000,
            )
            return self.round

    def _leave(self) -> None:
        with self._state.lock:
            if self._working_in:
                self._engine.leave()
            self._working_in = 0
            self._state.notify_all()

    def _explain(self, error: Exception) -> bool:
        """Peers fail, and nobody says that one is lost: a cut network. Worth a new round, while there is progress."""
        progress = self._progress()
        self._unexplained = self._unexplained + 1 if progress == self._unexplained_at else 1
        self._unexplained_at = progress
        if self._unexplained > _ATTEMPTS:
            return False
        _log.warning(
            "a collective has failed, and %.0f s later nobody is known to be lost: another round is asked for: %s",
            self._news_timeout,
            _first_line(error),
        )
        return True

    def _hear_news(self) -> None:
        while not self._ended:
            try:
                self._hear()
            except Exception:  # a thread that died here would leave the trainer in every round that is over
                _log.exception("what is heard of rounds met something unexpected; it is tried again")
                self._state.wait_for(lambda: self._ended, _AGAIN_SECONDS)

    def _hear(self) -> None:
        while True:
            suspected = bool(self._waits)
            self._state.wait_for(lambda: self._working_in > 0 or self._ended, _AGAIN_SECONDS if suspected else None)
            with self._state.lock:
                if self._ended:
                    return
                working = self._working_in > 0
            over = self._source.wait_until_over(_AGAIN_SECONDS if suspected else _WAIT_SECONDS) if working else None
            with self._state.lock:
                # A thread beside the trainer's own may wait on in a round that the trainer has left.
                self._say_if_stuck(self._waits.see_old_ones(self._engine.waiting(), time.monotonic()))
            if over is not None:
                self._see_out_of(over)
            elif not suspected:  # the source has ended: the trainer will find out for itself
                self._state.wait_for(lambda: self._ended, _AGAIN_SECONDS)

    def _see_out_of(self, over: Interruption) -> None:
        """See to it that the trainer comes out of a round that is over."""

        def has_left() -> bool:
            return not 0 < self._working_in <= over.round

        moment = self._engine.moment
        if over.reason in NOBODY_IS_GONE and self._taken_in == self._working_in:
            moment = max(moment, PLANNED_MOMENT_SECONDS)
        while not self._state.wait_for(has_left, moment):
            with self._state.lock:
                if has_left():
                    return
                self._engine.free()
                moment, self._freed_in = _AGAIN_SECONDS, self._working_in
                self._say_if_stuck(self._waits.see(self._engine.waiting(), time.monotonic()))

    def _say_if_stuck(self, stuck: bool) -> None:
        if stuck and self._stuck_in != self._freed_in:
            self._stuck_in = self._freed_in
            self._source.stuck(self._stuck_in)


def _first_line(error: BaseException | None) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:200] if text else ''}"
