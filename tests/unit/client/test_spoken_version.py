"""The version of our resources that is spoken with an API server is one that it serves."""

from kube_rendezvous.cluster.spoken_version import (
    body_in,
    path_in,
    served_versions,
    version_is_not_served,
)
from kube_rendezvous.resources.names import API_VERSION, SPOKEN_VERSIONS, best_version, object_path


def test_the_first_that_both_know_is_spoken() -> None:
    assert best_version(reversed(SPOKEN_VERSIONS)) == SPOKEN_VERSIONS[0]
    assert best_version(["v1beta1", "v7"]) == "v1beta1"
    assert best_version(["v7"]) is None


def test_paths_of_ours_change_their_version_and_no_others() -> None:
    path = object_path("rendezvous", "team", "v1alpha1")
    assert path_in("v1beta1", path) == "/apis/rendezvous.dev/v1beta1/namespaces/team/rendezvous/v1alpha1"
    assert path_in("v1beta1", "/api/v1/pods") == "/api/v1/pods"


def test_a_body_names_the_version_wherever_it_named_ours() -> None:
    owner = {"apiVersion": API_VERSION, "kind": "Rendezvous", "name": "run"}
    foreign = {"apiVersion": "v1", "kind": "Pod", "name": "trainer-0"}
    body = {"apiVersion": API_VERSION, "metadata": {"ownerReferences": [owner, foreign]}, "spec": {"note": API_VERSION}}
    assert body_in("v1beta1", body) == {
        "apiVersion": "rendezvous.dev/v1beta1",
        "metadata": {"ownerReferences": [{**owner, "apiVersion": "rendezvous.dev/v1beta1"}, foreign]},
        "spec": {"note": API_VERSION},
    }
    assert body["apiVersion"] == API_VERSION


def test_an_object_that_is_not_there_is_no_sign_of_another_version() -> None:
    assert version_is_not_served(404, "")
    assert not version_is_not_served(404, "NotFound")
    assert not version_is_not_served(403, "")


def test_what_is_served_is_read_from_the_group() -> None:
    group = {"kind": "APIGroup", "versions": [{"groupVersion": "rendezvous.dev/v1beta1", "version": "v1beta1"}]}
    assert served_versions(group) == ("v1beta1",)
    assert served_versions({}) == ()
