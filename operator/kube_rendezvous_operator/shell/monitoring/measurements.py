"""What the shell counts and times, without a word of how it is exposed."""

from typing import Protocol


class Measurements(Protocol):
    """Told what happened; called from any thread."""

    def request(self, method: str, status: int, path: str) -> None:
        """A request to the API server was answered; status 0: it was not."""

    def watch_restarted(self, resource: str, reason: str) -> None:
        """A watch ended and is opened again."""

    def reconciled(self, seconds: float) -> None:
        """One Rendezvous was looked at."""

    def round_ended(self, outcome: str) -> None:
        """A round that was being formed came to this end."""

    def round_formed(self, seconds: float) -> None:
        """A round was published so long after its forming began."""

    def told(self, seconds: float) -> None:
        """Survivors were told so long after the operator had heard of a loss."""


class Unmeasured:
    """Nobody wants to know."""

    def request(self, method: str, status: int, path: str) -> None:
        """See `Measurements`."""

    def watch_restarted(self, resource: str, reason: str) -> None:
        """See `Measurements`."""

    def reconciled(self, seconds: float) -> None:
        """See `Measurements`."""

    def round_ended(self, outcome: str) -> None:
        """See `Measurements`."""

    def round_formed(self, seconds: float) -> None:
        """See `Measurements`."""

    def told(self, seconds: float) -> None:
        """See `Measurements`."""
