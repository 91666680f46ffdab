"""With the chart's service accounts a run forms its rounds and survives a loss; the API server refuses nothing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from integration.chart.conftest import SYSTEM, TRAINERS, applied
from integration.conftest import Kubectl
from integration.pods.owner_objects import OwnerObject
from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import PodObjects
from integration.pods.pod_run import PodRun
from kube_rendezvous.cluster import Connection
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess

LIMIT = 60.0
MODES = {
    "whole-cluster": ([], []),
    "namespaced": ([f"watchNamespaces={{{TRAINERS}}}"], [f"--namespace={TRAINERS}"]),
}


@pytest.fixture(params=sorted(MODES))
def mode(request: pytest.FixtureRequest, local_only: None, kubectl: Kubectl, helm: Path) -> Iterator[str]:
    """The chart, applied in this mode; what it gave to another mode is taken away."""
    kubectl("delete", "clusterrolebinding", "-l", "app.kubernetes.io/name=kube-rendezvous")
    with applied(kubectl, helm, SYSTEM, *MODES[request.param][0]):
        yield request.param


def test_rounds_form_and_nothing_is_refused(
    mode: str, cluster: Cluster, kubeconfig_of: Callable[..., Path], tmp_path: Path
) -> None:
    log = tmp_path / "operator.log"
    arguments = [
        *("--leader-elect", "--lease-name=kube-rendezvous-operator", f"--lease-namespace={SYSTEM}"),
        *MODES[mode][1],
    ]
    name = f"run-{mode}"
    with ExitStack() as stack:
        anybody = Connection.open(str(cluster.kubeconfig))
        stack.callback(anybody.close)
        account = kubeconfig_of(SYSTEM, "kube-rendezvous")
        operator = stack.enter_context(OperatorProcess(account, log=log, arguments=arguments))
        run, pods = PodRun(anybody, TRAINERS, name), PodObjects(anybody, TRAINERS, "trainer")
        owner = OwnerObject(anybody, TRAINERS, "StatefulSet", name, name, replicas=3)
        stack.callback(owner.delete)
        run.create(minNodes=2, maxNodes=8)
        stack.callback(pods.delete_all)
        members = []
        for index in range(3):
            identity = pods.run(f"{name}-{index}", name, **owner.pod_meta(index))
            bound = ("--bound-object-kind=Pod", f"--bound-object-name={identity.pod_name}")
            connection = Connection.open(str(kubeconfig_of(TRAINERS, "trainer", *bound)))
            stack.callback(connection.close)
            members.append(PodMember(connection, TRAINERS, name, identity))
        for member in members:
            stack.callback(member.fall_silent)
        stack.callback(run.close)
        assert sorted(join.result(LIMIT).rank for join in [one.join() for one in members]) == [0, 1, 2]
        *survivors, dead = members
        lost = dead.name
        dead.fall_silent()
        pods.delete(f"{name}-2", grace_seconds=0)
        assert all(one.wait_until_told(LIMIT) for one in survivors)
        assert sorted(join.result(LIMIT).rank for join in [one.join() for one in survivors]) == [0, 1]
        assert lost not in run.members(), "the operator could not delete the lost member"
        assert 'code="403"' not in operator.page("/metrics")
        assert operator.restarts == 0
    text = log.read_text()
    assert "Forbidden" not in text, text
    assert ": 403 " not in text, text
    assert "cannot be watched" not in text, text
    assert "cannot be read" not in text, text
