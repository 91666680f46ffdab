"""The sidecar as a whole: files, endpoint and the loop that takes part, until a signal or a failure ends it."""

import logging
import queue
from dataclasses import dataclass
from pathlib import Path

from kube_rendezvous.participation import Participation
from kube_rendezvous.sidecar.board import Board
from kube_rendezvous.sidecar.http_endpoint import HttpEndpoint
from kube_rendezvous.sidecar.publication import Publication, SidecarState
from kube_rendezvous.sidecar.shared_files import SharedFiles
from kube_rendezvous.sidecar.taking_part import TakingPart

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SidecarSettings:
    """How the sidecar talks to its trainer.

    Args:
        folder: where it writes its files; None: nowhere.
        host, port: where it listens; host "": nowhere.
        wait_for_trainer: join again only when the trainer has stopped.
        close_on_term: SIGTERM means that the work is done.
    """

    folder: Path | None
    host: str
    port: int
    wait_for_trainer: bool = False
    close_on_term: bool = False


class Sidecar:
    """Takes part for the trainer in another container.

    Args:
        participation: in the rendezvous.
        settings: see there.
    """

    def __init__(self, participation: Participation, settings: SidecarSettings) -> None:
        self._participation = participation
        self._settings = settings
        self._files = None if settings.folder is None else SharedFiles(settings.folder)
        self._end: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def signalled(self, number: int) -> None:
        """Somebody asks us to end. From any thread."""
        self._end.put(None)

    def run(self) -> int:
        """Take part until a signal comes (0) or there is no use in going on.

        Returns:
            The exit status.

        Raises:
            OSError: the folder cannot be written, or the address not be used.
        """
        self._forget_stopped_round()
        first = Publication(
            1,
            SidecarState.WAITING,
            self._participation.namespace,
            self._participation.name,
            reason="Joining",
            message="no round has been formed yet",
        )
        board = Board(first, self._write)
        part = TakingPart(
            self._participation,
            board,
            self._stopped_round,
            self._forget_stopped_round,
            wait_for_trainer=self._settings.wait_for_trainer,
            on_failure=self._end.put,
        )
        endpoint = self._open_endpoint(board, part)
        try:
            part.start()
            failed = self._end.get()
            self._leave(part, failed)
        finally:
            board.end()
            if endpoint is not None:
                endpoint.close()
        return failed or 0

    def _leave(self, part: TakingPart, failed: int | None) -> None:
        if failed is not None:
            part.leave(close=False, reason="Failed", message="the sidecar has failed; its log says why")
            return
        finished = self._files is not None and self._files.is_finished()
        close = finished or self._settings.close_on_term
        _log.info("asked to end: %s", "the work is done, closing" if close else "leaving; the others go on")
        part.leave(close=close, reason="Ended", message="the sidecar was asked to end")

    def _open_endpoint(self, board: Board, part: TakingPart) -> HttpEndpoint | None:
        if not self._settings.host:
            return None

        def leave(close: bool) -> bool:
            return part.leave(close=close, reason="Asked", message="the trainer asked the sidecar to leave")

        return HttpEndpoint(self._settings.host, self._settings.port, board, leave)

    def _write(self, publication: Publication) -> None:
        if self._files is not None:
            self._files.write(publication)

    def _stopped_round(self) -> int:
        return 0 if self._files is None else self._files.stopped_round()

    def _forget_stopped_round(self) -> None:
        if self._files is not None:
            self._files.forget_stopped_round()
