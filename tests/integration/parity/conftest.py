"""Agents on a real API server, a Rendezvous each, and the operator."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration.handlers.runs import Run
from integration.parity.agents import Agent, Launch
from integration.parity.drivers import by_launcher
from integration.recorder import Recorder
from kube_rendezvous.cluster import Connection
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess


@pytest.fixture(autouse=True)
def watched(operator: OperatorProcess, recorder: Recorder) -> None:
    """A test fails if an invariant was broken."""


@pytest.fixture
def run(anybody: Connection, namespace: str) -> Run:
    """The Rendezvous of this test, with a fresh run id: not created yet."""
    return Run(anybody, namespace, f"run-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def launch(cluster: Cluster, run: Run) -> Callable[..., Launch]:
    """``launch(entry, *args, nodes=…, nproc=…)``: what an agent of this test's Rendezvous is asked to run."""

    def describe(entry: Callable[..., Any] | str, *args: Any, **options: Any) -> Launch:
        environment = {"KUBECONFIG": str(cluster.kubeconfig), **options.pop("environment", {})}
        options = {"drive": by_launcher, **options}
        return Launch(run.namespace, run.name, entry, args, environment=environment, **options)

    return describe


@pytest.fixture
def agent(launch: Callable[..., Launch]) -> Iterator[Callable[..., Agent]]:
    """``agent(entry, *args, nodes=…, nproc=…)``: an agent of this test's Rendezvous, started."""
    made: list[Agent] = []

    def start(entry: Callable[..., Any] | str, *args: Any, **options: Any) -> Agent:
        made.append(Agent(launch(entry, *args, **options)))
        return made[-1]

    yield start
    for agent in made:
        agent.kill()
