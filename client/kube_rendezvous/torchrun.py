"""The border to torchrun: torch's classes outside, ours inside."""

import contextlib
import logging
import socket
import sys
from collections.abc import Iterator
from typing import cast

import torch.distributed as dist
from torch.distributed.elastic import rendezvous as torch_rendezvous
from torch.distributed.elastic.events import NodeState, construct_and_record_rdzv_event

from kube_rendezvous import api
from kube_rendezvous.handler import KubernetesRendezvousHandler, create_handler
from kube_rendezvous.tcp_store import open_tcp_store

_log = logging.getLogger(__name__)

_TORCH_ERRORS: dict[type[api.RendezvousError], type[Exception]] = {
    api.RendezvousClosedError: torch_rendezvous.RendezvousClosedError,
    api.RendezvousTimeoutError: torch_rendezvous.RendezvousTimeoutError,
    api.RendezvousConnectionError: torch_rendezvous.RendezvousConnectionError,
    api.RendezvousStateError: torch_rendezvous.RendezvousStateError,
    api.RendezvousGracefulExitError: torch_rendezvous.RendezvousGracefulExitError,
}


def create_torch_handler(params: torch_rendezvous.RendezvousParameters) -> "TorchrunHandler":
    """Create the handler that torchrun drives.

    Raises:
        ValueError: a setting cannot be used.
        torch's RendezvousConnectionError: there are no usable credentials.
    """
    config = {key: value for key, value in params.config.items() if key not in _POSITIONAL}
    ours = api.RendezvousParameters(
        params.backend,
        params.endpoint,
        params.run_id,
        params.min_nodes,
        params.max_nodes,
        params.local_addr,
        **config,
    )
    with _torch_errors():
        return TorchrunHandler(create_handler(ours, open_tcp_store))


_POSITIONAL = frozenset({"backend", "endpoint", "run_id", "min_nodes", "max_nodes", "local_addr"})


class TorchrunHandler(torch_rendezvous.RendezvousHandler):
    """torch's `RendezvousHandler` over ours; raises torch's errors, and records torch's rendezvous events."""

    def __init__(self, inner: KubernetesRendezvousHandler) -> None:
        self._inner = inner
        self._sent_home: torch_rendezvous.RendezvousGracefulExitError | None = None

    def get_backend(self) -> str:
        """See base class."""
        return self._inner.get_backend()

    @property
    def use_agent_store(self) -> bool:
        """See base class."""
        return self._inner.use_agent_store

    def next_rendezvous(self) -> torch_rendezvous.RendezvousInfo:
        """See base class."""
        run = self._inner.get_run_id()
        self._record("next_rendezvous", f"This node attempts to join the next round of the rendezvous '{run}'.")
        try:
            with self._at_the_border("next_rendezvous"):
                info = self._inner.next_rendezvous()
        except torch_rendezvous.RendezvousGracefulExitError as why:
            self._sent_home = why
            raise
        world = f"as rank {info.rank} in a world of size {info.world_size}"
        self._record("next_rendezvous", f"This node has joined the rendezvous '{run}' {world}.", rank=info.rank)
        store_info = info.bootstrap_store_info
        assert store_info is not None
        return torch_rendezvous.RendezvousInfo(
            cast(dist.Store, info.store),
            info.rank,
            info.world_size,
            torch_rendezvous.RendezvousStoreInfo(store_info.master_addr, store_info.master_port),
        )

    def is_closed(self) -> bool:
        """See base class."""
        with self._at_the_border("is_closed"):
            return self._inner.is_closed()

    def set_closed(self) -> None:
        """See base class."""
        with self._at_the_border("set_closed"):
            self._inner.set_closed()

    def num_nodes_waiting(self) -> int:
        """See base class."""
        return self._inner.num_nodes_waiting()

    def get_run_id(self) -> str:
        """See base class."""
        return self._inner.get_run_id()

    def shutdown(self) -> bool:
        """See base class.

        Raises:
            SystemExit: status 0, where torch 2.15's launcher is about to fail because this node was sent home: see
                `_launcher_stumbles`. Its cause is the error that sent the node home.
        """
        why = self._sent_home
        if why is None or not _launcher_stumbles(sys.exc_info()[1]):
            return self._shut_down()
        try:
            self._shut_down()
        except Exception:
            # The operator misses the heartbeat soon enough; a status other than 0 would start this node again.
            _log.warning("This node could not take its leave", exc_info=True)
        # The agent tells it at level INFO only, which torchrun does not show unless asked.
        _log.warning("%s. This node ends with status 0", why)
        raise SystemExit(0) from why

    def _shut_down(self) -> bool:
        with self._at_the_border("shutdown"):
            return self._inner.shutdown()

    @contextlib.contextmanager
    def _at_the_border(self, call: str) -> Iterator[None]:
        """Errors leave as torch's, and are recorded."""
        try:
            with _torch_errors():
                yield
        except Exception as error:
            self._record(call, f"{type(error).__name__}: {error}", NodeState.FAILED)
            raise

    def _record(
        self, call: str, message: str, state: NodeState = NodeState.RUNNING, *, rank: int | None = None
    ) -> None:
        """As torch's handlers do, for programs that have put a handler of their own behind `dynamic_rendezvous` in
        `torch.distributed.elastic.events`; costs nothing where none has."""
        construct_and_record_rdzv_event(
            run_id=self._inner.get_run_id(),
            message=message,
            node_state=state,
            name=f"{type(self).__name__}.{call}",
            hostname=socket.gethostname(),
            rank=rank,
        )


def _launcher_stumbles(error: BaseException | None) -> bool:
    """Whether torch's launcher fails over a node that was sent home.

    The agent takes `RendezvousGracefulExitError` for a clean end and returns None, but torch 2.15's `launch_agent` asks
    that None `is_failed()`. The AttributeError would end torchrun with status 1, so that Kubernetes would start a node
    again that nobody needs. The handler's `shutdown` is called while that error is on its way: the only place where a
    rendezvous backend can end the process as the agent meant to. Any other error, and a launcher without this flaw,
    goes its own way. A program that calls `elastic_launch` itself gets the SystemExit in place of the AttributeError,
    with torch's error as its cause; one that drives the agent or the handler itself gets neither.
    """
    return isinstance(error, AttributeError) and error.obj is None and error.name == "is_failed"


@contextlib.contextmanager
def _torch_errors() -> Iterator[None]:
    try:
        yield
    except api.RendezvousError as error:
        raise _TORCH_ERRORS.get(type(error), torch_rendezvous.RendezvousError)(str(error)) from error
