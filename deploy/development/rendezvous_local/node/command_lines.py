"""The command line of each program of the node."""

from dataclasses import dataclass

from rendezvous_local.node.feature_gates import api_server_flags, feature_gates
from rendezvous_local.node.layout import NODE_NAME, Addresses, Folders, Ports
from rendezvous_local.node.node_programs import NodePrograms


@dataclass(frozen=True)
class CommandLines:
    """Builds the command lines for one start of the node.

    Attributes:
        gates: Feature gates that are on, for the API server and what watches it; those of the kubelet are in its file.
    """

    programs: NodePrograms
    folders: Folders
    addresses: Addresses
    ports: Ports
    gates: tuple[str, ...] = ()

    @property
    def etcd_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.etcd}"

    @property
    def server(self) -> str:
        """URL of the API server. It listens on the bridge only: reached by pods and this machine, not from outside."""
        return f"https://{self.addresses.gateway}:{self.ports.api_server}"

    def containerd(self) -> list[str]:
        return [str(self.programs.containerd), "--config", str(self.folders.configuration / "containerd.toml")]

    def etcd(self) -> list[str]:
        return [
            str(self.programs.etcd),
            f"--data-dir={self.folders.etcd}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            "--listen-peer-urls=http://127.0.0.1:0",  # it has no peers: any free port will do
            "--unsafe-no-fsync",  # the data lives no longer than the node does
            "--log-level=warn",
        ]

    def api_server(self) -> list[str]:
        certificates = self.folders.certificates
        return [
            str(self.programs.kube_apiserver),
            f"--etcd-servers={self.etcd_url}",
            f"--bind-address={self.addresses.gateway}",
            f"--secure-port={self.ports.api_server}",
            f"--advertise-address={self.addresses.gateway}",
            f"--tls-cert-file={certificates / 'api-server.crt'}",
            f"--tls-private-key-file={certificates / 'api-server.key'}",
            f"--client-ca-file={certificates / 'authority.crt'}",
            f"--kubelet-certificate-authority={certificates / 'authority.crt'}",
            f"--kubelet-client-certificate={certificates / 'api-server-to-kubelet.crt'}",
            f"--kubelet-client-key={certificates / 'api-server-to-kubelet.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={certificates / 'service-accounts.pub'}",
            f"--service-account-signing-key-file={certificates / 'service-accounts.key'}",
            f"--service-cluster-ip-range={self.addresses.services}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            *api_server_flags(self.gates),
        ]

    def controller_manager(self) -> list[str]:
        certificates = self.folders.certificates
        return [
            str(self.programs.controller_manager),
            f"--kubeconfig={self.folders.kubeconfigs / 'controller-manager'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.ports.controller_manager}",
            "--leader-elect=false",
            # With the usual 20 requests a second the first ServiceAccount comes 5 s late.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={certificates / 'service-accounts.key'}",
            f"--root-ca-file={certificates / 'authority.crt'}",
            f"--cluster-signing-cert-file={certificates / 'authority.crt'}",
            f"--cluster-signing-key-file={certificates / 'authority.key'}",
            *feature_gates(self.gates),
        ]

    def scheduler(self) -> list[str]:
        return [
            str(self.programs.scheduler),
            f"--kubeconfig={self.folders.kubeconfigs / 'scheduler'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.ports.scheduler}",
            "--leader-elect=false",
            *feature_gates(self.gates),
        ]

    def kubelet(self) -> list[str]:
        return [
            str(self.programs.kubelet),
            f"--config={self.folders.configuration / 'kubelet.json'}",
            f"--kubeconfig={self.folders.kubeconfigs / 'kubelet'}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={self.addresses.gateway}",
            f"--root-dir={self.folders.kubelet}",
            f"--cert-dir={self.folders.kubelet / 'certificates'}",
        ]

    def proxy(self) -> list[str]:
        return [str(self.programs.proxy), f"--config={self.folders.configuration / 'proxy.json'}"]

    def dns(self) -> list[str]:
        return [str(self.programs.dns), "-conf", str(self.folders.configuration / "Corefile")]

    def ctr(self, *arguments: str) -> list[str]:
        """A call of containerd's own client in the namespace of Kubernetes."""
        return [str(self.programs.ctr), "--address", str(self.folders.containerd_socket), "-n", "k8s.io", *arguments]
