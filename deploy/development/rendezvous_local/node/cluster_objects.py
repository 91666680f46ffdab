"""Objects that every cluster has beside those that the API server makes itself: here, its DNS."""

import json

from rendezvous_local.node.layout import Addresses, Ports

DNS_NAME = "kube-dns"  # the customary name, whatever program it is
DNS_ROLE = "system:cluster-dns"


def cluster_dns(addresses: Addresses, ports: Ports) -> str:
    """Service, endpoints and rights of the DNS server, which runs outside of the pods; JSON for ``kubectl apply``."""
    metadata = {"name": DNS_NAME, "namespace": "kube-system"}
    listening = [
        {"name": f"dns-{protocol.lower()}", "protocol": protocol, "port": ports.dns} for protocol in ("UDP", "TCP")
    ]
    service_ports = [{**port, "port": 53, "targetPort": ports.dns} for port in listening]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"clusterIP": str(addresses.dns_service), "ports": service_ports},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": DNS_NAME}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [str(addresses.gateway)]}],
        "ports": listening,
    }
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": DNS_ROLE},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": DNS_ROLE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": DNS_ROLE},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": DNS_ROLE}],
    }
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [role, binding, service, endpoints]})
