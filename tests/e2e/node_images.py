"""Builds the images and gives them to the node of this machine."""

from collections.abc import Mapping
from pathlib import Path

from e2e.site import Images
from rendezvous_local.images.build import Image
from rendezvous_local.images.for_node import archive_of, build_images, build_on_client
from rendezvous_local.node.node import Node

TRAINER = Image("kube-rendezvous/trainer", Path(__file__).with_name("trainer.Dockerfile"))


def load_images(node: Node) -> tuple[Images, Mapping[str, float]]:
    """Build operator, client and trainer, unless they were built already, and load them.

    Returns:
        Their names; and the sizes in megabytes, unpacked and with the base image, of those that are ours.
    """
    names = build_images(node)
    trainer = build_on_client(node, TRAINER, names)
    sizes = {
        f"kube-rendezvous/{what}": archive_of(name).stat().st_size / 1e6
        for what, name in (("operator", names.operator), ("client", names.client))
    } | {"python (the base image of both)": _base_size(names.python)}
    return Images(names.operator, names.client, trainer), sizes


def _base_size(name: str) -> float:
    suite, _, _ = name.rpartition(":")[2].partition("-")
    return max((file.stat().st_size for file in archive_of(name).parent.glob(f"python-{suite}-*.tar")), default=0) / 1e6
