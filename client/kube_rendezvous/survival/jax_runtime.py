"""Takes one process of a JAX job from round to round. The only file that touches JAX's private names.

A round begins with `enter` and ends with `leave`, in the thread that computes. What a lost peer leaves hanging is freed
by `interrupt`, from another thread: a collective whose neighbour has died raises at once, but one whose neighbours all
live and wait for others themselves would wait for ever.

Three things of jax 0.10.2 shape this file. Its client of the coordination service ends the whole process when a call
fails that it makes of its own accord, at ``connect`` too, so nothing is begun that can fail: the service is asked for a
sign of life first. Its waits in C++ hear nobody, so each wait that can be long is made of short ones here. And the
backend of a round lives, with its connections, for as long as one array of it does: see `jax_state`.
"""

import atexit
import contextlib
import gc
import importlib.metadata
import json
import logging
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kube_rendezvous.raised_by_signals import came_with_a_signal
from kube_rendezvous.survival.gloo_addresses import read_published, stand_in_for_the_absent
from kube_rendezvous.survival.own_connections import end_of, own_sockets

_log = logging.getLogger(__name__)

KNOWN_VERSIONS = ("0.10.2",)

# A lost process is told by its Member. JAX's own limits end the survivors, so they are never reached.
_HEARTBEAT_SECONDS = 10 * 365 * 86400
_SLICE_SECONDS = 0.1  # of a wait, after which it is looked whether the round was given up
_SIGN_OF_LIFE_SECONDS = 0.2  # a service in its right mind needs a millisecond; else `interrupt` comes again
_PREFIX = "kube-rendezvous"
_ALL_CONNECTED, _ALL_READY = f"{_PREFIX}/all-connected", f"{_PREFIX}/all-ready"
_EVERYWHERE = "0.0.0.0"
_HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


class UnknownJaxError(RuntimeError):
    """The installed JAX is not one that was tried, or there is none."""


class RoundLostError(RuntimeError):
    """The round cannot be entered, or is no longer to be: `leave`, and go on with the next one."""


def require_known_jax() -> None:
    """Check that JAX is installed in a version whose insides are known. Imports nothing.

    Raises:
        UnknownJaxError: it is not.
    """
    try:
        installed = importlib.metadata.version("jax")
    except importlib.metadata.PackageNotFoundError:
        raise UnknownJaxError("JAX is not installed for this Python") from None
    if installed not in KNOWN_VERSIONS:
        raise UnknownJaxError(
            f"JAX {installed} is installed. To keep a process through a change of membership, kube-rendezvous uses "
            f"what JAX does not promise, and has tried it with {', '.join(KNOWN_VERSIONS)}. `kube-rendezvous run` "
            "without --keep-survivors starts the processes of each round anew and works with every version"
        )


@dataclass(eq=False, slots=True)
class _Round:
    """What is known of the round that this process is in."""

    coordinator: str
    process_count: int
    client: Any = None
    given_up: threading.Event = field(default_factory=threading.Event)
    # Where gloo listens for the other members, here and anywhere, as `_text` writes it; none on GPUs.
    own_listeners: frozenset[str] = frozenset()
    listeners: frozenset[str] = frozenset()


_standing: _Round | None = None
_leaves_at_exit = False


