"""The controllers of other projects: which are started, and how the API server finds their webhooks."""

from pathlib import Path

import pytest
import yaml

from rendezvous_local.controllers.catalogue import ALL, JOBSET, KUEUE
from rendezvous_local.controllers.manifests import Endpoint, urls, webhook_configurations, write_definitions
from rendezvous_local.controllers.running import wanted, with_certificates_at
from rendezvous_local.errors import LocalControlPlaneError

ENDPOINT = Endpoint(9443, "QUJD")


def _hook(name: str) -> dict[str, object]:
    service = {"name": "webhook-service", "namespace": "system", "path": f"/{name}"}
    return {"name": f"{name}.kb.io", "clientConfig": {"service": service}, "rules": []}


def _source(folder: Path, file: str, *hooks: str) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True)
    one = {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "x"}, "webhooks": list(map(_hook, hooks))}
    path.write_text(yaml.safe_dump(one))
    return folder


def test_a_controller_brings_the_one_that_it_needs_and_that_one_starts_first() -> None:
    assert [one.name for one in wanted(["trainer"])] == ["jobset", "trainer"]
    assert [one.name for one in wanted(tuple(ALL))] == ["jobset", "kueue", "trainer", "lws", "training-operator"]


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(LocalControlPlaneError, match="no controller is called volcano; there are jobset, kueue"):
        wanted(["volcano"])


def test_webhooks_are_called_by_url_and_those_of_pods_see_the_projects_own_only(tmp_path: Path) -> None:
    source = _source(tmp_path, JOBSET.webhooks, "vjobset", "vpod")
    found = webhook_configurations(JOBSET, source, ENDPOINT)
    assert urls(found) == {"https://127.0.0.1:9443/vjobset", "https://127.0.0.1:9443/vpod"}
    (one,) = found["items"]
    assert one["metadata"]["name"] == "jobset-validating"
    of_jobsets, of_pods = one["webhooks"]
    assert of_jobsets["clientConfig"]["caBundle"] == "QUJD"
    assert "objectSelector" not in of_jobsets
    assert of_pods["objectSelector"]["matchExpressions"][0]["key"] == "jobset.sigs.k8s.io/jobset-name"


def test_webhooks_of_kinds_that_nobody_serves_are_left_out(tmp_path: Path) -> None:
    source = _source(tmp_path, KUEUE.webhooks, "vjob", "vdeployment", "vclusterqueue")
    assert urls(webhook_configurations(KUEUE, source, ENDPOINT)) == {
        "https://127.0.0.1:9443/vjob",
        "https://127.0.0.1:9443/vclusterqueue",
    }


def test_only_definitions_are_taken_and_those_of_two_versions_are_converted_by_the_controller(tmp_path: Path) -> None:
    folder, target = tmp_path / KUEUE.definitions, tmp_path / "target"
    folder.mkdir(parents=True)
    target.mkdir()
    for plural in ("workloads", "topologies"):
        one = {"kind": "CustomResourceDefinition", "spec": {"names": {"plural": plural}}}
        (folder / f"{plural}.yaml").write_text(yaml.safe_dump(one))
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"kind": "Kustomization"}))
    write_definitions(KUEUE, tmp_path, ENDPOINT, target)
    written = {file.stem: yaml.safe_load(file.read_text())["spec"] for file in target.iterdir()}
    assert set(written) == {"workloads", "topologies"}
    assert written["workloads"]["conversion"]["webhook"]["clientConfig"]["url"] == "https://127.0.0.1:9443/convert"
    assert "conversion" not in written["topologies"]


@pytest.mark.parametrize(
    ("place", "own"), [("/etc/kueue/metrics/certs", "/etc"), ("/tmp/k8s-webhook-server/serving-certs", "/tmp")]
)
def test_a_fixed_place_for_certificates_is_in_a_mount_namespace_of_its_own(place: str, own: str) -> None:
    command = with_certificates_at(Path(place), Path("/var/lib/node/certs"), ["kueue", "--x"])
    assert command[:4] == ["unshare", "--mount", "--propagation", "private"]
    assert f"tmpfs {own} && mkdir" in command[6]
    assert command[-2:] == ["kueue", "--x"]


def test_every_module_is_pinned() -> None:
    versions = {name: one.program.version for name, one in ALL.items()}
    assert versions == {
        "jobset": "v0.12.0",
        "kueue": "v0.19.0",
        "trainer": "v2.3.0",
        "lws": "v0.8.0",
        "training-operator": "v1.9.3",
    }
