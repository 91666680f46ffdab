"""What a node says when it is not let in, finds nothing, or was started with something that cannot work."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node
from integration.handlers.runs import Run
from kube_rendezvous.api import (
    RendezvousConnectionError,
    RendezvousParameters,
    RendezvousStateError,
    RendezvousTimeoutError,
)
from kube_rendezvous.cluster import ApiUnavailableError, Connection
from kube_rendezvous.handler import create_handler
from kube_rendezvous.store_choice import open_address_only
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import apply_crds
from rendezvous_local.ports import free_port

Account = Callable[..., Path]
MakeNode = Callable[..., Node]

AT_ONCE_SECONDS = 5.0
WATCH = "get,list,watch"


def refusal(node: Node, kind: type[Exception]) -> str:
    """What the node is told, at once although it would have waited for a minute."""
    with pytest.raises(kind) as refused:
        node.join().result(AT_ONCE_SECONDS)
    return str(refused.value)


def test_an_unknown_namespace_is_named_with_the_command_that_makes_it(node: MakeNode) -> None:
    text = refusal(node(namespace="nowhere"), RendezvousStateError)
    assert "There is no namespace 'nowhere'" in text
    assert "kubectl create namespace nowhere" in text


def test_without_the_right_to_list_rendezvous_the_missing_right_is_named(
    node: MakeNode, account: Account, namespace: str
) -> None:
    text = refusal(node(kubeconfig=account()), RendezvousConnectionError)
    assert f"We may not list rendezvous.rendezvous.dev in namespace '{namespace}'" in text
    assert (
        f"kubectl -n {namespace} create role rendezvous-rendezvous --verb=get,list,watch "
        "--resource=rendezvous.rendezvous.dev" in text
    )


def test_without_the_right_to_create_members_the_missing_right_is_named(
    node: MakeNode, account: Account, run: Run
) -> None:
    run.create(minNodes=2)
    text = refusal(node(kubeconfig=account(rendezvous=WATCH)), RendezvousConnectionError)
    assert f"We may not create rendezvousmembers.rendezvous.dev in namespace '{run.namespace}'" in text
    assert "--verb=create --resource=rendezvousmembers.rendezvous.dev" in text
    assert run.members() == []


def test_without_the_right_to_create_a_missing_rendezvous_the_missing_right_is_named(
    node: MakeNode, account: Account, run: Run
) -> None:
    trainer = account(rendezvous=WATCH, rendezvousmembers="create,get,patch,delete")
    text = refusal(node(kubeconfig=trainer), RendezvousConnectionError)
    assert f"We may not create rendezvous.rendezvous.dev in namespace '{run.namespace}'" in text
    assert run.get() is None


def test_the_commands_in_a_refusal_give_the_right(
    node: MakeNode, account: Account, run: Run, kubectl: Callable[..., object]
) -> None:
    run.create(minNodes=2)
    one = node(kubeconfig=account(rendezvous=WATCH))
    text = refusal(one, RendezvousConnectionError)
    for command in (part for part in text.split("`") if part.startswith("kubectl")):
        kubectl(*(word.replace(":default", ":trainer") for word in command.split()[1:]))
    one.join()
    eventually(run.members, "the node joins with the right it was given")


def test_credentials_that_the_api_server_does_not_accept_are_said(
    node: MakeNode, kubeconfig_with: Callable[..., Path]
) -> None:
    text = refusal(node(kubeconfig=kubeconfig_with(user={"token": "wrong"})), RendezvousConnectionError)
    assert "The API server does not accept our credentials" in text
    assert "kubectl auth whoami" in text


def test_an_api_server_that_nobody_serves_is_tried_until_the_join_timeout(
    node: MakeNode, kubeconfig_with: Callable[..., Path]
) -> None:
    address = f"https://127.0.0.1:{free_port()}"
    one = node(kubeconfig=kubeconfig_with(server=address), join_timeout=2)
    began = time.monotonic()
    with pytest.raises(RendezvousConnectionError, match="the API server is out of reach") as failed:
        one.join().result(60)
    assert 1.9 <= time.monotonic() - began < 15
    assert address in str(failed.value)
    assert 3 <= len(one.requests) <= 20, "it is tried again, at growing intervals"


def test_a_rendezvous_that_nobody_made_and_nobody_may_make_is_waited_for_until_the_join_timeout(
    node: MakeNode, run: Run
) -> None:
    one = node(create="never", join_timeout=1)
    with pytest.raises(RendezvousTimeoutError) as failed:
        one.join().result(60)
    assert f"Rendezvous {run.namespace}/run: no answer within 1 s; there is no such object" in str(failed.value)
    assert f"kubectl -n {run.namespace} apply -f" in str(failed.value)
    assert run.get() is None


@pytest.fixture(scope="module")
def bare() -> Iterator[ControlPlane]:
    """A control plane that has never heard of a Rendezvous."""
    with ControlPlane() as control_plane:
        yield control_plane


def test_missing_custom_resource_definitions_are_named_with_what_installs_them(
    bare: ControlPlane, node: MakeNode
) -> None:
    text = refusal(node(kubeconfig=bare.kubeconfig, namespace="default"), RendezvousStateError)
    assert "does not know rendezvous.rendezvous.dev" in text
    assert "kubectl apply -f crds/" in text


def test_a_node_that_starts_while_the_api_server_is_away_joins_when_that_is_back(
    bare: ControlPlane, node: MakeNode
) -> None:
    apply_crds(bare.kubeconfig)
    bare.stop_api_server(kill=True)
    one = node(kubeconfig=bare.kubeconfig, namespace="default", join_timeout=120)
    one.join()
    eventually(lambda: len(one.requests) >= 3, "it tries")
    bare.start_api_server()
    anybody = Connection.open(str(bare.kubeconfig))
    run = Run(anybody, "default", "run")

    def joined() -> bool:
        with contextlib.suppress(ApiUnavailableError):  # an API server that has just started is not ready for all
            return bool(run.members())
        return False

    eventually(joined, "it joins", 60)
    run.change(closed=True)
    assert one.wait_for_threads(10)
    anybody.close()


def test_a_kubeconfig_that_is_not_there_is_named() -> None:
    params = RendezvousParameters("kubernetes", "", "run", 1, 1, kubeconfig="/not/there")
    with pytest.raises(RendezvousConnectionError, match="There is no kubeconfig at /not/there: correct the"):
        create_handler(params, open_address_only)


def test_a_kubeconfig_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("{not yaml")
    params = RendezvousParameters("kubernetes", "", "run", 1, 1, kubeconfig=str(file))
    with pytest.raises(RendezvousConnectionError, match="cannot be used") as refused:
        create_handler(params, open_address_only)
    assert str(file) in str(refused.value)


def test_a_context_that_is_not_in_the_kubeconfig_is_named(kubeconfig_with: Callable[..., Path]) -> None:
    params = RendezvousParameters("kubernetes", "", "run", 1, 1, kubeconfig=str(kubeconfig_with()), context="nobody")
    with pytest.raises(RendezvousConnectionError, match="nobody"):
        create_handler(params, open_address_only)


@pytest.mark.parametrize(
    ("run_id", "endpoint", "sentence"),
    [
        pytest.param("none", "", "needs the name of a Rendezvous object: --rdzv-id", id="torchrun's default id"),
        pytest.param("My_Run", "", "for example my-run", id="not a name"),
        pytest.param("run", "host:29400", "is not a namespace", id="an endpoint as for c10d"),
    ],
)
def test_an_id_or_endpoint_that_cannot_be_meant_is_refused_with_what_to_pass(
    run_id: str, endpoint: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        create_handler(RendezvousParameters("kubernetes", endpoint, run_id, 1, 1), open_address_only)


def test_more_min_nodes_than_max_nodes_are_refused() -> None:
    with pytest.raises(ValueError, match="min"):
        create_handler(RendezvousParameters("kubernetes", "", "run", 3, 2), open_address_only)
