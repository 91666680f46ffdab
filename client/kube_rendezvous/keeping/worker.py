"""One worker: its process, and the launcher's end of the pair of sockets to it."""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence

from kube_rendezvous.survival.launcher_wire import (
    DESCRIPTOR_VARIABLE,
    FromLauncher,
    FromWorker,
    receive_from_worker,
    send_to_worker,
    socket_pair,
)
from kube_rendezvous.trainer_process.process import TrainerProcess

_log = logging.getLogger(__name__)


class WorkerProcess:
    """Starts the command. Call it from a thread that lives as long as the process: see `TrainerProcess`.

    Args:
        command: program and arguments.
        environment: its whole environment, but for the descriptor's number.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._end, theirs = socket_pair()
        with theirs:
            variables = {**environment, DESCRIPTOR_VARIABLE: str(theirs.fileno())}
            self._process = TrainerProcess(command, variables, [theirs.fileno()])

    def listen(self, heard: Callable[[FromWorker], None], ended: Callable[[int], None]) -> None:
        """Begin to listen.

        Args:
            heard: called with each message, from a thread of its own.
            ended: called with the exit status, from another thread, when all that the process has said was heard.
        """
        listening = threading.Thread(target=self._listen, args=(heard,), name="worker-messages", daemon=True)
        listening.start()
        threading.Thread(target=self._await, args=(ended, listening), name="worker-end", daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def tell(self, message: FromLauncher) -> None:
        """Send a message; one that has ended, or does not listen, misses it."""
        with contextlib.suppress(OSError):
            send_to_worker(self._end, message)

    def send_signal(self, number: int) -> None:
        """Send a signal to the worker and to all that it has started."""
        self._process.send(number)

    def kill(self) -> None:
        """End it and all that it has started."""
        self._process.kill()

    def _listen(self, heard: Callable[[FromWorker], None]) -> None:
        while True:
            try:
                message = receive_from_worker(self._end)
            except OSError:
                return
            except (ValueError, KeyError, TypeError) as error:
                _log.warning("worker %d said something that is not understood: %s", self.pid, error)
                continue
            if message is None:
                return
            heard(message)

    def _await(self, ended: Callable[[int], None], listening: threading.Thread) -> None:
        status = self._process.wait()
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)  # what is on its way is read, and then there is no more
        listening.join()
        self._end.close()
        ended(status)
