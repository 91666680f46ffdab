"""Chooses the cluster under test: the reader's own by ``KUBECONFIG``, else a new node of this machine.

On the reader's own, ``IMAGE`` is the operator's image, which the cluster can pull; ``CLIENT_IMAGE`` the client's, by
default the same name with `client` for `operator`; ``TRAINER_IMAGE`` one with torch, JAX and kube-rendezvous, without
which the tests that need them are skipped.
"""

import os
import shutil
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.node_images import load_images
from e2e.site import Images, Site
from rendezvous_local.binaries import find_or_build
from rendezvous_local.node.feature_gates import named_gates
from rendezvous_local.node.node import Node
from rendezvous_local.node.parts import KUBELET
from rendezvous_local.programs import HELM, KUBECTL


@contextmanager
def site(environment: Mapping[str, str] = os.environ) -> Iterator[Site]:
    """The cluster under test.

    Args:
        environment: says which.
    """
    if environment.get("KUBECONFIG"):
        yield _own(environment)
        return
    with Node(gates=named_gates(environment)) as node:
        images, megabytes = load_images(node)
        yield Site(
            kubeconfig=node.kubeconfig,
            kubectl=node.kubectl,
            helm=find_or_build(HELM),
            images=images,
            machine=OneMachine(node),
            node=node,
            torch=Path(sysconfig.get_paths()["purelib"]),
            image_megabytes=megabytes,
        )


class OneMachine:
    """See `e2e.site.Machine`."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def stop_kubelet(self) -> None:
        """As after a crash."""
        self.node.stop_kubelet(kill=True)

    def start_kubelet(self) -> None:
        """And until the node is ready again; does nothing while it runs."""
        if not self.node.parts[KUBELET].running:
            self.node.start_kubelet()

    def kill_api_server(self) -> None:
        """As after a crash."""
        self.node.stop_api_server(kill=True)

    def start_api_server(self) -> None:
        """And until it is ready again."""
        self.node.start_api_server()


def _own(environment: Mapping[str, str]) -> Site:
    operator = environment.get("IMAGE")
    if not operator:
        pytest.exit("KUBECONFIG is set, so set IMAGE too: the operator's image, as this cluster can pull it", 2)
    helm, kubectl = shutil.which("helm"), shutil.which("kubectl")
    return Site(
        kubeconfig=Path(environment["KUBECONFIG"]).expanduser().absolute(),
        kubectl=Path(kubectl) if kubectl else find_or_build(KUBECTL),
        helm=Path(helm) if helm else find_or_build(HELM),
        images=Images(
            operator=operator,
            client=environment.get("CLIENT_IMAGE") or operator.replace("operator", "client"),
            trainer=environment.get("TRAINER_IMAGE"),
        ),
        machine=None,
        node=None,
        torch=None,
        image_megabytes={},
    )
