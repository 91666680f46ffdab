"""What JAX is told about its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from kube_rendezvous.round_environment import environment_of
from kube_rendezvous.sidecar.publication import Publication, SidecarState
from kube_rendezvous.sidecar.shared_files import SharedFiles
from kube_rendezvous.standing_round import StandingRound

pytest.importorskip("jax", reason="there is no cluster detection where there is no JAX")

ROUND = StandingRound("ns", "run", 3, 1, 2, "fd00::7", 4000)
SAID = Publication(1, SidecarState.WAITING, "ns", "run").formed(ROUND)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Any:
    from kube_rendezvous.jax_cluster import KubeRendezvousCluster

    for name in (*environment_of(ROUND), "KUBE_RENDEZVOUS_DIR"):
        monkeypatch.delenv(name, raising=False)
    return KubeRendezvousCluster


def facts(cluster: Any) -> tuple[Any, ...]:
    return cluster.get_coordinator_address(300, None), cluster.get_process_count(), cluster.get_process_id()


def test_the_place_comes_from_the_variables(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(ROUND).items():
        monkeypatch.setenv(name, value)
    assert cluster.is_env_present()
    assert facts(cluster) == ("[fd00::7]:4000", 2, 1)
    assert cluster.get_coordinator_address(300, "5000") == "[fd00::7]:5000"
    assert cluster.get_local_process_id() is None


def test_or_from_the_sidecars_folder(cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    SharedFiles(tmp_path).write(SAID)
    monkeypatch.setenv("KUBE_RENDEZVOUS_DIR", str(tmp_path))
    assert cluster.is_env_present()
    assert facts(cluster) == ("[fd00::7]:4000", 2, 1)


def test_without_a_round_it_steps_aside(cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not cluster.is_env_present()
    monkeypatch.setenv("KUBE_RENDEZVOUS_DIR", str(tmp_path))
    assert not cluster.is_env_present()
    (tmp_path / "round.json").write_text(json.dumps(SAID.closed("done").to_json()))
    assert not cluster.is_env_present()
    with pytest.raises(RuntimeError, match="kube-rendezvous run"):
        cluster.get_process_id()


def test_it_is_asked_before_jaxs_own_for_kubernetes(cluster: Any) -> None:
    from jax._src.clusters import ClusterEnv

    assert ClusterEnv._cluster_types[0] is cluster
