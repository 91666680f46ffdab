"""What in-process rounds raise on purpose, beside the rendezvous API's own errors."""

from kube_rendezvous.api import RendezvousError


class RoundOverError(RendezvousError):
    """The round is over: stop what runs in it and take the next one. `with round:` does so."""


class TakeInError(RendezvousError):
    """Rounds were formed, but this process could not take them in: its peers cannot be reached, or the engine fails."""


class EngineError(RendezvousError):
    """The engine that was asked for cannot work here."""
