"""Entry point of group `torchrun.handlers`. Light: every process that imports torch.distributed.elastic loads it."""

from typing import Any


def kubernetes_backend() -> Any:
    """Called by torch without arguments; returns the creator of handlers."""
    return _create


def _create(params: Any) -> Any:
    from kube_rendezvous.torchrun import create_torch_handler

    return create_torch_handler(params)
