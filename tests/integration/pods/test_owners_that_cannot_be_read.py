"""What makes pods may not be read, or is of a kind that the API server does not know: nothing breaks, one line says so.

In a module without the fixture `operator`: that one watches every namespace, and where it decides first, the operator
whose log is read here has nothing to read.
"""

from collections.abc import Callable
from pathlib import Path

from integration.conftest import Kubectl
from integration.pods.owner_objects import MakeOwner, pod_of
from integration.pods.pod_objects import PodObjects
from integration.pods.pod_run import PodRun, eventually
from integration.pods.test_pods import LIMIT, MakeMember, assert_told_at_once, stand
from integration.pods.test_restricted_operator import RIGHTS
from rendezvous_local.cluster import Cluster
from rendezvous_local.operator_process import OperatorProcess


def test_without_the_right_to_read_owners_rounds_form_as_before_and_one_line_says_so(
    run: PodRun,
    pods: PodObjects,
    member: MakeMember,
    owner: MakeOwner,
    kubeconfig_for: Callable[..., Path],
    namespace: str,
    tmp_path: Path,
) -> None:
    log = tmp_path / "operator.log"
    pods_too = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}
    kubeconfig = kubeconfig_for("operator", *RIGHTS, pods_too)
    with OperatorProcess(kubeconfig, log=log, arguments=["--namespace", namespace]) as operator:
        run.create(minNodes=2, maxNodes=4)
        trainers = owner("StatefulSet", "trainer", replicas=4)
        first = stand(*(pod_of(trainers, index, pods, member) for index in range(2)))
        late = pod_of(trainers, 2, pods, member).join()
        assert_told_at_once(*first)
        assert sorted(join.result(LIMIT).rank for join in (*(one.join() for one in first), late)) == [0, 1, 2]
        sentence = "What makes pods, if it is a StatefulSet, cannot be read"
        eventually(lambda: sentence in log.read_text(), sentence)
        assert log.read_text().count(sentence) == 1
        assert operator.restarts == 0
        run.close()


def test_an_api_that_is_not_installed_costs_one_line_and_one_request(
    run: PodRun,
    pods: PodObjects,
    member: MakeMember,
    cluster: Cluster,
    kubectl: Kubectl,
    namespace: str,
    tmp_path: Path,
) -> None:
    # The tests of the examples install it.
    deleted = kubectl("delete", "crd", "leaderworkersets.leaderworkerset.x-k8s.io", "--ignore-not-found")
    assert deleted.returncode == 0, deleted.stderr
    log = tmp_path / "operator.log"
    with OperatorProcess(cluster.kubeconfig, log=log, arguments=["--namespace", namespace]) as operator:
        run.create(minNodes=2, maxNodes=4)
        labels = {"leaderworkerset.sigs.k8s.io/name": "absent"}
        first = stand(*(member(pods.run(f"trainer-{n}", "run", labels=labels)) for n in range(2)))
        late = member(pods.run("trainer-2", "run", labels=labels)).join()
        assert_told_at_once(*first)
        assert sorted(join.result(LIMIT).rank for join in (*(one.join() for one in first), late)) == [0, 1, 2]
        sentence = "What makes pods, if it is a LeaderWorkerSet, cannot be read"
        eventually(lambda: sentence in log.read_text(), sentence)
        assert log.read_text().count("LeaderWorkerSet") == 1
        assert operator.restarts == 0
        run.close()
