"""Who and where this node is: pod, slot, address. Found without asking the API server."""

import base64
import json
import os
import re
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kube_rendezvous.cluster.credentials import service_account_token
from kube_rendezvous.resources.slots import guessed_slot

_NOT_A_NAME = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is.

    Args:
        name_prefix: start of its Member's name: the pod's name, or the host's.
        pod_name, pod_uid, node_name: empty outside a pod, or if not known.
        slot: stable place hint, "" if none: job completion index, StatefulSet ordinal.
        address: how others reach it: IPv4, IPv6 or a host name.
    """

    name_prefix: str
    pod_name: str
    pod_uid: str
    node_name: str
    slot: str
    address: str


def identify(api_host: str, *, address: str | None = None, slot: str | None = None) -> Identity:
    """Find out who this node is.

    Args:
        api_host: base address of the API server; the local address that a packet to it would carry is ours.
        address: said by the user; wins.
        slot: said by the user; wins.
    """
    pod, node = _token_claims()
    pod_name = os.environ.get("POD_NAME") or str(pod.get("name", ""))
    pod_uid = os.environ.get("POD_UID") or str(pod.get("uid", ""))
    node_name = os.environ.get("NODE_NAME") or str(node.get("name", ""))
    name = pod_name or socket.gethostname()
    prefix = _NOT_A_NAME.sub("-", name.lower()).strip("-")[:200].strip("-") or "node"
    return Identity(
        name_prefix=prefix,
        pod_name=pod_name,
        pod_uid=pod_uid,
        node_name=node_name,
        slot=slot if slot is not None else _slot(pod_name),
        address=address or os.environ.get("POD_IP") or address_towards(api_host),
    )


def address_towards(api_host: str) -> str:
    """The local address from which the API server is reached. Sends nothing: a UDP connect only picks a route."""
    parts = urlsplit(api_host)
    host, port = parts.hostname or "localhost", parts.port or 443
    try:
        for family, kind, proto, _, target in socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
            with socket.socket(family, kind, proto) as probe:
                probe.connect(target)
                return str(probe.getsockname()[0])
    except OSError:
        pass
    return socket.getfqdn()


def _slot(pod_name: str) -> str:
    index = os.environ.get("JOB_COMPLETION_INDEX", "")
    if index:
        return index
    return guessed_slot(pod_name)


def _token_claims() -> tuple[dict[str, Any], dict[str, Any]]:
    """What the pod's own bound token says of the pod and its node. Not verified: it is our own, and only a hint."""
    token = service_account_token()
    try:
        payload = (token or "").split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        claims = {}
    kubernetes = _part(claims, "kubernetes.io")
    return _part(kubernetes, "pod"), _part(kubernetes, "node")


def _part(claims: Any, key: str) -> dict[str, Any]:
    part = claims.get(key) if isinstance(claims, dict) else None
    return part if isinstance(part, dict) else {}
