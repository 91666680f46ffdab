"""PyTorch's rendezvous interface, free of torch.

Code and tests that are written for ``torch.distributed.elastic.rendezvous`` work with this module when only
their import line changes: names, signatures, defaults, error types and messages are those of torch 2.15.
Beyond torch's own ``__all__`` it exports :class:`Store` and :func:`get_free_port`, and
:data:`rendezvous_handler_registry` already knows the backend ``kubernetes``, which registers itself. Importing
it loads a few modules of the standard library, neither torch nor kubernetes.

The interface and the texts of its errors come from PyTorch, ``torch/distributed/elastic/rendezvous/api.py``:
Copyright (c) Facebook, Inc. and its affiliates, BSD-3-Clause.
"""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from kube_rendezvous.free_port import get_free_port
from kube_rendezvous.store_protocol import Store

__all__ = [
    "RendezvousClosedError",
    "RendezvousConnectionError",
    "RendezvousError",
    "RendezvousGracefulExitError",
    "RendezvousHandler",
    "RendezvousHandlerCreator",
    "RendezvousHandlerRegistry",
    "RendezvousInfo",
    "RendezvousParameters",
    "RendezvousStateError",
    "RendezvousStoreInfo",
    "RendezvousTimeoutError",
    "Store",
    "get_free_port",
    "rendezvous_handler_registry",
]


class RendezvousError(Exception):
    """Base of everything a rendezvous raises on purpose."""


class RendezvousClosedError(RendezvousError):
    """The rendezvous is closed: no further round will be formed."""


class RendezvousTimeoutError(RendezvousError):
    """The round was not complete in time."""


class RendezvousConnectionError(RendezvousError):
    """The backend cannot be reached, or refuses us."""


class RendezvousStateError(RendezvousError):
    """What the backend holds for this rendezvous makes no sense."""


class RendezvousGracefulExitError(RendezvousError):
    """This node is not needed: leave without this counting as a failure."""


@dataclass
class RendezvousStoreInfo:
    """Address and port at which the trainers of a round find their bootstrap store."""

    MASTER_ADDR_KEY: ClassVar[str] = "MASTER_ADDR"
    MASTER_PORT_KEY: ClassVar[str] = "MASTER_PORT"
    master_addr: str
    master_port: int

    @staticmethod
    def build(rank: int, store: Store, local_addr: str | None, server_port: int | None = None) -> "RendezvousStoreInfo":
        """Let rank 0 announce an address and a port through the store, and return what it announced.

        Use the constructor when address and port are known already.

        Args:
            rank: This node's rank. Rank 0 writes, all others wait until it has written.
            store: A store that all ranks of the round share.
            local_addr: How others reach this node; None or empty: its fully qualified host name.
            server_port: Port of a store server that is shared with the trainers; None or 0: any free port.
        """
        if rank == 0:
            announced_port = server_port or get_free_port()
            store.set(RendezvousStoreInfo.MASTER_ADDR_KEY, (local_addr or socket.getfqdn()).encode())
            store.set(RendezvousStoreInfo.MASTER_PORT_KEY, str(announced_port).encode())
        # Rank 0 reads too: whatever the store holds is what everybody gets.
        return RendezvousStoreInfo(
            master_addr=store.get(RendezvousStoreInfo.MASTER_ADDR_KEY).decode(),
            master_port=int(store.get(RendezvousStoreInfo.MASTER_PORT_KEY).decode()),
        )


class RendezvousInfo:
    """What a node knows once its round stands.

    Args:
        store: The round's store, for the agents.
        rank: This node's rank, from 0.
        world_size: How many nodes the round has.
        bootstrap_store_info: Where the trainers find their bootstrap store.
    """

    def __init__(self, store: Store, rank: int, world_size: int, bootstrap_store_info: RendezvousStoreInfo) -> None:
        self._store = store
        self._rank = rank
        self._world_size = world_size
        self._bootstrap_store_info = bootstrap_store_info

    @property
    def store(self) -> Store:
        """The round's store, for the agents."""
        return self._store

    @property
    def rank(self) -> int:
        """This node's rank, from 0."""
        return self._rank

    @property
    def world_size(self) -> int:
        """How many nodes the round has."""
        return self._world_size

    @property
    def bootstrap_store_info(self) -> RendezvousStoreInfo | None:
        """Where the trainers find their bootstrap store."""
        return self._bootstrap_store_info


class RendezvousHandler(ABC):
    """One node's part in a rendezvous: what an elastic agent drives."""

    @abstractmethod
    def get_backend(self) -> str:
        """Return the name under which the backend is registered."""

    @property
    def use_agent_store(self) -> bool:
        """Whether the trainers may use the agents' store server as their ``MASTER_ADDR:MASTER_PORT``."""
        return False

    @abstractmethod
    def next_rendezvous(self) -> RendezvousInfo:
        """Wait until a round stands that includes this node, and return it.

        Raises:
            RendezvousClosedError: The rendezvous is closed.
            RendezvousConnectionError: The backend cannot be reached, or refuses us.
            RendezvousStateError: What the backend holds makes no sense.
            RendezvousTimeoutError: The round was not complete in time.
            RendezvousGracefulExitError: This node is not needed.
        """

    @abstractmethod
    def is_closed(self) -> bool:
        """Tell whether the rendezvous is closed. The news spreads with a delay: do not synchronise on it."""

    @abstractmethod
    def set_closed(self) -> None:
        """Close the rendezvous for all nodes: no further round will be formed."""

    @abstractmethod
    def num_nodes_waiting(self) -> int:
        """Return how many nodes wait for a next round.

        Agents ask often, and restart their workers into a new round when it is not 0: answer from memory.
        """

    @abstractmethod
    def get_run_id(self) -> str:
        """Return the identifier that all nodes of one run share."""

    @abstractmethod
    def shutdown(self) -> bool:
        """Release everything the rendezvous holds; tell whether that went well."""


