"""Where the sidecar's threads find the newest publication and the trainer's answers, and wait for them."""

import threading
from collections.abc import Callable

from kube_rendezvous.sidecar.publication import Publication

_LOOK_AT_FILE_SECONDS = 0.2


class Board:
    """Shared by the loop that writes it and the HTTP endpoint that reads it.

    Args:
        first: what is said at the beginning.
        on_change: called with each publication before anybody is woken for it.
    """

    def __init__(self, first: Publication, on_change: Callable[[Publication], None]) -> None:
        self._changed = threading.Condition()
        self._newest = first
        self._on_change = on_change
        self._stopped_round = 0
        self._over = False
        self.started = threading.Event()
        on_change(first)

    @property
    def newest(self) -> Publication:
        """What is said now."""
        with self._changed:
            return self._newest

    @property
    def is_over(self) -> bool:
        """Whether the sidecar ends."""
        with self._changed:
            return self._over

    def publish(self, change: Callable[[Publication], Publication]) -> None:
        """Say something new.

        Args:
            change: makes the next version of the newest one.
        """
        with self._changed:
            following = change(self._newest)
            self._on_change(following)
            self._newest = following
            if following.stands_after(0):
                self.started.set()
            self._changed.notify_all()

    def wait_for(self, true: Callable[[Publication], bool], seconds: float) -> Publication | None:
        """Wait for a publication; None: it did not come within `seconds`, or the sidecar ends."""
        with self._changed:
            self._changed.wait_for(lambda: true(self._newest) or self._over, max(0.0, seconds))
            return self._newest if true(self._newest) else None

    def trainer_stopped(self, number: int) -> None:
        """The trainer says that it has stopped this round."""
        with self._changed:
            self._stopped_round = max(self._stopped_round, number)
            self._changed.notify_all()

    def forget_if_stopped(self, number: int, in_file: Callable[[], int], forget_file: Callable[[], None]) -> None:
        """This round is new. If the trainer has said that it has stopped it, that was another one of this number: of a
        Rendezvous that was deleted and created anew, which counts its rounds from 1 again.

        Args:
            number: of the round.
            in_file: what the trainer has written.
            forget_file: removes that.
        """
        with self._changed:
            if max(self._stopped_round, in_file()) >= number:
                self._stopped_round = 0
                forget_file()

    def wait_for_trainer(self, number: int, in_file: Callable[[], int]) -> bool:
        """Wait until the trainer has stopped this round; False: the sidecar ends.

        Args:
            number: of the round.
            in_file: what the trainer has written: a file cannot wake anybody, so it is looked at now and then.
        """
        with self._changed:
            while not self._over and max(self._stopped_round, in_file()) < number:
                self._changed.wait(_LOOK_AT_FILE_SECONDS)
            return not self._over

    def end(self) -> None:
        """Wake everybody for good."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
