"""The release that users come from: chart and images of an older commit of this repository."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from commit_files import check_out
from e2e.node_images import TRAINER
from e2e.site import Images
from rendezvous_local.images.build import Image
from rendezvous_local.images.for_node import build_images, build_on_client
from rendezvous_local.node.node import Node

COMMIT = "7c85a93"


@dataclass(frozen=True)
class FormerRelease:
    """What was released before.

    Args:
        sources: a folder with all files of that commit.
        images: made of them, on the node.
    """

    sources: Path
    images: Images

    @property
    def chart(self) -> Path:
        """Its chart."""
        return self.sources / "deploy" / "helm" / "kube-rendezvous"


def former_release(node: Node, folder: Path) -> FormerRelease:
    """Take the commit's files out of git and build its images; skips the test where the history lacks it.

    Args:
        node: gets the images.
        folder: an empty one.
    """
    try:
        sources = check_out(COMMIT, folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(
            f"commit {COMMIT}, from which users upgrade, is not in this clone: `git fetch --unshallow` brings it "
            f"({str(error.stderr).strip()})"
        )
    docker = sources / "deploy" / "docker"
    # Names of their own: in the cache they do not push out those of this checkout.
    names = build_images(
        node,
        operator=Image("kube-rendezvous/former-operator", docker / "operator.Dockerfile", sources),
        client=Image("kube-rendezvous/former-client", docker / "client.Dockerfile", sources),
    )
    trainer = build_on_client(node, Image("kube-rendezvous/former-trainer", TRAINER.dockerfile, sources), names)
    return FormerRelease(sources, Images(names.operator, names.client, trainer))