class RendezvousParameters:
    """What a backend needs to make a handler.

    Args:
        backend: Name of the backend.
        endpoint: Where the backend is; its form is the backend's own.
        run_id: Identifier that all nodes of one run share.
        min_nodes: Fewest nodes of a round, at least 1.
        max_nodes: Most nodes of a round, at least ``min_nodes``.
        local_addr: How others reach this node, if it is known.
        **kwargs: The backend's own configuration, kept in ``config``.

    Raises:
        ValueError: The backend has no name, or the numbers of nodes make no sense.
    """

    def __init__(
        self,
        backend: str,
        endpoint: str,
        run_id: str,
        min_nodes: int,
        max_nodes: int,
        local_addr: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not backend:
            raise ValueError("The rendezvous backend name must be a non-empty string.")
        if min_nodes < 1:
            raise ValueError(f"The minimum number of rendezvous nodes ({min_nodes}) must be greater than zero.")
        if max_nodes < min_nodes:
            raise ValueError(
                f"The maximum number of rendezvous nodes ({max_nodes}) must be greater than or equal to "
                f"the minimum number of rendezvous nodes ({min_nodes})."
            )
        self.backend = backend
        self.endpoint = endpoint
        self.run_id = run_id
        self.min_nodes = min_nodes
        self.max_nodes = max_nodes
        self.config = kwargs
        self.local_addr = local_addr

    def get(self, key: str, default: Any = None) -> Any:
        """Return the configuration value as it was given, or ``default``."""
        return self.config.get(key, default)

    def get_as_bool(self, key: str, default: bool | None = None) -> bool | None:
        """Return the value (or ``default``) as a truth value: 1/true/t/yes/y or 0/false/f/no/n in any case.

        Raises:
            ValueError: It is none of these.
        """
        value = self.get(key, default)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and value in (0, 1):
            return value == 1
        if isinstance(value, str):
            match value.lower():
                case "1" | "true" | "t" | "yes" | "y":
                    return True
                case "0" | "false" | "f" | "no" | "n":
                    return False
        raise ValueError(f"The rendezvous configuration option '{key}' does not represent a valid boolean value.")

    def get_as_int(self, key: str, default: int | None = None) -> int | None:
        """Return the value (or ``default``) as a whole number.

        Raises:
            ValueError: It does not read as one.
        """
        value = self.get(key, default)
        if value is None:
            return None
        try:
            return int(value)
        except ValueError as error:
            raise ValueError(
                f"The rendezvous configuration option '{key}' does not represent a valid integer value."
            ) from error


RendezvousHandlerCreator = Callable[[RendezvousParameters], RendezvousHandler]


class RendezvousHandlerRegistry:
    """Backends by name."""

    _registry: dict[str, RendezvousHandlerCreator]

    def __init__(self) -> None:
        self._registry = {}

    def register(self, backend: str, creator: RendezvousHandlerCreator) -> None:
        """Make a backend known. To repeat a registration is allowed, to change it is not.

        Args:
            backend: Name of the backend.
            creator: Makes the handler from the parameters.

        Raises:
            ValueError: The name is empty, or taken by another creator.
        """
        if not backend:
            raise ValueError("The rendezvous backend name must be a non-empty string.")
        known = self._registry.get(backend)
        if known is not None and known != creator:
            raise ValueError(
                f"The rendezvous backend '{backend}' cannot be registered with '{creator}' as it is already "
                f"registered with '{known}'."
            )
        self._registry[backend] = creator

    def create_handler(self, params: RendezvousParameters) -> RendezvousHandler:
        """Make the handler of the backend that ``params`` names.

        Raises:
            ValueError: No such backend is registered.
            RuntimeError: The handler calls its backend by another name.
        """
        try:
            creator = self._registry[params.backend]
        except KeyError as error:
            raise ValueError(
                f"The rendezvous backend '{params.backend}' is not registered. Did you forget to call "
                f"`{self.register.__name__}`?"
            ) from error
        handler = creator(params)
        if handler.get_backend() != params.backend:
            raise RuntimeError(
                f"The rendezvous backend '{handler.get_backend()}' does not match the requested backend "
                f"'{params.backend}'."
            )
        return handler


class _InstalledBackends(RendezvousHandlerRegistry):
    """Knows the backends that installed packages bring along, too: entry points of the group `BACKENDS`."""

    def register(self, backend: str, creator: RendezvousHandlerCreator) -> None:
        self._find(backend)
        super().register(backend, creator)

    def create_handler(self, params: RendezvousParameters) -> RendezvousHandler:
        self._find(params.backend)
        return super().create_handler(params)

    def _find(self, backend: str) -> None:
        if backend and backend not in self._registry:
            from importlib.metadata import entry_points  # a dozen milliseconds, for those who make a handler

            for entry in entry_points(group=BACKENDS, name=backend):
                self._registry[backend] = entry.load()


#: Entry points of this group register a backend: its name, and what creates its handlers.
BACKENDS = "kube_rendezvous.backends"

#: The registry that launchers use; it knows the backend ``kubernetes``, and those of other packages.
rendezvous_handler_registry: RendezvousHandlerRegistry = _InstalledBackends()
