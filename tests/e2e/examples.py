"""Starts examples, each in a namespace of its own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.example_overlay import Patch, apply_overlay, renamed, torch_from_a_volume, write_overlay
from e2e.kubectl import Kubectl
from e2e.namespaces import Namespaces
from e2e.running_example import RunningExample
from e2e.site import Site
from kube_rendezvous.cluster import Connection


class Examples:
    """Starts examples.

    Args:
        site: where.
        kubectl, connection: of an administrator.
        namespaces: makes them.
        folder: an empty one, for kustomizations.
    """

    def __init__(
        self, site: Site, kubectl: Kubectl, connection: Connection, namespaces: Namespaces, folder: Path
    ) -> None:
        self.site = site
        self.kubectl = kubectl
        self.connection = connection
        self.namespaces = namespaces
        self._folder = folder

    def apply(
        self,
        example: str,
        namespace: str,
        patches: Sequence[Patch] = (),
        *,
        torch: bool = True,
        run_name: str | None = None,
        images: Mapping[str, str] | None = None,
    ) -> None:
        """`kubectl apply -k` of the example.

        Args:
            example: name of its folder.
            namespace: where to.
            patches: changes to it.
            torch: its trainer needs torch or JAX.
            run_name: another name for its Job and its Rendezvous.
            images: what to use for those that the example names beside the trainer's and the client's.
        """
        folder = self._folder / f"{run_name or example}-{namespace}"
        folder.mkdir()
        mounted = torch_from_a_volume() if torch and self.site.torch is not None else []
        trainer = self.site.images.trainer
        if trainer is None and torch:
            pytest.skip("needs torch or JAX: name an image with TRAINER_IMAGE")
        client = self.site.images.client
        used = {"trainer": trainer or client, "kube-rendezvous/client": client} | dict(images or {})
        renaming = renamed(example, run_name) if run_name and run_name != example else []
        overlay = write_overlay(folder, example, used, [*patches, *mounted, *renaming])
        apply_overlay(self.kubectl, namespace, overlay)

    @contextmanager
    def start(
        self,
        example: str,
        patches: Sequence[Patch] = (),
        *,
        torch: bool = True,
        namespace: str | None = None,
        rendezvous: str | None = None,
        images: Mapping[str, str] | None = None,
    ) -> Iterator[RunningExample]:
        """Apply the example in a namespace, a new one if none is named, and delete what was made.

        Its Rendezvous is called as the example, if `rendezvous` says nothing else; `images` as in `apply`.
        """
        place = namespace or self.namespaces.make(example)
        try:
            with RunningExample(self.kubectl, self.connection, place, rendezvous or example) as run:
                self.apply(example, place, patches, torch=torch, images=images)
                yield run
        finally:
            if namespace is None:
                self.namespaces.delete(place)
