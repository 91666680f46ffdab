"""Carries a JAX program's state over a change of round: to the host before `leave`, to all processes after `enter`.

    state = to_host(state)                      # of the last step that succeeded
    jax_runtime.leave(); jax_runtime.enter(…)
    state = share(state, source=0)              # newcomers pass what they have initialized
    state = jax.device_put(state, sharding)     # or jax.make_array_from_process_local_data

A step that fails has consumed the buffers that were donated to it (``donate_argnums``): a state that is to outlive a
lost peer is not donated, or copied by `to_host` every so many steps.
"""

import hashlib
from typing import Any

from kube_rendezvous.raised_by_signals import came_with_a_signal

_PIECE_BYTES = 16 * 1024 * 1024


class StateError(RuntimeError):
    """A state cannot be carried over, and which part of it."""


def to_host(tree: Any) -> Any:
    """Copy every array of a tree to host memory, as numpy's.

    Always a copy: ``np.asarray`` of an array on a CPU device shares its memory, and so holds the whole backend of a
    round that is left.

    Args:
        tree: a pytree. Leaves that are no JAX arrays are kept as they are, numpy arrays are copied.

    Returns:
        The same structure. A replicated array is taken from this process's devices.

    Raises:
        StateError: an array is the result of a step that failed, was donated to one, lies in part on other processes'
            devices, or is of random keys (`jax.random.key_data` makes numbers of them). The message names the leaf.
    """
    import jax

    return jax.tree_util.tree_map_with_path(lambda path, leaf: _copy(jax.tree_util.keystr(path), leaf), tree)


def share(tree: Any, source: int) -> Any:
    """Give every process of the round the state of one. All of them call it, with the same source.

    Bytes travel, not numbers: 64-bit values, NaNs, negative zeros and small floating-point formats arrive as they were,
    whatever ``jax_enable_x64`` says. Done in pieces of 16 MiB, so that the memory needed beside the state is small.

    Args:
        tree: a pytree of arrays and numbers, of one structure, with equal shapes and types, in every process. The
            values count in the source only.
        source: its process index.

    Returns:
        The source's tree, with numpy arrays for leaves, the caller's to change.

    Raises:
        StateError: a tree differs from the source's in structure, shapes or types; every process raises then, and the
            message of those that differ says so. Or a leaf cannot be copied, see `to_host`.
        ValueError: there is no such process.
        jax.errors.JaxRuntimeError: a process was lost meanwhile.
    """
    import jax
    import numpy as np

    if not 0 <= source < jax.process_count():
        raise ValueError(f"source {source} is not one of the {jax.process_count()} processes of this round")
    leaves, structure = jax.tree_util.tree_flatten(to_host(tree))
    arrays = [np.array(leaf, order="C") for leaf in leaves]
    objects = [number for number, array in enumerate(arrays) if array.dtype.hasobject]
    if objects:
        raise StateError(f"leaf {objects[0]} of the state is no array and no number: {type(leaves[objects[0]])}")
    if jax.process_count() > 1:
        described = f"{structure} {[(array.shape, array.dtype.name) for array in arrays]}"
        _require_equal(described, source)
        _share_bytes([array.reshape(-1).view(np.uint8) for array in arrays], source)
    return jax.tree_util.tree_unflatten(structure, arrays)


def _copy(name: str, leaf: Any) -> Any:
    import jax
    import numpy as np

    if isinstance(leaf, np.ndarray):
        return leaf.copy()
    if not isinstance(leaf, jax.Array):
        return leaf
    if leaf.is_deleted():
        raise StateError(f"state{name} was donated to a step, and is gone: keep a state that no step has consumed")
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        raise StateError(f"state{name} holds random keys: carry jax.random.key_data of it, and wrap_key_data it again")
    if not leaf.is_fully_addressable and not leaf.is_fully_replicated:
        raise StateError(
            f"state{name} lies in part on devices of other processes: gather it while they are there, or carry "
            "each process's own shards"
        )
    try:
        return np.array(leaf if leaf.is_fully_addressable else leaf.addressable_data(0))
    except Exception as error:
        if came_with_a_signal(error):
            raise
        raise StateError(f"state{name} comes from a step that failed, use the state before it: {error}") from None


def _require_equal(described: str, source: int) -> None:
    import numpy as np

    own = np.frombuffer(hashlib.sha256(described.encode()).digest(), np.uint8)
    sources = own.copy()
    _share_bytes([sources], source)
    differs = np.array([not np.array_equal(own, sources)], np.uint8)
    anywhere = _sum_over_processes(differs)
    if differs[0]:
        raise StateError(
            f"the state of this process differs from that of process {source} in structure, shapes or types; here: "
            f"{described[:2000]}"
        )
    if anywhere[0]:
        raise StateError("the state of another process of the round differs in structure, shapes or types from ours")


def _share_bytes(parts: list[Any], source: int) -> None:
    """Overwrite the bytes of every part, everywhere, with the source's."""
    import jax
    import numpy as np

    is_source = jax.process_index() == source
    total = sum(part.size for part in parts)
    piece = np.zeros(min(_PIECE_BYTES, total), np.uint8)
    for start in range(0, total, max(1, piece.size)):
        if is_source:
            _move(parts, start, piece, out=True)
        # Zero everywhere else: the sum is the source's.
        summed = _sum_over_processes(piece)
        if not is_source:
            _move(parts, start, summed, out=False)


def _move(parts: list[Any], start: int, piece: Any, *, out: bool) -> None:
    """Copy what lies from `start` on in the parts, laid end to end, into the piece, or back."""
    begin = 0
    for part in parts:
        first, last = max(start, begin), min(start + piece.size, begin + part.size)
        if first < last:
            inside, there = part[first - begin : last - begin], piece[first - start : last - start]
            if out:
                there[:] = inside
            else:
                inside[:] = there
        begin += part.size


def _sum_over_processes(own: Any) -> Any:
    """The sum of every process's bytes, modulo 256."""
    import jax
    import numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    # One device a process: processes may have different numbers of them.
    first = {device.process_index: device for device in reversed(jax.devices())}
    mesh = Mesh(np.array([first[process] for process in range(jax.process_count())]), ("processes",))
    by_process = NamedSharding(mesh, PartitionSpec("processes"))
    everywhere = NamedSharding(mesh, PartitionSpec())
    together = jax.make_array_from_process_local_data(by_process, own[None], (jax.process_count(), own.size))
    summed = jax.jit(lambda x: x.sum(axis=0, dtype=x.dtype), out_shardings=everywhere)(together)
    return np.array(summed.addressable_data(0))
