"""A reader who types what docs/quick-start.md says gets what it promises: every command succeeds, in its order.

It installs and uninstalls the release itself, so that this file comes first.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

from e2e.quick_start import PAGE, TOP, commands, for_this_cluster, name_images
from e2e.reader import Reader, mount_torch
from e2e.site import Site


@pytest.fixture
def checkout(site: Site, tmp_path: Path) -> Path:
    """A reader's copy of the repository, in which the example names images that this cluster has."""
    if site.images.trainer is None:
        pytest.skip("needs torch: name an image with TRAINER_IMAGE")
    copy = tmp_path / "checkout"
    shutil.copytree(TOP / "deploy", copy / "deploy")
    example = copy / "deploy" / "examples" / "torchrun-job" / "kustomization.yaml"
    name_images(example, {"trainer": site.images.trainer})
    if site.torch is not None:
        mount_torch(example)
    return copy


@pytest.mark.timeout(1500)
def test_every_command_of_the_page_succeeds(site: Site, checkout: Path, reader: Reader) -> None:
    # The plug-in as it is installed here; and what the reader's own kubeconfig may ask credentials of.
    reader = reader.who_has(Path(sys.executable).parent, *map(Path, os.get_exec_path()))
    lines = (for_this_cluster(line, site.images.operator) for line in commands(PAGE.read_text(), first_step=2))
    shown = reader.types(lines, checkout)
    assert "PodTerminating" in shown, shown
    assert "Active" in shown, shown
