"""Command line: ``python -m rendezvous_local image``."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from rendezvous_local.images.base import base_image
from rendezvous_local.images.build import IMAGES, build_image, project_version, run_tool
from rendezvous_local.images.tool import TOOLS, choose_tool


def add_image_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``image`` to a parser."""
    image = commands.add_parser(
        "image",
        help="build the images of operator and client",
        description="Builds the images of operator and client with buildah, podman or docker, whichever is there, into"
        " its usual storage. They are named kube-rendezvous/operator and kube-rendezvous/client.",
        epilog="Your pip configuration (index, certificates) is lent to the build and does not stay in the images.",
    )
    image.add_argument(
        "--tool",
        default=os.environ.get("IMAGE_TOOL", ""),
        help=f"{', '.join(TOOLS)}; default: IMAGE_TOOL, or any of them",
    )
    image.add_argument(
        "--base",
        default=os.environ.get("BASE", ""),
        help="base image with Python >= 3.11 and pip; 'local' makes one from this machine's Debian mirror (needs root);"
        " default: BASE, or what the Dockerfiles name",
    )
    image.add_argument("--tag", default=project_version(), help="default: the project's version, %(default)s")
    image.add_argument(
        "--registry", default="", help="put in front of the names, as in REGISTRY/kube-rendezvous/operator"
    )


def run_image_command(options: argparse.Namespace) -> int:
    """Runs ``image``; returns the exit status.

    Raises:
        LocalControlPlaneError: There is no tool, or a build failed.
    """
    tool = choose_tool(options.tool)
    local = options.base == "local"
    base = options.base
    with tempfile.TemporaryDirectory(prefix="kube-rendezvous-image-") as folder:
        log = Path(folder) / "output.log"
        if local:
            base, archive = base_image()
            run_tool(tool, tool.load(archive), f"taking the base image {base}", log)
        for image in IMAGES:
            prefix = f"{options.registry.rstrip('/')}/" if options.registry else ""
            name = f"{prefix}{image.name}:{options.tag}"
            build_image(tool, image, name, base=base, local_base=local, log=log)
            sys.stdout.write(f"{name}\n")
    return 0
