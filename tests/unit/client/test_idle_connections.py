"""Idle connections are kept without a lock that a signal could leave taken."""

import queue
from pathlib import Path

import pytest

from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.idle_connections import IdleConnections
from unit.client.test_credentials_read_again import Doorkeeper, door, kubeconfig

__all__ = ["door"]


def test_the_newest_is_used_first_and_no_more_are_kept_than_asked_for() -> None:
    idle = IdleConnections(2)
    for connection in (None, "first", "second"):
        idle.put(connection, block=False)
    with pytest.raises(queue.Full):
        idle.put("third", block=False)
    assert [idle.get(block=False), idle.get(), idle.qsize()] == ["second", "first", 0]
    with pytest.raises(queue.Empty):
        idle.get(block=True)


def test_requests_one_after_the_other_share_a_connection_of_a_pool_without_locks(
    door: Doorkeeper, tmp_path: Path
) -> None:
    connection = Connection.open(kubeconfig(tmp_path / "config", door, {"token": "first"}))
    for _ in range(3):
        connection.request("GET", "/")
    pool = connection._credentials._connections
    assert isinstance(pool.pool, IdleConnections)
    assert (pool.num_connections, pool.num_requests, pool.pool.qsize()) == (1, 3, 1)
    connection.close()
