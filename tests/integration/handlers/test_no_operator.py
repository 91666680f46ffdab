"""Without an operator nothing happens, and a node that waits says so."""

import logging
import re
from collections.abc import Callable

import pytest

from integration.handlers.nodes import Node
from integration.handlers.runs import Run
from kube_rendezvous.api import RendezvousTimeoutError


def test_a_node_that_no_operator_has_looked_at_for_ten_seconds_says_so_in_the_log_and_in_its_error(
    run: Run, node: Callable[..., Node], caplog: pytest.LogCaptureFixture
) -> None:
    run.create(minNodes=1)
    with (
        caplog.at_level(logging.WARNING, "kube_rendezvous"),
        pytest.raises(RendezvousTimeoutError, match=r"no operator has looked at it for 1[2-9] s") as failed,
    ):
        node(1, 1, join_timeout=15).join().result(60)
    assert f"Rendezvous {run.namespace}/run: no answer within 15 s" in str(failed.value)
    said = [record.getMessage() for record in caplog.records if "no operator" in record.getMessage()]
    assert len(said) == 1
    # That it is ten, to the second, is held by the unit test of `waiting_report`; here the first sight may come late.
    assert re.search("no operator has looked at it for 1[0-4] s: is the kube-rendezvous operator running", said[0])
