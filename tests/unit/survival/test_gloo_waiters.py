"""Who waits for a peer in gloo's collectives is told from who has nothing to do, by what the kernel says."""

import os
import platform
import signal
import sys
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from kube_rendezvous.survival.gloo_connections import GlooConnections
from kube_rendezvous.survival.gloo_waiters import threads_that_wait
from unit.survival.gloo_peer import SECONDS, Peer, join
from unit.survival.test_gloo_connections import Collective, all_sum

pytest.importorskip("torch", reason="gloo is torch's")
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="the kernel's numbers of calls"
)


def test_a_thread_is_seen_to_wait_while_its_peer_is_silent_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch.distributed as dist

    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    assert threads_that_wait() == frozenset()
    peer = Peer(tmp_path / "store", 1, 2)
    join(tmp_path / "store", 0, 2)
    try:
        assert peer.says() == "ready"
        all_sum([peer])
        eventually(lambda: threads_that_wait() == frozenset(), "nobody waits", SECONDS)

        os.kill(peer.pid, signal.SIGSTOP)
        waiting = Collective()
        (its,) = eventually(threads_that_wait, "it waits", SECONDS)
        assert threads_that_wait() == {its}

        GlooConnections().end_reading()
        waiting.join(SECONDS)
        eventually(lambda: threads_that_wait() == frozenset(), "nobody waits", SECONDS)
    finally:
        peer.end()
        dist.destroy_process_group()
