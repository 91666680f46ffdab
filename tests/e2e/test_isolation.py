"""Rendezvous never mix: neither equal names in two namespaces, nor two runs whose pods interleave in one namespace."""

from contextlib import ExitStack

from e2e.examples import Examples
from e2e.running_example import RunningExample

START_SECONDS = 240.0
NODES = 3
PLACE = r"round (\d+), rank 0 is at (\S+):(\d+)"


def test_equal_names_and_interleaved_pods_never_mix(examples: Examples) -> None:
    one, two = examples.namespaces.make("isolation"), examples.namespaces.make("isolation")
    with ExitStack() as stack:
        runs = [
            stack.enter_context(RunningExample(examples.kubectl, examples.connection, namespace, name))
            for namespace, name in ((one, "sidecar"), (two, "sidecar"), (one, "other"))
        ]
        # One after the other (two of them share a ServiceAccount, which two `kubectl apply` at once would both create),
        # and none is waited for: their pods start in any order.
        for run in runs:
            _apply(examples, run)
        for run in runs:
            run.wait_for_round(NODES, START_SECONDS)
            run.wait_for_first_steps(NODES, START_SECONDS)
        for run in runs:
            own = run.pods
            assert {member.pod_name for member in run.ranked} == set(own)
            assert {member.pod_uid for member in run.ranked} == {pod.uid for pod in own.values()}
            store = run.rendezvous.status.bootstrap_store
            assert store is not None
            assert store.address == own[run.ranked[0].pod_name].address
            for pod in own:
                (line,) = run.log(pod).matching(PLACE)
                assert f"rank 0 is at {store.address}:{store.port}" in line.text
            assert run.rendezvous.status.round == 1
        assert len({(run.namespace, name) for run in runs for name in run.rendezvous.status.ranks}) == 3 * NODES
    examples.namespaces.delete(one)
    examples.namespaces.delete(two)


def _apply(examples: Examples, run: RunningExample) -> None:
    examples.apply("sidecar", run.namespace, torch=False, run_name=run.name)
