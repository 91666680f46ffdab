"""An update of the operator, the definitions or the trainers' image meets former versions of the others, in any order:
they form rounds together."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from commit_files import check_out
from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import API_VERSION, RENDEZVOUS_PLURAL, parse_rendezvous
from kube_rendezvous.resources.names import collection_path, object_path
from performance.fleet import fleet
from performance.local_site import site
from performance.other_commit import PARTS

FORMER = "7c85a93"
NODES = 2
_WHOSE = ("new", "former")
_REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The former version's files."""
    try:
        return check_out(FORMER, tmp_path_factory.mktemp("former"), *PARTS)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip(f"there is no history here that reaches back to commit {FORMER}")


@pytest.fixture(params=[f"{operator} operator, {crds} definitions" for operator in _WHOSE for crds in _WHOSE])
def place(request: pytest.FixtureRequest, former: Path, tmp_path: Path) -> Iterator[tuple[Path, Connection, str]]:
    """Kubeconfig, connection and namespace of a control plane with that operator and these definitions."""
    operator, definitions = (part.split()[0] for part in request.param.split(", "))
    for part in PARTS:
        whose = former if (definitions if part == "crds" else operator) == "former" else _REPOSITORY
        (tmp_path / part).symlink_to(whose / part)
    with site(tmp_path) as where:
        yield where.kubeconfig, where.connection, where.namespace


def test_clients_of_both_versions_form_a_round_lose_a_member_and_form_the_next(
    place: tuple[Path, Connection, str], former: Path
) -> None:
    kubeconfig, connection, namespace = place
    spec = {"minNodes": 2 * NODES, "maxNodes": 2 * NODES}
    body = {"apiVersion": API_VERSION, "kind": "Rendezvous", "metadata": {"name": "mixed"}, "spec": spec}
    connection.request("POST", collection_path(RENDEZVOUS_PLURAL, namespace), body=body)

    def ranked() -> tuple[int, set[str]]:
        status = parse_rendezvous(connection.request("GET", object_path(RENDEZVOUS_PLURAL, namespace, "mixed"))).status
        return status.round, set(status.ranks)

    with fleet(kubeconfig, NODES, 1) as ours, fleet(kubeconfig, NODES, 1, former) as theirs:
        both = [ours, theirs]
        for one in both:
            one.prepare(namespace, "mixed")
        for one in both:
            one.tell("join")
        names = [name for one in both for answer in one.answers() for name in answer["names"]]
        assert ranked() == (1, set(names))
        for one in both:
            one.ask("arm", victim=names[0])
        connection.request("DELETE", object_path("rendezvousmembers", namespace, names[0]))
        for one in both:
            one.tell("joined_again")
        again = [name for one in both for answer in one.answers() for name in answer["names"]]
        assert ranked() == (2, set(again))
        assert set(names[1:]) < set(again), "who was not deleted goes on"
