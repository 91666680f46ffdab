"""Whatever the API server (or something in its place) answers to whichever request: a node asks rarely, and ends."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.handlers.answering_proxy import Answer, AnsweringProxy, Asked, status_object
from integration.handlers.nodes import Node, meet
from integration.handlers.runs import Run
from kube_rendezvous.api import RendezvousError
from rendezvous_local.cluster import Cluster

pytestmark = pytest.mark.usefixtures("operator")

JOIN_SECONDS = 6
CLOSE_SECONDS = 4
LATE_SECONDS = 10.0
A_SECOND = 2.0
OPENING = 5
"""Join, watch, list (where no watch brings it), create, and where it belongs (said later of a Rendezvous as new as the
Member): what every node begins with."""


def not_found(asked: Asked) -> Answer:
    name = asked.path.rpartition("/")[2]
    text = f'rendezvousmembers.rendezvous.dev "{name}" not found'
    return status_object(404, "NotFound", text if asked.method == "PATCH" else "404 page not found")


def conflict(asked: Asked) -> Answer:
    reason = "AlreadyExists" if asked.method == "POST" else "Conflict"
    return status_object(409, reason, "somebody else was faster")


ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    "401": lambda _: status_object(401, "Unauthorized", "Unauthorized"),
    "403": lambda _: status_object(403, "Forbidden", "exceeded quota: few"),
    "404": not_found,
    "409": conflict,
    "422": lambda _: status_object(422, "Invalid", "spec.port: Invalid value"),
    "429": lambda _: status_object(429, "TooManyRequests", "please try again later"),
    "500": lambda _: status_object(500, "InternalError", "etcdserver: request timed out"),
    "a page": lambda _: Answer(200, b"<html>be patient</html>", "text/html"),
    "a page for 403": lambda _: Answer(403, b"<html>blocked</html>", "text/html"),
    "a page for 503": lambda _: Answer(503, b"<html>away</html>", "text/html"),
    "nothing": lambda _: Answer(200, b""),
    "an empty object": lambda _: Answer(200, b"{}"),
    "a list": lambda _: Answer(200, b"[]"),
    "a redirect": lambda _: Answer(302, b""),
}


@dataclass
class Trial:
    """One node behind a proxy of its own that answers one kind of request in one way."""

    name: str
    node: Node
    proxy: AnsweringProxy
    run: Run
    since: float = 0.0
    before: int = 0

    def start(self, call: Callable[[], Any]) -> "Future[Any]":
        """Make a call; what is asked counts from here."""
        self.since, self.before = time.monotonic(), len(self.proxy.asked)
        return self.node.begin(call)

    def outcome(self, call: "Future[Any]", seconds: float) -> BaseException | Any:
        """How the call ended; it must have, by its time-out."""
        try:
            error = call.exception(max(0.0, self.since + seconds + LATE_SECONDS - time.monotonic()))
        except TimeoutError:
            pytest.fail(f"{self.name}: it goes on after its time-out; it has asked {self.kinds}")
        return error if error is not None else call.result()

    def check_rate(self) -> None:
        """At most two requests a second, after those that every node begins with."""
        asked = self.proxy.asked[self.before :]
        took = time.monotonic() - self.since
        assert len(asked) <= OPENING + A_SECOND * math.ceil(took), f"{self.name}: {self.kinds} in {took:.1f} s"

    @property
    def kinds(self) -> list[str]:
        """What was asked since the start."""
        return [f"{asked.at - self.since:.1f} {asked.kind}" for asked in self.proxy.asked[self.before :]]


Trials = Callable[..., list[Trial]]


@pytest.fixture
def trials(
    cluster: Cluster,
    runs: Callable[[str], Run],
    node: Callable[..., Node],
    kubeconfig_with: Callable[..., Path],
    request: pytest.FixtureRequest,
) -> Iterator[Trials]:
    """``trials(min_nodes)``: for each answer a node and a proxy that still forwards everything."""
    proxies: list[AnsweringProxy] = []

    def make(min_nodes: int, *, create: bool = True, of: Iterable[str] = ANSWERS, **config: Any) -> list[Trial]:
        made = []
        for name in of:
            proxy = AnsweringProxy(str(cluster.kubeconfig)).__enter__()
            proxies.append(proxy)
            run = runs("run-" + name.replace(" ", "-"))
            if create:
                run.create(minNodes=min_nodes, heartbeatSeconds=1)
            config = {"join_timeout": JOIN_SECONDS, "close_timeout": CLOSE_SECONDS} | config
            kubeconfig = kubeconfig_with(server=proxy.url)
            one = node(min_nodes, min_nodes, run_id=run.name, kubeconfig=kubeconfig, **config)
            made.append(Trial(name, one, proxy, run))
        return made

    yield make
    for proxy in proxies:
        proxy.rule = lambda _: None
    request.getfixturevalue("all_nodes")
    for proxy in proxies:
        proxy.__exit__()


def answer(trial: Trial, kind: str) -> None:
    """From now on, requests of this kind are answered by the proxy."""
    how = ANSWERS[trial.name]
    trial.proxy.rule = lambda asked: how(asked) if asked.kind == kind else None


@pytest.mark.parametrize("kind", ["list", "watch", "create", "join", "heartbeat"])
def test_a_node_that_joins_asks_twice_a_second_at_the_most_and_ends_by_its_time_out(kind: str, trials: Trials) -> None:
    # More than one node makes by itself that is told again and again that its Member is gone.
    made = trials(30, create=kind != "create")
    for trial in made:
        answer(trial, kind)
    calls = [trial.start(trial.node.handler.next_rendezvous) for trial in made]
    for trial, call in zip(made, calls, strict=True):
        outcome = trial.outcome(call, JOIN_SECONDS)
        assert isinstance(outcome, RendezvousError), f"{trial.name}: {outcome!r}"
        trial.check_rate()
        assert trial.run.name in str(outcome)


def test_a_node_that_joins_again_asks_twice_a_second_at_the_most_and_ends_by_its_time_out(trials: Trials) -> None:
    made = trials(1)
    for trial in made:
        meet(trial.node)
        answer(trial, "rejoin")
    calls = [trial.start(trial.node.handler.next_rendezvous) for trial in made]
    for trial, call in zip(made, calls, strict=True):
        outcome = trial.outcome(call, JOIN_SECONDS)
        trial.check_rate()
        if trial.name not in ("404", "an empty object"):  # it joins as another; no more than a yes is needed
            assert isinstance(outcome, RendezvousError), f"{trial.name}: {outcome!r}"


def test_a_node_that_runs_goes_on_asking_twice_a_second_at_the_most_when_its_heartbeats_are_refused(
    trials: Trials, caplog: pytest.LogCaptureFixture
) -> None:
    made = trials(1)
    for trial in made:
        meet(trial.node)
    for trial in made:
        answer(trial, "heartbeat")
        trial.since, trial.before = time.monotonic(), len(trial.proxy.asked)
    for trial in made:
        # Its agent asks in vain whether it must stop, or is told that it was taken for lost.
        trial.node.handler.wait_for_interruption(max(0.0, trial.since + JOIN_SECONDS - time.monotonic()))
    for trial in made:
        trial.check_rate()
    for trial in made:
        if trial.name not in ("404", "an empty object"):
            assert f"The heartbeat at Rendezvous {trial.run.namespace}/{trial.run.name}: " in caplog.text


def test_a_spare_whose_heartbeats_are_refused_ends_by_its_time_out_although_a_round_stands(
    trials: Trials, node: Callable[..., Node]
) -> None:
    """Its Member was removed long ago, and no round will ever take it."""
    made = trials(1, of=["401", "403", "404", "500", "a page"])
    for trial in made:
        meet(node(1, 1, run_id=trial.run.name))
        answer(trial, "heartbeat")
    calls = [trial.start(trial.node.handler.next_rendezvous) for trial in made]
    for trial, call in zip(made, calls, strict=True):
        outcome = trial.outcome(call, JOIN_SECONDS)
        assert isinstance(outcome, RendezvousError), f"{trial.name}: {outcome!r}"
        trial.check_rate()


@pytest.mark.parametrize("how", ["shutdown", "leave", "step_aside"])
def test_a_node_that_says_goodbye_ends_by_its_time_out_whatever_is_answered(how: str, trials: Trials) -> None:
    made = trials(1)
    for trial in made:
        meet(trial.node)
        answer(trial, "goodbye")
    calls = [trial.start(getattr(trial.node.handler, how)) for trial in made]
    for trial, call in zip(made, calls, strict=True):
        outcome = trial.outcome(call, CLOSE_SECONDS)
        assert isinstance(outcome, bool), f"{trial.name}: {outcome!r}"
        trial.check_rate()


def test_a_node_that_closes_ends_by_its_time_out_whatever_is_answered(trials: Trials) -> None:
    made = trials(2)
    for trial in made:
        answer(trial, "close")
    calls = [trial.start(trial.node.handler.set_closed) for trial in made]
    for trial, call in zip(made, calls, strict=True):
        outcome = trial.outcome(call, CLOSE_SECONDS)
        assert isinstance(outcome, RendezvousError), f"{trial.name}: {outcome!r}"
        trial.check_rate()
