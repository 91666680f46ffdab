"""A plug-in of pytest for torch's own test files: what `redirection` cannot do from outside, and who ended how.

Each test gets a number, of which `redirection` makes names. No etcd server is started. The part of the test of
`dynamic_rendezvous` that drives whole handlers gets ours instead; the rest of that file is about c10d's inner parts.
"""

import contextlib
import importlib
import json
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from torch_tests.not_applicable import reason, repetitions
from torch_tests.plugin_names import FILES_RELEASE, NAMESPACE, REPORT, TEST
from torch_tests.redirection import run_name

DYNAMIC = "dynamic_rendezvous_test.py"
_ETCD = "torch.distributed.elastic.rendezvous.etcd_server"


class NoEtcdServer:
    """Stands for torch's etcd server: nobody asks it anything."""

    def start(self, *_: Any, **__: Any) -> None:
        """Start nothing."""

    def stop(self) -> None:
        """Stop nothing."""

    def get_endpoint(self) -> str:
        """Some endpoint."""
        return "localhost:2379"


class AnyTCPStore:
    """Equal to each TCPStore: a round of ours makes its own, and takes none that a test hands in."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dist.TCPStore)

    __hash__ = None  # type: ignore[assignment]


def our_handler(_store: Any, _backend: Any, params: Any) -> Any:
    """In place of `dynamic_rendezvous.create_handler`."""
    from kube_rendezvous.torchrun import TorchrunHandler, create_torch_handler

    params.backend, params.endpoint = "kubernetes", os.environ[NAMESPACE]
    params.run_id = run_name(params.run_id)
    handler = create_torch_handler(params)
    TorchrunHandler._stop_heartbeats = TorchrunHandler.shutdown  # type: ignore[attr-defined]  # as its tearDown calls it
    return handler


def pytest_configure() -> None:
    """Before a test file is imported."""
    with contextlib.suppress(ImportError):  # a release without it
        importlib.import_module(_ETCD).EtcdServer = NoEtcdServer  # type: ignore[attr-defined]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what does not apply."""
    kept, left = [], []
    same_release = os.environ.get(FILES_RELEASE, "") in ("", ".".join(torch.__version__.split(".")[:2]))
    again = repetitions(item.nodeid for item in items)
    for item in items:
        if item.path.name == DYNAMIC and "IntegrationTest" not in item.nodeid:
            left.append(item)
            continue
        kept.append(item)
        why = reason(item.nodeid.partition("::")[0], _name(item.nodeid), same_release=same_release)
        if item.nodeid in again:
            why = f"here it is the same as {_name(again[item.nodeid])}"
        if why is not None:
            item.add_marker(pytest.mark.skip(reason=f"not applicable: {why}"))
        module = getattr(item, "module", None)
        if item.path.name == DYNAMIC and module is not None:
            module.create_handler, module.HashStore = our_handler, AnyTCPStore
    config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Number the tests."""
    os.environ[TEST] = f"{os.getpid()}-{item.session.items.index(item)}"
    try:
        return (yield)
    finally:  # of a test that did not end, the agents, which end their workers
        for child in multiprocessing.active_children():
            child.terminate()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write down how a test ended, one line of JSON each."""
    part_of_a_test = hasattr(report, "context")
    if report.outcome == "passed" and (report.when != "call" or part_of_a_test):
        return
    why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
    line = {
        "file": report.nodeid.partition("::")[0],
        "test": _name(report.nodeid),
        "outcome": report.outcome,
        "why": why.removeprefix("Skipped: "),
        "seconds": round(report.duration, 1),
    }
    with Path(os.environ[REPORT]).open("a") as file:
        file.write(json.dumps(line) + "\n")


def _name(nodeid: str) -> str:
    return ".".join(nodeid.split("::")[1:])
