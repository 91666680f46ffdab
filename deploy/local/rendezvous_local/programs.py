"""The programs of the control plane and the Go modules that pin their versions."""

import re
from dataclasses import dataclass
from pathlib import Path

from rendezvous_local.errors import LocalControlPlaneError

GO_MODULES = Path(__file__).resolve().parent.parent / "go"
VERSION_VARIABLES = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Program:
    """A program, how to build it, and what to tell somebody who waits for that.

    Attributes:
        name: Name of the executable file.
        package: Its Go package.
        module: Folder with the go.mod and go.sum that pin it.
        required: The module in go.mod whose version is the program's version.
        minutes: About how long a first build takes on two cores.
    """

    name: str
    package: str
    module: Path
    required: str
    minutes: int

    @property
    def version(self) -> str:
        """The pinned version, as in ``v3.7.3``."""
        text = (self.module / "go.mod").read_text()
        found = re.search(rf"^(?:require)?\s*{re.escape(self.required)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise LocalControlPlaneError(f"{self.module / 'go.mod'} does not require {self.required}: it is damaged")
        return found[1]

    @property
    def linker_flags(self) -> str:
        """No symbol tables; Kubernetes programs are told the version that they report."""
        if self.required != "k8s.io/kubernetes":
            return "-s -w"
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        values = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        return " ".join(["-s -w", *(f"-X {VERSION_VARIABLES}.{name}={value}" for name, value in values.items())])


ETCD = Program("etcd", "go.etcd.io/etcd/server/v3", GO_MODULES / "etcd", "go.etcd.io/etcd/server/v3", minutes=1)
KUBE_APISERVER = Program(
    "kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", GO_MODULES / "kubernetes", "k8s.io/kubernetes", minutes=4
)
KUBECTL = Program("kubectl", "k8s.io/kubernetes/cmd/kubectl", GO_MODULES / "kubernetes", "k8s.io/kubernetes", minutes=1)
