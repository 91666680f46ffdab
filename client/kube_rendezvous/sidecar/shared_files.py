"""The files that sidecar and trainer share. Each is replaced as a whole: nobody ever reads half of one."""

import contextlib
import json
import os
import tempfile
from pathlib import Path

from kube_rendezvous.sidecar.publication import Publication, parse_publication

ENV_FILE = "round.env"
JSON_FILE = "round.json"
READY_FILE = "ready"
FINISHED_FILE = "finished"

_READABLE_BY_ALL = 0o644
_MOST_DIGITS = 18


class SharedFiles:
    """The folder that both containers mount.

    Args:
        folder: must exist; the sidecar must be able to write there, and the trainer too if it is to answer in files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, publication: Publication) -> None:
        """Replace both files, the JSON last: who reads the news there finds it in the other one too.

        Raises:
            OSError: the folder cannot be written.
        """
        self._replace(ENV_FILE, publication.to_env())
        self._replace(JSON_FILE, json.dumps(publication.to_json()) + "\n")

    def read(self) -> Publication | None:
        """What the sidecar says; None: nothing yet.

        Raises:
            ValueError: the file is not a sidecar's.
            OSError: it cannot be read.
        """
        file = self._folder / JSON_FILE
        try:
            return parse_publication(json.loads(file.read_bytes()))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error

    def stopped_round(self) -> int:
        """The newest round that the trainer says it has stopped; 0: none."""
        try:
            with (self._folder / READY_FILE).open("rb") as file:
                text = file.read(32).strip()
            return int(text) if text.isdigit() and len(text) <= _MOST_DIGITS else 0
        except OSError:
            return 0

    def is_finished(self) -> bool:
        """Whether the trainer says that the work is done."""
        return (self._folder / FINISHED_FILE).exists()

    def forget_stopped_round(self) -> None:
        """Remove what a trainer has written for an earlier life of this sidecar, which may have known other rounds."""
        with contextlib.suppress(OSError):
            (self._folder / READY_FILE).unlink()

    def _replace(self, name: str, text: str) -> None:
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self._folder)
        try:
            with os.fdopen(handle, "w") as file:
                os.fchmod(file.fileno(), _READABLE_BY_ALL)
                file.write(text)
            os.replace(temporary, self._folder / name)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
