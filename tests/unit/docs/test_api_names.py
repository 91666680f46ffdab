"""A field, metric or kind that a page names and that does not exist is found."""

import pytest

from rendezvous_docs.api_names import Names, field_paths, metric_names, misspelt

CRD = {
    "spec": {
        "versions": [
            {
                "schema": {
                    "openAPIV3Schema": {
                        "properties": {
                            "spec": {"properties": {"minNodes": {}}},
                            "status": {"properties": {"history": {"items": {"properties": {"reason": {}}}}}},
                        }
                    }
                }
            }
        ]
    }
}
NAMES = Names(field_paths([CRD]), metric_names("| `kube_rendezvous_told` | histogram | | |\n"))


@pytest.mark.parametrize(
    "right",
    [
        "`spec.minNodes` and `status.history[*].reason`",
        "`.spec.template.spec` of another kind in a path that begins with a dot",
        "`kube_rendezvous_told_bucket` and `kube_rendezvous_operator`",
        "A Rendezvous and its RendezvousMembers; rendezvous in a sentence.",
    ],
)
def test_what_exists_is_right(right: str) -> None:
    assert misspelt(right, NAMES) == []


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ("`spec.minNode`", "field spec.minNode"),
        ("```yaml\nstatus.histories[0]\n```", "field status.histories"),
        ("`kube_rendezvous_tolled`", "metric kube_rendezvous_tolled"),
        ("A RendezVous", "kind RendezVous"),
        ("A Rendezvous Member", "kind Rendezvous Member"),
    ],
)
def test_what_does_not_exist_is_found(wrong: str, name: str) -> None:
    assert misspelt(wrong, NAMES) == [name]
