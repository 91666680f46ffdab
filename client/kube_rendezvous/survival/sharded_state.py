"""State of which each process holds a part: FSDP2 (`fully_shard`), with or without replicas (HSDP).

    sharded = ShardedState()                                # progress=lambda: sharded.steps_done
    for round in group:
        with round:
            model, optimizer = build(mesh_of(round))        # anew in each round, sharded on its mesh
            moved = sharded.move(round, model, optimizer)   # from whoever has it to whoever needs it
            if not moved.whole:                             # a shard was lost with its only holder, or it is the start
                sharded.begin(model, optimizer, load_checkpoint(model, optimizer))
            while …:
                loss(model).backward()
                sharded.step(round)                         # in place of optimizer.step()

After a loss every process still has its shards of the last round. What was lost with a member of one replica, another
replica holds. Each process gets the parts that its new shards are made of, piece by piece, from processes that have
them; no process ever holds the whole. Where nobody has a piece (plain FSDP2 without replicas), the answer says which.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import (
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.tensor import DTensor, Replicate, Shard

from kube_rendezvous.survival.group import Round
from kube_rendezvous.survival.shard_plan import Box, Transfer, plan_transfers
from kube_rendezvous.survival.torch_state import group_device

_log = logging.getLogger(__name__)

_OF_MODEL = "model"
_Key = tuple[str, str]
"""The name of a parameter or buffer, and what of it: `_OF_MODEL`, or a name of the optimizer's state."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of `ShardedState.move`; the same on all processes of the round.

    Args:
        whole: model and optimizer are what they were; False: take a checkpoint, or start.
        lost: names of parameters of which a part is held by nobody; empty at the start.
    """

    whole: bool
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Held:
    """A part of a tensor that this process has."""

    box: Box
    part: torch.Tensor


@dataclass(frozen=True, slots=True)
class _Said:
    """What a process says about itself to all others.

    Args:
        held: where the parts are that it has.
        like_parameter: state of the optimizer that is sharded as its parameter is.
        needed: the part of each tensor of its new model.
        dtypes: of what it has.
        others: state of the optimizer that is no tensor.
        options: of the optimizer: its groups of parameters.
    """

    held: dict[_Key, list[Box]]
    like_parameter: frozenset[_Key]
    needed: dict[str, Box]
    dtypes: dict[_Key, torch.dtype]
    others: dict[_Key, Any]
    options: list[dict[str, Any]]


class ShardedState:
    """The state that this process holds a part of, from one round to the next."""

    def __init__(self) -> None:
        self.steps_done = 0
        self._model: Any = None
        self._optimizer: Any = None
        self._has_gradients = False
        self._older: dict[_Key, list[_Held]] = {}

    def begin(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, steps_done: int) -> None:
        """Go on from what these are: from the start, or from a checkpoint that all have loaded.

        Args:
            model, optimizer: of the present round.
            steps_done: that they have behind them.
        """
        self._model, self._optimizer, self.steps_done = model, optimizer, steps_done
        self._has_gradients, self._older = False, {}

    def step(self, current: Round) -> None:
        """`optimizer.step()` on all processes, even if one is lost in the middle of it: a collective.

        It begins only when all processes have their gradients. Survivors that a loss keeps from hearing so make up for
        the step in `move` if anybody has made it: or else there would be shards of two different steps.

        Args:
            current: the round.

        Raises:
            RuntimeError: a peer was lost, as of every collective.
            RoundOverError: see `Round.confirm`.
        """
        current.confirm()
        self._has_gradients = True
        dist.all_reduce(torch.zeros(1, device=group_device()))
        current.confirm()
        self._apply()

    def move(self, current: Round, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Moved:
        """Fill a new model and its optimizer with the state that the round's processes hold. A collective.

        Args:
            current: the round.
            model, optimizer: made in this round; the optimizer has made no step.

        Raises:
            RuntimeError: a peer was lost meanwhile, as of every collective; nothing is lost that this process held.
            RoundOverError: see `Round.confirm`.
            ValueError: a tensor is sharded in another way than in contiguous parts.
        """
        current.awaits_state = current.rank in current.roster.newcomers
        survivors = [entry.progress for entry in current.roster.entries if not entry.newcomer]
        furthest = max(survivors, default=0)
        if self._has_gradients and self.steps_done == furthest - 1:
            self._apply()
        self._has_gradients = False
        held = self._held() if survivors and self.steps_done == furthest else {}
        new = get_model_state_dict(model)
        said = self._exchange(current, held, new)
        keys = sorted({key for one in said for key in one.held})
        plans = {key: _plan(key, said) for key in keys}
        lost = {name for name in new if (name, _OF_MODEL) not in plans} if keys else set()
        lost |= {name for (name, _), (_, lacking) in plans.items() if lacking}
        if not keys or lost:
            current.awaits_state = False  # all begin again
            return Moved(whole=False, lost=tuple(sorted(lost)))
        targets = self._targets(new, said)
        for key in keys:
            for transfer in plans[key][0]:
                _carry_out(transfer, current.rank, held.get(key, []), targets[key])
        current.confirm()
        _load_optimizer(model, optimizer, targets, next(one for one in said if one.held))
        # Until all have all they need, somebody may have to get it once more.
        self._older = held
        self._model, self._optimizer, self.steps_done = model, optimizer, furthest
        dist.barrier()
        current.confirm()
        self._older = {}
        current.awaits_state = False
        return Moved(whole=True)

    def _apply(self) -> None:
        self._optimizer.step()
        self.steps_done += 1
        self._has_gradients = False

    def _held(self) -> dict[_Key, list[_Held]]:
        held = {key: list(parts) for key, parts in self._older.items()}
        if self._model is not None:
            for key, tensor in _tensors_of(self._model, self._optimizer):
                held.setdefault(key, []).append(_held_of(tensor))
        return held

    def _exchange(self, current: Round, held: dict[_Key, list[_Held]], new: dict[str, torch.Tensor]) -> list[_Said]:
        of_optimizer = _optimizer_state(self._model, self._optimizer) if held and self._model is not None else {}
        states = [
            ((name, what), value)
            for name, state in of_optimizer.get("state", {}).items()
            for what, value in state.items()
        ]
        mine = _Said(
            held={key: [one.box for one in parts] for key, parts in held.items()},
            like_parameter=frozenset(key for key, value in states if isinstance(value, DTensor)),
            needed={name: _held_of(tensor).box for name, tensor in new.items()},
            dtypes={key: parts[0].part.dtype for key, parts in held.items()},
            others={key: value for key, value in states if not isinstance(value, torch.Tensor)},
            options=of_optimizer.get("param_groups", []),
        )
        said: list[Any] = [None] * current.world_size
        dist.all_gather_object(said, mine)
        return said

    def _targets(self, new: dict[str, torch.Tensor], said: list[_Said]) -> dict[_Key, torch.Tensor]:
        """Whole tensors, or DTensors with this process's part: what is still to be filled."""
        targets: dict[_Key, torch.Tensor] = {(name, _OF_MODEL): tensor for name, tensor in new.items()}
        for one in said:
            for (name, what), boxes in one.held.items():
                if (name, what) in targets:
                    continue
                dtype = one.dtypes[name, what]
                if (name, what) in one.like_parameter:
                    targets[name, what] = torch.zeros_like(new[name], dtype=dtype)
                else:
                    targets[name, what] = torch.zeros(boxes[0].sizes, dtype=dtype)
        return targets