def enter(
    coordinator: str,
    process_count: int,
    process_id: int,
    *,
    timeout: float,
    arrival_timeout: float | None = None,
    given_up: Callable[[], bool] = lambda: False,
    local_device_ids: Sequence[int] | None = None,
) -> None:
    """Join a round: afterwards JAX has the round's processes and devices, and all of them are there.

    What `jax.distributed.initialize` does, but with no service of process 0's own, with a client that can be let go of,
    and without JAX's preemption service: SIGTERM ends a trainer as it does any program. On CPU the collectives are
    gloo's unless the user chose others: that is JAX's own default.

    Args:
        coordinator: ``HOST:PORT`` of the round's coordination service, as `kube_rendezvous.keeping.jax_coordinator`
            serves it (one that JAX starts itself lets nobody in before all are there).
        process_count: processes in the round.
        process_id: of this one, from 0.
        timeout: seconds for what follows, once all are there.
        arrival_timeout: seconds until all must be there; None: as `timeout`.
        given_up: asked ten times a second; once it says yes the round is given up.
        local_device_ids: see `jax.distributed.initialize`. None: all that this process sees.

    Raises:
        UnknownJaxError: see `require_known_jax`.
        RoundLostError: not all came in time, the service has gone, or the round was given up. This process is in no
            round then.
        RuntimeError: it is in one already, or has computed something since the last one.
    """
    global _standing
    require_known_jax()
    import jax
    from jax._src import distributed, xla_bridge

    if _standing is not None or distributed.global_state.client is not None:
        raise RuntimeError("this process is in a round of JAX already: leave() it first")
    if xla_bridge.backends_are_initialized():
        raise RuntimeError("JAX has a backend already, something was computed without a round: leave() drops it")
    _leave_at_exit()
    standing = _standing = _Round(coordinator, process_count)
    arriving = _Patience(
        time.monotonic() + (timeout if arrival_timeout is None else arrival_timeout),
        lambda: given_up() or standing.given_up.is_set(),
    )
    try:
        _await_service(coordinator, arriving)
        limit = min(timeout, arriving.left())
        standing.client = _connect(distributed.global_state, coordinator, process_count, process_id, limit)
        if local_device_ids is not None:
            visible = ",".join(str(one) for one in local_device_ids)
            jax.config.update("jax_cuda_visible_devices", visible)
            jax.config.update("jax_rocm_visible_devices", visible)
        _gather(standing.client, _ALL_CONNECTED, "connected", "yes", process_count, process_id, arriving)
        patience = _Patience(time.monotonic() + timeout, arriving.given_up)
        for option in ("jax_cpu_get_local_topology_timeout_minutes", "jax_cpu_get_global_topology_timeout_minutes"):
            jax.config.update(option, 1)  # the least; reached when the service falls silent in these milliseconds
        before = _listening()
        with _freed_when_over(standing, patience):
            jax.devices()
        standing.own_listeners = frozenset(_listening() - before)
        own = json.dumps(sorted(standing.own_listeners))
        said = _gather(standing.client, _ALL_READY, "ready", own, process_count, process_id, patience)
        standing.listeners = frozenset(address for one in said for address in json.loads(one))
        # The connections are made now. At the first step, which may compile for minutes, one may be gone by then, and
        # the service with it: the others would wait half a minute for its address.
        with _freed_when_over(standing, patience):
            _add_up_ones()
        patience.require()
    except BaseException as error:
        leave()
        if isinstance(error, Exception) and not isinstance(error, RoundLostError):
            raise RoundLostError(f"the round at {coordinator} was lost while it was entered: {error}") from None
        raise


def leave() -> None:
    """Leave the round: afterwards JAX has no processes, no devices and no compiled functions, and `enter` can follow.

    Waits for nobody: not for the service, not for the peers, whose collectives with this process raise. Arrays of the
    round must be let go of before (`jax_state.to_host` copies what is needed): as long as one is held, by a traceback
    for instance, its backend stays in memory with its threads and connections, and a warning says so. In no round it
    drops what was computed without one. Must be called by the thread that computes, with no other one using JAX.
    """
    global _standing
    import jax.extend.backend
    from jax._src import dispatch, distributed, xla_bridge

    standing, _standing = _standing, None
    if standing is not None:
        # First of all: whoever waits for us is freed now, and a step of ours that is under way ends.
        _break_connections(standing, socket.SHUT_RDWR)
        standing.client = None
    state = distributed.global_state
    state.client, state.coordinator_address, state.process_id, state.num_processes = None, None, 0, 1
    backends = [weakref.ref(backend) for backend in xla_bridge._backends.values()]
    try:
        jax.extend.backend.clear_backends()
    except Exception as error:  # what the step under way has left behind
        _log.debug("in leaving a round: %s", error)
        dispatch.runtime_tokens.clear()
        jax.extend.backend.clear_backends()
    gc.collect()  # a backend is part of a cycle, and holds the client and the connections
    if any(backend() is not None for backend in backends):
        _log.warning(
            "something still holds an array or a compiled function of the round that is left: its memory, threads and "
            "connections stay until it is let go of"
        )


def interrupt() -> None:
    """Free the thread that waits in this process's round, in `enter` or in a collective: it gets an error.

    From any other thread, as soon as the round is known to be over; again every tenth of a second until the computing
    thread has come back, because it may have begun another collective. A collective of CPU devices raises within
    milliseconds. Those of GPUs are not known here and wait for their own limits. In no round it does nothing. Takes
    0.2 s when the service is silent. If the service's node is lost in the very milliseconds in which `enter` makes the
    backend or its first connections, nothing frees those that wait but JAX's own limits, of 60 and of 30 s.
    """
    standing = _standing
    if standing is None:
        return
    standing.given_up.set()
    _free(standing)


