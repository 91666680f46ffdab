"""Objects that make pods, without the controllers that would act on them: the test makes their pods."""

from collections.abc import Callable
from typing import Any

from integration.pods.pod_member import PodMember
from integration.pods.pod_objects import PodObjects
from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH
from kube_rendezvous.membership.identity import Identity

_PLACES = {"StatefulSet": ("apps/v1", "statefulsets"), "Job": ("batch/v1", "jobs")}


class OwnerObject:
    """A StatefulSet or a Job.

    Args:
        connection: of somebody with every right.
        namespace, kind, name: of the object, which is made.
        run: the Rendezvous that the label of its pods names.
        spec: its spec, but for selector and template.
    """

    def __init__(self, connection: Connection, namespace: str, kind: str, name: str, run: str, **spec: Any) -> None:
        version, plural = _PLACES[kind]
        self._connection = connection
        self._path = f"/apis/{version}/namespaces/{namespace}/{plural}"
        self.kind, self.name = kind, name
        template = {
            "metadata": {"labels": {"rendezvous.dev/name": run, "app": name}},
            "spec": {
                "containers": [{"name": "trainer", "image": "registry.example/trainer:1"}],
                "restartPolicy": "Always",
            },
        }
        if kind == "Job":
            template["spec"]["restartPolicy"] = "Never"
            spec = {"completionMode": "Indexed", "template": template} | spec
        else:
            spec = {"serviceName": name, "selector": {"matchLabels": {"app": name}}, "template": template} | spec
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
        self.uid = str(connection.request("POST", self._path, body=body)["metadata"]["uid"])
        self._version = version

    def pod_meta(self, index: int) -> dict[str, Any]:
        """What it writes into the metadata of a pod of its own."""
        owner = {"apiVersion": self._version, "kind": self.kind, "name": self.name, "uid": self.uid, "controller": True}
        labels = {"apps.kubernetes.io/pod-index": str(index)}
        if self.kind == "Job":
            prefix = "batch.kubernetes.io"
            labels = {f"{prefix}/job-name": self.name, f"{prefix}/job-completion-index": str(index)}
        return {"ownerReferences": [owner], "labels": labels}

    def patch(self, **spec: Any) -> None:
        """Change its spec."""
        self._connection.request("PATCH", f"{self._path}/{self.name}", body={"spec": spec}, content_type=MERGE_PATCH)

    def delete(self) -> None:
        """Delete it."""
        self._connection.request("DELETE", f"{self._path}/{self.name}", body={"propagationPolicy": "Orphan"})


MakeOwner = Callable[..., OwnerObject]


def pod_of(
    owner: OwnerObject, index: int, pods: PodObjects, member: Callable[[Identity], PodMember], suffix: str = ""
) -> PodMember:
    """A member in the pod that the owner calls so; the slot is what the member guesses."""
    name = f"{owner.name}-{index}" + (suffix or "-x7k2p" if owner.kind == "Job" else "")
    identity = pods.run(name, "run", **owner.pod_meta(index))
    return member(identity.__class__(name, name, identity.pod_uid, identity.node_name, str(index), "127.0.0.1"))
