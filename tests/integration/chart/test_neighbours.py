"""A trainer's token among the runs of others: whatever it tries, none is told, closed, delayed or re-ranked."""

import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.chart.allowed_attempts import ANY, Target, aimed_at, crowding, turning
from integration.chart.conftest import SYSTEM, TRAINERS
from integration.handlers.attacks import FULL
from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import PodObjects
from integration.pods.pod_run import PodRun, eventually
from kube_rendezvous.cluster import ApiFailureError, Connection
from kube_rendezvous.resources import RendezvousStatus
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess
from trainer_attempts import API, Setting, attempts, send

pytestmark = pytest.mark.timeout(600)

DELAYED_SECONDS = 1.0 if FULL else 5.0
LIMIT = 60.0
MOST_OF_A_POD = 64
EVERY = 5


class Victims:
    """Three nodes that train, and one that waits for a second.

    Args:
        stack: ends them.
        anybody: of somebody with every right.
        kubeconfig_of: makes a kubeconfig with a token.
    """

    def __init__(self, stack: ExitStack, anybody: Connection, kubeconfig_of: Callable[..., Path]) -> None:
        self._stack, self._anybody, self._kubeconfig_of = stack, anybody, kubeconfig_of
        self.pods = PodObjects(anybody, TRAINERS, "trainer")
        stack.callback(self.pods.delete_all)
        self.training = PodRun(anybody, TRAINERS, "training")
        self.gathering = PodRun(anybody, TRAINERS, "gathering")
        self.training.create(minNodes=3, maxNodes=8, lastCallSeconds=0)
        self.gathering.create(minNodes=2, maxNodes=8, lastCallSeconds=0)
        self.members = [self.member(self.training, str(number)) for number in range(3)]
        for join in [one.join() for one in self.members]:
            join.result(LIMIT)
        self.first = self.member(self.gathering, "0")
        self.first_joins = self.first.join()
        eventually(lambda: self.gathering.members(), "the first has joined", LIMIT)
        for run in (self.training, self.gathering):
            stack.callback(self._close, run)
        self.before = self.training.status

    def member(self, run: PodRun, number: str) -> PodMember:
        """Another node of that run."""
        identity = self.pods.run(f"{run.name}-{number}", run.name)
        bound = ("--bound-object-kind=Pod", f"--bound-object-name={identity.pod_name}")
        connection = Connection.open(str(self._kubeconfig_of(TRAINERS, "trainer", *bound)))
        self._stack.callback(connection.close)
        made = PodMember(connection, TRAINERS, run.name, identity)
        self._stack.callback(made.fall_silent)
        return made

    def target(self, run: PodRun, members: list[PodMember]) -> Target:
        """What an attacker knows of it."""
        found = self._anybody.request(
            "GET", f"/apis/rendezvous.dev/v1alpha1/namespaces/{TRAINERS}/rendezvous/{run.name}"
        )
        uids = tuple(one.identity.pod_uid for one in members)
        return Target(run.name, found["metadata"]["uid"], tuple(one.name for one in members), uids)

    def untouched(self) -> None:
        """Nobody was told, closed or re-ranked."""
        now = self.training.status
        assert [_standing(now), now.forming, now.closed] == [_standing(self.before), None, None]
        assert not any(one.told for one in self.members)
        waiting = self.gathering.status
        assert (waiting.round, waiting.closed) == (0, None)
        assert not self.first_joins.done()

    def seconds_until_answered(self, wish: int) -> float:
        """How long the operator takes to look at a change of the run that trains."""
        self.training.edit(maxNodes=wish)
        began = time.monotonic()
        generation = int(_read(self._anybody, self.training.name)["metadata"]["generation"])
        eventually(lambda: self.training.status.observed_generation >= generation, "the change is looked at", LIMIT)
        return time.monotonic() - began

    @staticmethod
    def _close(run: PodRun) -> None:
        with suppress(ApiFailureError):
            run.close()


def _standing(status: RendezvousStatus) -> tuple[object, ...]:
    return status.round, status.ranks, status.incarnations, status.world_size


def _read(anybody: Connection, run: str) -> dict[str, Any]:
    return anybody.request("GET", f"{API}/namespaces/{TRAINERS}/rendezvous/{run}")


@pytest.fixture
def victims(
    installed: str, cluster: Cluster, kubeconfig_of: Callable[..., Path], tmp_path: Path
) -> Iterator[tuple[Victims, OperatorProcess, Path]]:
    """They, and the operator with the chart's rights and its log."""
    log = tmp_path / "operator.log"
    with ExitStack() as stack:
        anybody = Connection.open(str(cluster.kubeconfig))
        stack.callback(anybody.close)
        account = kubeconfig_of(SYSTEM, "kube-rendezvous")
        arguments = ["--leader-elect", "--lease-name=kube-rendezvous-operator", f"--lease-namespace={SYSTEM}"]
        operator = stack.enter_context(OperatorProcess(account, log=log, arguments=arguments))
        yield Victims(stack, anybody, kubeconfig_of), operator, log


def test_whatever_a_trainers_token_is_used_for_no_other_run_feels_it(
    victims: tuple[Victims, OperatorProcess, Path], cluster: Cluster, kubeconfig_of: Callable[..., Path]
) -> None:
    them, operator, log = victims
    config = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    context = ssl.create_default_context(cafile=str(Path(config["certificate-authority"])))
    attackers = PodRun(Connection.open(str(cluster.kubeconfig)), TRAINERS, "attackers")
    attackers.create(minNodes=1, maxNodes=8)
    own = them.member(attackers, "0")
    own.join().result(LIMIT)
    token = yaml.safe_load(
        kubeconfig_of(
            TRAINERS, "trainer", "--bound-object-kind=Pod", f"--bound-object-name={own.identity.pod_name}"
        ).read_text()
    )["users"][0]["user"]["token"]
    training, gathering = them.target(them.training, them.members), them.target(them.gathering, [them.first])
    pod = own.identity
    victim = them.members[0].identity
    at = Setting(
        *(TRAINERS, training.name, training.uid, pod.pod_name, pod.pod_uid),
        *(victim.pod_name, victim.pod_uid, training.members[0]),
    )
    table = attempts(at)
    for target in (training, gathering):
        table += [*aimed_at(at, target), *turning(at, own.name, target)]
    table += crowding(at, training, MOST_OF_A_POD + 6)
    refused = taken = 0
    delays: list[float] = []
    for number, attempt in enumerate(table):
        status, answer = send(config["server"], context, token, attempt)
        refused, taken = refused + (status >= 400), taken + (status < 400)
        assert attempt.answer in (ANY, status), (str(attempt), status, answer)
        if number % EVERY == 0:
            delays.append(them.seconds_until_answered(8 + number % 2))
            them.untouched()
    them.untouched()
    second = them.member(them.gathering, "1")
    assert second.join().result(LIMIT).rank == 1
    assert them.first_joins.result(LIMIT).rank == 0
    *survivors, dead = them.members
    dead.fall_silent()
    them.pods.delete(dead.identity.pod_name, grace_seconds=0)
    began = time.monotonic()
    assert all(one.wait_until_told(LIMIT) for one in survivors)
    told = time.monotonic() - began
    text = log.read_text()
    assert "Traceback" not in text
    assert "\x1b" not in text
    assert operator.restarts == 0
    sys.stdout.write(
        f"\n{len(table)} attempts: {refused} refused, {taken} allowed and without effect; the operator looked at a "
        f"change of another run within {max(delays):.2f} s at the most ({len(delays)} changes), a death was told after "
        f"{told:.2f} s\n"
    )
    assert max(delays) < DELAYED_SECONDS
