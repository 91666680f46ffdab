"""State for those that lack it: newcomers, and survivors whose step was undone, get it from the furthest survivor.

For state that every process has whole: DistributedDataParallel, plain collectives. See `sharded_state` for FSDP.
"""

import io
from typing import Any, Protocol

import torch
import torch.distributed as dist

from kube_rendezvous.survival.group import Round


class Stateful(Protocol):
    """A module, an optimizer, a scheduler, a sampler, or an object of the trainer's own."""

    def state_dict(self) -> dict[str, Any]:
        """All that makes it up; tensors anywhere in dicts, lists and tuples."""

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Become what another one's `state_dict` says."""


def share_state(current: Round, *parts: Stateful) -> bool:
    """Bring every process of the round to the same state. A collective: all of them call it, first of all.

    Costs nothing where nobody lacks anything: after a loss that has undone no step.

    Args:
        current: the round.
        parts: the same ones in the same order on all processes. Unwrapped modules: make DistributedDataParallel
            objects anew in each round, after this call.

    Returns:
        Whether this process has got another one's state.

    Raises:
        RuntimeError: a peer was lost meanwhile, as of every collective.
    """
    source = current.state_source
    if source is None:
        return False
    device = group_device()
    current.awaits_state = current.lacks_state
    if current.rank == source:
        tensors: list[torch.Tensor] = []
        skeleton = _take_apart([part.state_dict() for part in parts], tensors)
        _broadcast_bytes(_pickled(skeleton), source, device)
        for tensor in tensors:
            dist.broadcast(_as_bytes(tensor.detach().resolve_conj().resolve_neg().contiguous().to(device)), src=source)
        return False
    skeleton = _unpickled(_broadcast_bytes(None, source, device))
    states = _put_together(skeleton, source, device)
    if not current.lacks_state:
        return False
    for part, state in zip(parts, states, strict=True):
        part.load_state_dict(state)
    current.awaits_state = False
    return True


class _Hole:
    """Where a tensor was taken out."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.shape, self.dtype = tuple(tensor.shape), tensor.dtype


def _take_apart(value: Any, tensors: list[torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        return _Hole(value)
    if isinstance(value, dict):
        return {key: _take_apart(each, tensors) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_take_apart(each, tensors) for each in value)
    return value


def _put_together(value: Any, source: int, device: torch.device) -> Any:
    if isinstance(value, _Hole):
        tensor = torch.empty(value.shape, dtype=value.dtype, device=device)
        dist.broadcast(_as_bytes(tensor), src=source)
        return tensor
    if isinstance(value, dict):
        return {key: _put_together(each, source, device) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_put_together(each, source, device) for each in value)
    return value


def _as_bytes(tensor: torch.Tensor) -> torch.Tensor:
    """The same memory: backends refuse some types of elements (gloo: int16, float8), and move bytes of any."""
    return tensor.reshape(-1).view(torch.uint8)


def _broadcast_bytes(sent: bytes | None, source: int, device: torch.device) -> bytes:
    length = torch.tensor([len(sent or b"")], dtype=torch.int64, device=device)
    dist.broadcast(length, src=source)
    if sent is not None:
        payload = torch.frombuffer(bytearray(sent), dtype=torch.uint8).to(device)
    else:
        payload = torch.empty(int(length.item()), dtype=torch.uint8, device=device)
    dist.broadcast(payload, src=source)
    return bytes(payload.cpu().numpy().tobytes())


def _pickled(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _unpickled(sent: bytes) -> Any:
    # From a peer of the same round, which may run any code in our collectives anyway.
    return torch.load(io.BytesIO(sent), weights_only=False)


def group_device() -> torch.device:
    """Where the default group's collectives take their tensors."""
    if "nccl" in str(dist.get_backend()).lower():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")