def _tensors_of(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[tuple[_Key, torch.Tensor]]:
    for name, tensor in get_model_state_dict(model).items():
        yield (name, _OF_MODEL), tensor
    for name, state in _optimizer_state(model, optimizer).get("state", {}).items():
        for what, value in state.items():
            if isinstance(value, torch.Tensor):
                yield (name, what), value


def _optimizer_state(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """By names of parameters. torch would make a step to have something to say if there was none yet."""
    if not optimizer.state:
        return {}
    said: dict[str, Any] = get_optimizer_state_dict(model, optimizer)
    return said


def _load_optimizer(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    targets: dict[_Key, torch.Tensor],
    holder: _Said,
) -> None:
    state: dict[str, dict[str, Any]] = {}
    for (name, what), value in (targets | holder.others).items():
        if what != _OF_MODEL:
            state.setdefault(name, {})[what] = value
    if state:
        set_optimizer_state_dict(model, optimizer, {"state": state, "param_groups": holder.options})


def _held_of(tensor: torch.Tensor) -> _Held:
    if not isinstance(tensor, DTensor):
        return _Held(Box((0,) * tensor.dim(), tuple(tensor.shape)), tensor.detach())
    for placement in tensor.placements:
        if type(placement) not in (Shard, Replicate):
            raise ValueError(f"a tensor is placed as {placement}: only Shard and Replicate can be moved")
    (chunk,) = tensor.__create_chunk_list__()
    return _Held(Box(tuple(chunk.offsets), tuple(chunk.sizes)), tensor.to_local().detach())


def _plan(key: _Key, said: list[_Said]) -> tuple[list[Transfer], dict[int, list[Box]]]:
    name, what = key
    held = {rank: one.held[key] for rank, one in enumerate(said) if key in one.held}
    if what == _OF_MODEL or any(key in one.like_parameter for one in said):
        needed = {rank: one.needed[name] for rank, one in enumerate(said) if name in one.needed}
    else:
        whole = next(iter(held.values()))[0]
        needed = dict.fromkeys(range(len(said)), whole)
    return plan_transfers(needed, held)


def _carry_out(transfer: Transfer, rank: int, held: list[_Held], target: torch.Tensor) -> None:
    if rank not in (transfer.source, transfer.target):
        return
    device = group_device()
    piece = None
    if rank == transfer.source:
        source = next(one for one in held if one.box == transfer.held)
        piece = source.part[transfer.part.within(source.box)]
        if rank != transfer.target:
            dist.send(piece.contiguous().to(device), dst=transfer.target)
            return
    into = _held_of(target)
    place = into.part[transfer.part.within(into.box)]
    if piece is None:
        piece = torch.empty(transfer.part.sizes, dtype=target.dtype, device=device)
        dist.recv(piece, src=transfer.source)
    place.copy_(piece)
