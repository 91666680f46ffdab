"""The configuration file of each controller: one process, no leader election, certificates of ours."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Settings:
    """Where one controller listens, and its certificates.

    Attributes:
        port: Of its webhooks.
        metrics: Address of its metrics.
        health: Address of its probes.
        certificates: Folder with ``tls.crt`` and ``tls.key``.
    """

    port: int
    metrics: str
    health: str
    certificates: Path


def jobset_configuration(settings: Settings) -> str:
    """With what is off by default: changes of size, restarts in place, restarts of one Job."""
    return _file(
        "config.jobset.x-k8s.io/v1alpha1",
        internalCertManagement={"enable": False},
        webhook=_webhook(settings),
        featureGates={"ElasticJobSet": True, "InPlaceRestart": True, "RestartJob": True},
    )


def kueue_configuration(settings: Settings) -> str:
    """For Jobs; elastic ones are on by default."""
    return _file(
        "config.kueue.x-k8s.io/v1beta2",
        namespace="kueue-system",
        health={"healthProbeBindAddress": settings.health},
        metrics={"bindAddress": settings.metrics},
        webhook=_webhook(settings),
        internalCertManagement={"enable": False},
        integrations={"frameworks": ["batch/job"]},
    )


def lws_configuration(settings: Settings) -> str:
    """As by default."""
    return _file("config.lws.x-k8s.io/v1alpha1", internalCertManagement={"enable": False}, webhook=_webhook(settings))


def trainer_configuration(settings: Settings) -> str:
    """As by default. It can't be told where its certificates are: see ``rendezvous_local.controllers.running``."""
    return _file(
        "config.trainer.kubeflow.org/v1alpha1",
        health={"healthProbeBindAddress": settings.health},
        metrics={"bindAddress": settings.metrics, "secureServing": False},
        webhook={"port": settings.port, "host": LOOPBACK},
        certManagement={"enable": False},
    )


def _webhook(settings: Settings) -> dict[str, Any]:
    return {"port": settings.port, "host": LOOPBACK, "certDir": str(settings.certificates)}


def _file(api_version: str, **content: Any) -> str:
    common = {"apiVersion": api_version, "kind": "Configuration", "leaderElection": {"leaderElect": False}}
    return json.dumps(common | content, indent=2)  # JSON is YAML
