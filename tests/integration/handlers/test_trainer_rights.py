"""The rights that the example gives to trainers are enough, and no more than they need."""

from collections.abc import Callable
from pathlib import Path

import pytest

from integration.conftest import Kubectl
from integration.handlers.nodes import Node, meet

pytestmark = pytest.mark.usefixtures("operator")

MANIFEST = Path(__file__).parents[3] / "deploy" / "examples" / "trainer" / "rbac.yaml"


@pytest.fixture
def trainer(kubectl: Kubectl, namespace: str, kubeconfig_with: Callable[..., Path]) -> Path:
    """A kubeconfig of the service account that the example makes."""
    applied = kubectl("-n", namespace, "apply", "-f", str(MANIFEST))
    assert applied.returncode == 0, applied.stderr
    token = kubectl("-n", namespace, "create", "token", "trainer")
    assert token.returncode == 0, token.stderr
    return kubeconfig_with(user={"token": token.stdout.strip()})


def test_nodes_with_the_rights_of_the_example_meet(trainer: Path, node: Callable[..., Node]) -> None:
    meet(node(kubeconfig=trainer), node(kubeconfig=trainer))


@pytest.mark.parametrize(
    ("verb", "resource", "allowed"),
    [
        ("create", "rendezvousmembers.rendezvous.dev", "yes"),
        ("patch", "rendezvousmembers.rendezvous.dev", "yes"),
        ("list", "rendezvousmembers.rendezvous.dev", "no"),
        ("watch", "rendezvous.rendezvous.dev", "yes"),
        ("patch", "rendezvous.rendezvous.dev", "no"),
        ("update", "rendezvous.rendezvous.dev/status", "no"),
        ("get", "secrets", "no"),
        ("list", "pods", "no"),
    ],
)
def test_a_trainer_may_do_what_it_needs_and_nothing_else(
    kubectl: Kubectl, namespace: str, trainer: Path, verb: str, resource: str, allowed: str
) -> None:
    kind, _, part = resource.partition("/")
    subresource = ["--subresource", part] if part else []
    account = f"--as=system:serviceaccount:{namespace}:trainer"
    answer = kubectl("-n", namespace, "auth", "can-i", verb, kind, *subresource, account)
    assert answer.stdout.strip() == allowed, answer.stderr
