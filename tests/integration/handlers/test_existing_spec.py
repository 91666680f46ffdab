"""`--nnodes` and a Rendezvous that is there already: its spec wins, and the difference is said."""

import logging
from collections.abc import Callable

import pytest

from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run

pytestmark = pytest.mark.usefixtures("operator")


def test_the_existing_objects_spec_wins_over_nnodes_with_a_warning(
    run: Run, node: Callable[..., Node], caplog: pytest.LogCaptureFixture
) -> None:
    run.create(minNodes=1, maxNodes=1)
    with caplog.at_level(logging.WARNING, "kube_rendezvous"):
        meet(node(3, 5))
    assert f"Rendezvous {run.namespace}/run has minNodes 1 and maxNodes 1" in caplog.text
    assert "--nnodes=3:5" in caplog.text
    assert f"kubectl -n {run.namespace} edit rdzv run" in caplog.text


def test_no_warning_comes_when_both_say_the_same(
    run: Run, node: Callable[..., Node], caplog: pytest.LogCaptureFixture
) -> None:
    run.create(minNodes=1)
    with caplog.at_level(logging.WARNING, "kube_rendezvous"):
        meet(node(1, 1))
    assert "--nnodes" not in caplog.text


def test_nnodes_and_last_call_are_written_into_an_object_that_a_node_creates(
    run: Run, node: Callable[..., Node], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "kube_rendezvous"):
        meet(node(1, 7, last_call_timeout=0))
    rendezvous = run.get()
    assert rendezvous is not None
    assert (rendezvous.spec.min_nodes, rendezvous.spec.max_nodes, rendezvous.spec.last_call_seconds) == (1, 7, 0)
    assert rendezvous.managed_by == "kube-rendezvous-client"
    assert "--nnodes" not in caplog.text
