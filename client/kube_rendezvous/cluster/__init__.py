"""Talking to the Kubernetes API server: credentials, requests, refusals in plain words, and watches."""

from kube_rendezvous.cluster.backoff import Backoff
from kube_rendezvous.cluster.connection import Connection, ResponseStream
from kube_rendezvous.cluster.failures import ApiFailureError, ApiRefusedError, ApiUnavailableError
from kube_rendezvous.cluster.kept_thread import KeptThread

__all__ = [
    "ApiFailureError",
    "ApiRefusedError",
    "ApiUnavailableError",
    "Backoff",
    "Connection",
    "KeptThread",
    "ResponseStream",
]
