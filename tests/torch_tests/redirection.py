"""Puts this backend in the place of torch's own, in every process that imports torch's rendezvous.

torch loads it as it loads any backend of others: by an entry point, see `sources`. It is called at the end of the
import of `torch.distributed.elastic.rendezvous`, before anybody can make parameters, in the processes that the tests
spawn as well. What a test asks of another backend is then asked of this one; nothing else changes.
"""

import os
import re
from collections.abc import Callable
from typing import Any

from torch_tests.plugin_names import NAMESPACE, TEST

OF_TORCH = frozenset({"c10d", "etcd", "etcd-v2", "static"})

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def install() -> Callable[[Any], Any]:
    """Redirect, if a namespace is given; return a creator of handlers, as an entry point of torch's must."""
    from kube_rendezvous.torchrun_entry import kubernetes_backend

    if NAMESPACE in os.environ:
        _redirect()
    creator: Callable[[Any], Any] = kubernetes_backend()
    return creator


def run_name(run_id: str) -> str:
    """The run id, if it can name an object that no other test has; else one that is the test's own."""
    if _NAME.fullmatch(run_id) and run_id != "none":
        return run_id
    return re.sub(r"[^a-z0-9]+", "-", f"test-{os.environ.get(TEST, '0')}-{run_id.lower()}").strip("-")


def _redirect() -> None:
    from torch.distributed.elastic.rendezvous.api import RendezvousParameters

    as_torch_does = RendezvousParameters.__init__

    def initialize(self: Any, *arguments: Any, **options: Any) -> None:
        as_torch_does(self, *arguments, **options)
        if self.backend in OF_TORCH:
            if self.backend == "static" and self.local_addr is None:  # whose endpoint is the address of rank 0
                self.local_addr = self.endpoint.rpartition(":")[0] or None
            self.backend, self.endpoint = "kubernetes", os.environ[NAMESPACE]
            self.run_id = run_name(self.run_id)

    RendezvousParameters.__init__ = initialize
