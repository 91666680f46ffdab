"""EvictionRequests and Evictions as objects: made as a requester and as the evictionrequest-controller make them.

Kubernetes 1.37.2 serves both kinds and has no such controller: the tests play it, by the rules that the API server
enforces.
"""

from datetime import datetime
from typing import Any

from integration.pods.pod_objects import kubelet_time, whole_second
from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous_core.observed.eviction_reading import API, RESPONDER

REQUESTER = "drain.example.com/upgrade"
EVICTOR = "imperative-eviction.k8s.io/evictor"


class EvictionObjects:
    """Of one namespace.

    Args:
        connection: of somebody with every right.
        namespace: where they are.
    """

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self._path = f"{API}/namespaces/{namespace}"

    def request(self, pod: str, uid: str, name: str = "") -> str:
        """Ask for the eviction of a pod; return the name of the request."""
        name = name or f"request-{pod}"
        spec = {"target": _target(pod, uid), "requester": REQUESTER, "intent": "Eviction"}
        self._connection.request(
            "POST", f"{self._path}/evictionrequests", body={"metadata": {"name": name}, "spec": spec}
        )
        return name

    def withdraw(self, name: str) -> None:
        """Be no longer interested."""
        body = {"spec": {"intent": "Withdrawn"}}
        self._connection.request("PATCH", f"{self._path}/evictionrequests/{name}", body=body, content_type=MERGE_PATCH)

    def make(self, pod: str, uid: str, *responders: str, active: str, since: datetime | None = None) -> str:
        """Make an Eviction, as the controller does of a request; return its name.

        Args:
            pod, uid: its target.
            responders: that the pod names, by falling priority; Kubernetes' own comes last.
            active: whose turn it is, the first one's.
            since: when that began; None: now.
        """
        everybody = (*responders, EVICTOR)
        assert active == everybody[0], "the API server takes nothing else"
        started = kubelet_time(since or whole_second())
        body = {"metadata": {"name": f"eviction-{pod}"}, "spec": {"target": _target(pod, uid)}}
        self._connection.request("POST", f"{self._path}/evictions", body=body)
        targets = [
            {
                "name": one,
                "priority": 100 if one == EVICTOR else 10000 - at,
                "state": "Active" if one == active else "Inactive",
            }
            for at, one in enumerate(everybody)
        ]
        said = [{"name": one} | ({"startTime": started} if one == active else {}) for one in everybody]
        requesters = [{"name": REQUESTER, "intent": "Eviction"}]
        self._write(f"eviction-{pod}", requesters=requesters, targetResponders=targets, responders=said)
        return f"eviction-{pod}"

    def cancel(self, name: str) -> None:
        """Nobody wants it any more."""
        status = self.status(name)
        for one in status["targetResponders"]:
            one["state"] = "Canceled" if one["state"] == "Active" else one["state"]
        failed = {
            "type": "Failed",
            "status": "True",
            "reason": "CanceledDueToNoRequesters",
            "message": "",
            "lastTransitionTime": kubelet_time(whole_second()),
        }
        requesters = [{"name": REQUESTER, "intent": "Withdrawn"}]
        fields = {"targetResponders": status["targetResponders"], "requesters": requesters, "conditions": [failed]}
        self._write(name, **fields)

    def status(self, name: str) -> dict[str, Any]:
        """Of an Eviction."""
        return dict(self._connection.request("GET", f"{self._path}/evictions/{name}").get("status") or {})

    def answer(self, name: str) -> dict[str, Any]:
        """What our operator has answered."""
        return next((one for one in self.status(name).get("responders", ()) if one["name"] == RESPONDER), {})

    def _write(self, name: str, **status: Any) -> None:
        path = f"{self._path}/evictions/{name}/status"
        self._connection.request("PATCH", path, body={"status": status}, content_type=MERGE_PATCH)


def _target(pod: str, uid: str) -> dict[str, Any]:
    return {"pod": {"name": pod, "uid": uid}}
