"""Which API servers do not know a watch that brings what there is (`sendInitialEvents`): asked once by each process."""

import weakref

from kube_rendezvous.cluster.connection import Connection

_WITHOUT: "weakref.WeakSet[Connection]" = weakref.WeakSet()


def knows_no_initial_events(connection: Connection) -> bool:
    """Whether this API server has said so."""
    return connection in _WITHOUT


def never_ask_for_initial_events(connection: Connection) -> None:
    """It has."""
    _WITHOUT.add(connection)
