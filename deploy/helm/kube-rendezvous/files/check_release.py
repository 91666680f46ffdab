"""Run by `helm test` in the operator's image: a new Rendezvous is seen and answered by the operator."""

import os
import sys
import time
import urllib.request

from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import API_VERSION

SECONDS = 60.0


def main() -> int:
    """Make a Rendezvous, wait until its status is written, remove it; return the exit status."""
    # The Service is in the cluster, whatever proxy leads out of it.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(os.environ["READY_URL"], timeout=10) as answer:
        sys.stdout.write(f"The operator says: {answer.read().decode().strip()}\n")
    connection = Connection.open()
    name, namespace = os.environ["TEST_NAME"], os.environ["TEST_NAMESPACE"]
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/rendezvous"
    body = {"apiVersion": API_VERSION, "kind": "Rendezvous", "metadata": {"name": name}, "spec": {"minNodes": 1}}
    connection.request("POST", path, body=body)
    try:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            status = connection.request("GET", f"{path}/{name}").get("status") or {}
            if status.get("observedGeneration"):
                sys.stdout.write(f"It answered Rendezvous {namespace}/{name}: {status.get('state')}\n")
                return 0
            time.sleep(0.2)
        sys.stderr.write(f"Rendezvous {namespace}/{name} was not answered within {SECONDS:.0f} s: read its log\n")
        return 1
    finally:
        connection.request("DELETE", f"{path}/{name}")


if __name__ == "__main__":
    sys.exit(main())
