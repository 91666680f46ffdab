"""The job controllers: where each project keeps its definitions, and what this one process of it is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rendezvous_local import programs
from rendezvous_local.controllers.configuration import (
    Settings,
    jobset_configuration,
    kueue_configuration,
    lws_configuration,
    trainer_configuration,
)
from rendezvous_local.programs import Program


@dataclass(frozen=True)
class Controller:
    """One project's controller.

    Attributes:
        name: What users call the project.
        program: Its controller; the Go module of that holds the rest.
        definitions: Folder of the CustomResourceDefinitions in the module.
        webhooks: File of the webhook configurations in the module.
        configuration: Writes its configuration file; None: it has flags only.
        flags: Further arguments.
        needs: Name of the controller that must run beside it.
        namespace: One that it wants to be there.
        secret: Name of a Secret there that it fills, and that must be there before.
        only_webhooks: Kinds whose webhooks are wanted, as in the names of the webhooks; empty: all.
        pod_label: Its webhooks for pods see only those with this label, as in the project's own installation.
        converted: Plurals of its kinds that are stored in another version than some clients use.
        fixed_certificates: It reads certificates there, whatever it is told.
    """

    name: str
    program: Program
    definitions: str
    webhooks: str
    configuration: Callable[[Settings], str] | None
    flags: Callable[[Settings], list[str]] = field(default=lambda settings: [])
    needs: str = ""
    namespace: str = ""
    secret: str = ""
    only_webhooks: frozenset[str] = frozenset()
    pod_label: str = ""
    converted: frozenset[str] = frozenset()
    fixed_certificates: Path | None = None


def _addresses_by_flag(settings: Settings) -> list[str]:
    return [f"--metrics-bind-address={settings.metrics}", f"--health-probe-bind-address={settings.health}"]


JOBSET = Controller(
    name="jobset",
    program=programs.JOBSET,
    definitions="charts/jobset/crds",
    webhooks="config/components/webhook/manifests.yaml",
    configuration=jobset_configuration,
    flags=_addresses_by_flag,
    pod_label="jobset.sigs.k8s.io/jobset-name",
)
KUEUE = Controller(
    name="kueue",
    program=programs.KUEUE,
    definitions="config/components/crd/bases",
    webhooks="config/components/webhook/manifests.yaml",
    configuration=kueue_configuration,
    flags=lambda settings: ["--feature-gates=VisibilityOnDemand=false"],  # that would be an API server of its own
    namespace="kueue-system",
    only_webhooks=frozenset({"clusterqueue", "job", "resourceflavor", "workload", "cohort"}),
    converted=frozenset({"localqueues", "clusterqueues", "cohorts", "workloads", "multikueueclusters"}),
    fixed_certificates=Path("/etc/kueue/metrics/certs"),
)
TRAINER = Controller(
    name="trainer",
    program=programs.TRAINER,
    definitions="manifests/base/crds",
    webhooks="manifests/base/webhook/manifests.yaml",
    configuration=trainer_configuration,
    needs="jobset",
)
LEADER_WORKER_SET = Controller(
    name="lws",
    program=programs.LWS,
    definitions="config/crd/bases",
    webhooks="config/webhook/manifests.yaml",
    configuration=lws_configuration,
    flags=_addresses_by_flag,
    pod_label="leaderworkerset.sigs.k8s.io/name",
)
TRAINING_OPERATOR = Controller(
    name="training-operator",
    program=programs.TRAINING_OPERATOR,
    definitions="manifests/base/crds",
    webhooks="manifests/base/webhook/manifests.yaml",
    configuration=None,
    flags=lambda settings: [f"--webhook-server-port={settings.port}", *_addresses_by_flag(settings)],
    namespace="kubeflow",
    secret="training-operator-webhook-cert",
    fixed_certificates=Path("/tmp/k8s-webhook-server/serving-certs"),
)
# In the order of their start.
ALL: Mapping[str, Controller] = {
    one.name: one for one in (JOBSET, KUEUE, TRAINER, LEADER_WORKER_SET, TRAINING_OPERATOR)
}
