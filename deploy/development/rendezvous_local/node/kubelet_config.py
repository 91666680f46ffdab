"""Configuration of kubelet, kube-proxy and the cluster's DNS."""

import json
from collections.abc import Sequence
from pathlib import Path

from rendezvous_local.node.layout import CLUSTER_DOMAIN, NODE_NAME, Addresses, Folders, Ports

# systemd-resolved's own stub listens on a loopback address, which is another one inside a pod.
RESOLVER_FILES = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))


def kubelet_config(folders: Folders, addresses: Addresses, ports: Ports, gates: Sequence[str] = ()) -> str:
    """The kubelet's configuration file, as JSON; with the feature gates ``gates`` on."""
    return _json(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": str(addresses.gateway),
            "port": ports.kubelet,
            "healthzPort": ports.kubelet_health,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(folders.certificates / "authority.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(folders.certificates / "kubelet-server.crt"),
            "tlsPrivateKeyFile": str(folders.certificates / "kubelet-server.key"),
            "containerRuntimeEndpoint": f"unix://{folders.containerd_socket}",
            "cgroupDriver": "cgroupfs",  # works with and without systemd
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,  # a negative one needs CAP_SYS_RESOURCE
            "makeIPTablesUtilChains": False,  # nobody here needs them, and they would be left behind
            "podLogsDir": str(folders.pod_logs),
            "volumePluginDir": str(folders.kubelet / "volume-plugins"),
            "clusterDomain": CLUSTER_DOMAIN,
            "clusterDNS": [str(addresses.dns_service)],
            "resolvConf": str(resolver_file()),
            # The images were loaded by us and cannot be pulled again: never collect them, nor evict for a full disk.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
            },
            "maxPods": 200,
            "featureGates": dict.fromkeys(gates, True),
        }
    )


def proxy_config(folders: Folders, addresses: Addresses, ports: Ports) -> str:
    """kube-proxy's configuration file, as JSON."""
    return _json(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "hostnameOverride": NODE_NAME,
            "clusterCIDR": str(addresses.pods),
            "clientConnection": {"kubeconfig": str(folders.kubeconfigs / "proxy")},
            "healthzBindAddress": f"127.0.0.1:{ports.proxy_health}",
            "metricsBindAddress": f"127.0.0.1:{ports.proxy_metrics}",
            # The machine's own limits and time-outs of tracked connections stay as they are.
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            "oomScoreAdj": 0,
        }
    )


def dns_config(folders: Folders, addresses: Addresses, ports: Ports) -> str:
    """CoreDNS's Corefile: names of the cluster from the API server, all others from this machine's resolvers."""
    return f"""\
.:{ports.dns} {{
  bind {addresses.gateway}
  errors
  kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
    kubeconfig {folders.kubeconfigs / "dns"}
    ttl 2
  }}
  forward . {resolver_file()}
}}
"""


def resolver_file() -> Path:
    """The file with the resolvers that pods can reach too."""
    return next((file for file in RESOLVER_FILES if file.exists()), RESOLVER_FILES[-1])


def _json(content: dict[str, object]) -> str:
    return json.dumps(content, indent=2)  # JSON is YAML
