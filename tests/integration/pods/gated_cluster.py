"""A control plane of a module's own, with feature gates that its tests need."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest

from rendezvous_local.cluster import Cluster
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import apply_crds
from rendezvous_local.errors import LocalControlPlaneError


@contextmanager
def cluster_with(flags: Sequence[str]) -> Iterator[Cluster]:
    """A cluster whose API server has these flags; skips where that is too old to know one of the gates."""
    with ExitStack() as stack:
        try:
            control_plane = stack.enter_context(ControlPlane(api_server_flags=flags))
        except LocalControlPlaneError as error:
            if "unrecognized feature gate" in str(error):
                pytest.skip(f"this API server is too old for {' '.join(flags)}")
            raise
        apply_crds(control_plane.kubeconfig)
        yield Cluster(control_plane.kubeconfig, control_plane.kubectl, control_plane)
