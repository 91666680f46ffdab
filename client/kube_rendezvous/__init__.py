"""Elastic training rendezvous as a Kubernetes object: the client side.

:func:`rendezvous` takes part in Python; :mod:`kube_rendezvous.api` is PyTorch's rendezvous interface without torch.
This package imports nothing by itself, because every process that imports torch's elastic package loads it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kube_rendezvous.rounds import Round, Rounds, rendezvous

__all__ = ["Round", "Rounds", "__version__", "rendezvous"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in ("Round", "Rounds", "rendezvous"):
        from kube_rendezvous import rounds

        return getattr(rounds, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
