"""The one kind of error that this package raises on purpose."""


class LocalControlPlaneError(RuntimeError):
    """Something of the local control plane could not be found, built, started or reached.

    The message is for a person: what happened, to which program, the end of its log, and what to do.
    """