def break_off() -> None:
    """End this process's connections, so that peers that wait for it are freed. By the thread that computes."""
    standing = _standing
    if standing is not None:
        standing.given_up.set()
        _break_connections(standing, socket.SHUT_RDWR)


def publish(key: str, value: str) -> None:
    """Tell the other processes of the round something, once for each key.

    Raises:
        RoundLostError: the service does not answer, or this process is in no round.
        ValueError: the key has a value already.
    """
    client = _client()
    if not _answers(client):
        raise RoundLostError("the coordination service of the round does not answer")
    try:
        client.key_value_set(f"{_PREFIX}/said/{key}", value)
    except Exception as error:
        if came_with_a_signal(error):
            raise
        if "ALREADY_EXISTS" in str(error):
            raise ValueError(f"{key!r} has been published in this round already") from None
        raise RoundLostError(f"{key!r} cannot be published: {error}") from None


def lookup(key: str, *, timeout: float) -> str:
    """What a process of the round has published, waiting for it.

    Args:
        key: see `publish`.
        timeout: seconds.

    Raises:
        TimeoutError: nobody has published it, or the service is silent.
        RoundLostError: the round was given up, or this process is in none.
    """
    standing, client = _standing, _client()
    assert standing is not None
    patience = _Patience(time.monotonic() + timeout, standing.given_up.is_set)
    while True:
        value = _get(client, f"{_PREFIX}/said/{key}", min(_SLICE_SECONDS, timeout))
        if value is not None:
            return value
        if patience.left() <= 0:
            raise TimeoutError(f"nobody has published {key!r} within {timeout:g} s")
        patience.require()


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long to wait. ``until``: of the monotonic clock."""

    until: float
    given_up: Callable[[], bool]

    def left(self) -> float:
        """Seconds."""
        return self.until - time.monotonic()

    def require(self) -> None:
        """Raise RoundLostError if there is none left."""
        if self.given_up():
            raise RoundLostError("the round was given up while it was entered")
        if self.left() <= 0:
            raise RoundLostError("not every process of the round came in time, or its service has gone")


def _client() -> Any:
    standing = _standing
    if standing is None or standing.client is None:
        raise RoundLostError("this process is in no round of JAX")
    return standing.client


# The service.


def _await_service(coordinator: str, patience: _Patience) -> None:
    """Wait until a gRPC server greets at the address: JAX ends the process if there is none."""
    host, _, port = coordinator.rpartition(":")
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), 1.0) as asking:
            asking.sendall(_HTTP2_GREETING)
            asking.settimeout(_SLICE_SECONDS)
            while True:
                with contextlib.suppress(TimeoutError):
                    if asking.recv(9):
                        return
                    break
                patience.require()
        patience.require()
        time.sleep(_SLICE_SECONDS / 10)


def _connect(state: Any, coordinator: str, process_count: int, process_id: int, seconds: float) -> Any:
    from jax._src.lib import _jax

    client = _jax.get_distributed_runtime_client(
        coordinator,
        process_id,
        init_timeout=max(1, int(seconds)),
        heartbeat_timeout=_HEARTBEAT_SECONDS,
        # It would wait for a service that may be silent.
        shutdown_on_destruction=False,
        use_compression=True,
    )
    client.connect()
    state.coordinator_address, state.client = coordinator, client
    state.process_id, state.num_processes = process_id, process_count
    return client


def _gather(
    client: Any, all_key: str, what: str, own: str, process_count: int, process_id: int, patience: _Patience
) -> list[str]:
    """Say something and learn what every process has said: process 0 collects, so that none is asked by all."""
    client.key_value_set(f"{_PREFIX}/{what}/{process_id}", own)
    if process_id == 0:
        said = [_get_patiently(client, f"{_PREFIX}/{what}/{process}", patience) for process in range(process_count)]
        client.key_value_set(all_key, json.dumps(said))
        return said
    return [str(one) for one in json.loads(_get_patiently(client, all_key, patience))]


def _add_up_ones() -> None:
    """A first collective of all devices."""
    import jax
    import numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(jax.devices()), ("devices",))
    each, everywhere = NamedSharding(mesh, PartitionSpec("devices")), NamedSharding(mesh, PartitionSpec())
    ones = jax.make_array_from_callback((jax.device_count(),), each, lambda _: np.ones(1, np.float32))
    jax.jit(lambda x: x.sum(), out_shardings=everywhere)(ones).block_until_ready()


def _get_patiently(client: Any, key: str, patience: _Patience) -> str:
    while True:
        value = _get(client, key, _SLICE_SECONDS)
        if value is not None:
            return value
        patience.require()


def _get(client: Any, key: str, seconds: float) -> str | None:
    """The one call to the service that comes back in time whatever has become of it."""
    try:
        return str(client.blocking_key_value_get(key, max(1, int(seconds * 1000))))
    except Exception as error:
        if came_with_a_signal(error):
            raise
        if "DEADLINE_EXCEEDED" in str(error):
            return None
        raise RoundLostError(f"the coordination service has failed: {error}") from None


def _answers(client: Any) -> bool:
    return _get(client, _ALL_CONNECTED, _SIGN_OF_LIFE_SECONDS) is not None


# Freeing a thread that waits.


def _free(standing: _Round) -> None:
    # The reading side alone: a write that fails under gloo's own thread may leave its sender waiting.
    _break_connections(standing, socket.SHUT_RD)
    client = standing.client
    if client is not None:
        _spoil_meeting_places(client, standing)


def _break_connections(standing: _Round, how: int) -> None:
    """Shut down the connections of gloo: each wait on one raises, here and, once gloo sees it, at its other end."""
    if not standing.own_listeners:
        return
    own_ports = {_port(listener) for listener in standing.own_listeners}
    known = standing.own_listeners | standing.listeners
    for one in own_sockets():
        with contextlib.suppress(OSError):
            if _is_listening(one):
                continue
            here, there = _text(one.getsockname()), _text(one.getpeername())
            if _port(here) in own_ports or there in known or f"{_EVERYWHERE}|{_port(there)}" in known:
                one.shutdown(how)


@contextlib.contextmanager
def _freed_when_over(standing: _Round, patience: _Patience) -> Iterator[None]:
    """Ends a wait of C++ for the other processes when there is no patience left."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_SLICE_SECONDS):
            if patience.given_up() or patience.left() <= 0:
                _free(standing)

    watching = threading.Thread(target=watch, name="jax-round", daemon=True)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()


