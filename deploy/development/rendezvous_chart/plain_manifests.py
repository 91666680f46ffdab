"""`deploy/kustomize`: what the chart renders by default, for people without helm."""

import subprocess
from pathlib import Path

from rendezvous_chart.crd_templates import CHART, TOP

NAMESPACE = "kube-rendezvous-system"
TARGET = TOP / "deploy" / "kustomize" / "kube-rendezvous.yaml"
HELM_SECONDS = 60.0

_OF_HELM = ("# Source: ", "helm.sh/chart:", "app.kubernetes.io/managed-by: Helm")


class RenderError(Exception):
    """helm refused; its sentence."""


def render(helm: Path, *arguments: str, namespace: str = NAMESPACE) -> str:
    """`helm template` of the chart, without its tests.

    Raises:
        RenderError: helm refused.
    """
    command = [str(helm), "template", "kube-rendezvous", str(CHART), "--namespace", namespace, "--skip-tests"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=HELM_SECONDS, check=False)
    if done.returncode != 0:
        raise RenderError(done.stderr.strip())
    return done.stdout


def plain_manifests(helm: Path) -> dict[Path, str]:
    """What the generated file of `deploy/kustomize` must hold.

    Raises:
        RenderError: helm refused.
    """
    head = "# Generated from deploy/helm/kube-rendezvous by `python -m rendezvous_chart`.\n"
    return {TARGET: head + without_helm(render(helm))}


def without_helm(rendered: str) -> str:
    """What helm rendered, without the lines that say so."""
    lines = rendered.splitlines(keepends=True)
    return "".join(line for line in lines if not line.strip().startswith(_OF_HELM))
