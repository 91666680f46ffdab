"""The programs of the control plane and of the node, and the Go modules that pin their versions."""

import re
from dataclasses import dataclass
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError

GO_MODULES = Path(__file__).resolve().parent.parent / "go"
KUBERNETES = "k8s.io/kubernetes"
KUBERNETES_VERSION_VARIABLES = "k8s.io/component-base/version"
CONTAINERD = "github.com/containerd/containerd/v2"
HELM_MODULE = "helm.sh/helm/v4"
# Storage drivers that nobody here uses and that need C libraries, and the documents of the command line.
CONTAINERD_TAGS = "no_btrfs,no_zfs,no_devmapper,no_aufs,urfave_cli_no_docs"


@dataclass(frozen=True)
class Program:
    """A program, how to build it, and what to tell somebody who waits for that.

    Attributes:
        name: Name of the executable file.
        package: Its Go package.
        module: Folder with the go.mod and go.sum that pin it.
        required: The module in go.mod whose version is the program's version.
        minutes: About how long a first build takes on two cores.
        tags: Go build tags, with commas between them.
        own_version: Version of a program whose source is in the module folder itself; ``required`` is empty then.
    """

    name: str
    package: str
    module: Path
    required: str
    minutes: int
    tags: str = ""
    own_version: str = ""

    @property
    def version(self) -> str:
        """The pinned version, as in ``v3.7.3``."""
        if self.own_version:
            return self.own_version
        text = (self.module / "go.mod").read_text()
        found = re.search(rf"^(?:require)?\s*{re.escape(self.required)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise LocalControlPlaneError(f"{self.module / 'go.mod'} does not require {self.required}: it is damaged")
        return found[1]

    @property
    def linker_flags(self) -> str:
        """No symbol tables; programs that report a version are told it, since no build script of theirs runs here."""
        values = {}
        if self.required == KUBERNETES:
            major, minor, _ = self.version.removeprefix("v").split(".", 2)
            reported = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
            values = {f"{KUBERNETES_VERSION_VARIABLES}.{name}": value for name, value in reported.items()}
        elif self.required == CONTAINERD:
            values = {f"{CONTAINERD}/version.Version": self.version}
        elif self.required == HELM_MODULE:
            values = {f"{HELM_MODULE}/internal/version.version": self.version}
        return " ".join(["-s -w", *(f"-X {variable}={value}" for variable, value in values.items())])


def _kubernetes(name: str, minutes: int) -> Program:
    return Program(name, f"{KUBERNETES}/cmd/{name}", GO_MODULES / "kubernetes", KUBERNETES, minutes)


def _containerd(name: str) -> Program:
    package = f"{CONTAINERD}/cmd/{name}"
    return Program(name, package, GO_MODULES / "containerd", CONTAINERD, minutes=1, tags=CONTAINERD_TAGS)


ETCD = Program("etcd", "go.etcd.io/etcd/server/v3", GO_MODULES / "etcd", "go.etcd.io/etcd/server/v3", minutes=1)
KUBE_APISERVER = _kubernetes("kube-apiserver", minutes=4)


def kube_apiserver_of(minor: str) -> Program:
    """The kube-apiserver of a Kubernetes minor version, as in ``1.31``, for `make matrix`.

    Raises:
        LocalControlPlaneError: None of that version is pinned here.
    """
    if KUBE_APISERVER.version.startswith(f"v{minor}."):
        return KUBE_APISERVER
    module = GO_MODULES / f"kubernetes-{minor}"
    if not module.is_dir():
        raise LocalControlPlaneError(
            f"no Kubernetes {minor} is pinned in {GO_MODULES}: rendezvous_matrix.kubernetes_pins"
        )
    return Program("kube-apiserver", KUBE_APISERVER.package, module, KUBERNETES, minutes=4)


KUBECTL = _kubernetes("kubectl", minutes=1)

# What a node needs beside those.
KUBE_CONTROLLER_MANAGER = _kubernetes("kube-controller-manager", minutes=3)
KUBE_SCHEDULER = _kubernetes("kube-scheduler", minutes=1)
KUBELET = _kubernetes("kubelet", minutes=1)
KUBE_PROXY = _kubernetes("kube-proxy", minutes=1)
CONTAINERD_DAEMON = _containerd("containerd")
CONTAINERD_SHIM = _containerd("containerd-shim-runc-v2")
CTR = _containerd("ctr")
PAUSE = Program("pause", "kube-rendezvous.local/pause", GO_MODULES / "pause", "", minutes=1, own_version="pause-v1")
# Plays the driver of made-up devices.
DEVICE_PLUGIN = Program(
    "device-plugin",
    "kube-rendezvous.local/device-plugin",
    GO_MODULES / "device-plugin",
    "",
    minutes=1,
    own_version="device-plugin-v1",
)
COREDNS = Program(
    "coredns", "github.com/coredns/coredns", GO_MODULES / "coredns", "github.com/coredns/coredns", minutes=2
)

# What the tests of the delivery need beside the node.
HELM = Program("helm", f"{HELM_MODULE}/cmd/helm", GO_MODULES / "helm", HELM_MODULE, minutes=2)
ACTIONLINT = Program(
    "actionlint",
    "github.com/rhysd/actionlint/cmd/actionlint",
    GO_MODULES / "actionlint",
    "github.com/rhysd/actionlint",
    minutes=1,
)
CRANE = Program(
    "crane",
    "github.com/google/go-containerregistry/cmd/crane",
    GO_MODULES / "crane",
    "github.com/google/go-containerregistry",
    minutes=1,
)
COSIGN = Program(
    "cosign",
    "github.com/sigstore/cosign/v3/cmd/cosign",
    GO_MODULES / "cosign",
    "github.com/sigstore/cosign/v3",
    minutes=4,
)
KREW = Program("krew", "sigs.k8s.io/krew/cmd/krew", GO_MODULES / "krew", "sigs.k8s.io/krew", minutes=1)
KWOK = Program("kwok", "sigs.k8s.io/kwok/cmd/kwok", GO_MODULES / "kwok", "sigs.k8s.io/kwok", minutes=2)


def _controller(name: str, package: str, folder: str, required: str, minutes: int) -> Program:
    return Program(name, package, GO_MODULES / folder, required, minutes)


# Job controllers of other projects, which a node can have beside it.
JOBSET_MODULE = "sigs.k8s.io/jobset"
KUEUE_MODULE = "sigs.k8s.io/kueue"
TRAINER_MODULE = "github.com/kubeflow/trainer/v2"
LWS_MODULE = "sigs.k8s.io/lws"
TRAINING_OPERATOR_MODULE = "github.com/kubeflow/training-operator"
JOBSET = _controller("jobset-controller", JOBSET_MODULE, "jobset", JOBSET_MODULE, minutes=3)
KUEUE = _controller("kueue-controller", f"{KUEUE_MODULE}/cmd/kueue", "kueue", KUEUE_MODULE, minutes=5)
TRAINER = _controller(
    "trainer-controller", f"{TRAINER_MODULE}/cmd/trainer-controller-manager", "trainer", TRAINER_MODULE, minutes=3
)
LWS = _controller("lws-controller", f"{LWS_MODULE}/cmd", "lws", LWS_MODULE, minutes=3)
TRAINING_OPERATOR = _controller(
    "training-operator",
    f"{TRAINING_OPERATOR_MODULE}/cmd/training-operator.v1",
    "training-operator",
    TRAINING_OPERATOR_MODULE,
    minutes=3,
)
# JobSet's agent for restarts in place, which runs in the pods.
IN_PLACE_RESTART_AGENT = _controller(
    "in-place-restart-agent", f"{JOBSET_MODULE}/cmd/in-place-restart-agent", "jobset", JOBSET_MODULE, minutes=1
)