def _spoil_meeting_places(client: Any, standing: _Round) -> None:
    """Put what cannot be used where a process waits for the first words of one that will not come.

    The waits are in C++: for the devices of each process, minutes long, and for the addresses and then the connections
    of those that make a group of gloo, half a minute long each. A value that cannot be read ends the first two, a
    connection that comes and ends the third.
    """
    with contextlib.suppress(Exception):
        if not _answers(client):
            return
        places = [f"cpu:local_topology/cpu/{process}" for process in range(standing.process_count)]
        unreadable = [(place, b"lost") for place in (*places, "cpu:global_topology/cpu")]
        # A group's keys are cpu:gloo/DEVICES/RANK. The value: a host name, an address of no bytes.
        meetings = client.key_value_dir_get_bytes("cpu:gloo")
        for _, value in meetings:
            ours = read_published(value)
            if ours is not None and any(one.endswith(f"|{ours.port}") for one in standing.own_listeners):
                stand_in_for_the_absent(ours)
        groups = {key.rpartition("/")[0] for key, _ in meetings}
        nowhere = (1).to_bytes(8, "little") + b"x" + (0).to_bytes(8, "little")
        for group in groups:
            size = group.rpartition("/")[2].count(",") + 1
            unreadable += [(f"{group}/{rank}", nowhere) for rank in range(size)]
        for key, value in unreadable:
            with contextlib.suppress(Exception):  # there already
                client.key_value_set_bytes(key, value)


def _listening() -> set[str]:
    found = set()
    for one in own_sockets():
        with contextlib.suppress(OSError):
            if _is_listening(one):
                found.add(_text(one.getsockname()))
    return found


def _is_listening(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _port(text: str) -> str:
    return text.rpartition("|")[2]


def _text(address: tuple[str, int]) -> str:
    """One spelling for one address, and for both ways of listening everywhere."""
    host, port = end_of(address)
    return f"{_EVERYWHERE if host == '::' else host}|{port}"


def _leave_at_exit() -> None:
    """JAX's own exit waits minutes for a silent service. Registered after JAX's, it comes first."""
    global _leaves_at_exit
    if not _leaves_at_exit:
        _leaves_at_exit = True
        atexit.register(leave)
