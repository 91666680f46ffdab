"""Reads which devices of a pod its node has reported as unhealthy (KEP-4680: `allocatedResourcesStatus`).

Kubernetes calls it temporary whenever a device is `Unhealthy`: it may recover. `Unknown` is no verdict.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from kube_rendezvous.printable_text import one_line

_UNHEALTHY = "Unhealthy"
_NAMED = 3
_LONGEST_TEXT = 512


def unhealthy_devices(status: Mapping[str, Any]) -> str:
    """The unhealthy devices of all containers of a pod, with what their driver says; "" if there is none.

    Args:
        status: of the Pod.
    """
    devices = list(dict.fromkeys(_unhealthy(status)))
    more = f" and {len(devices) - _NAMED} more" if len(devices) > _NAMED else ""
    return one_line(", ".join(devices[:_NAMED]) + more)[:_LONGEST_TEXT]


def _unhealthy(status: Mapping[str, Any]) -> Iterable[str]:
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        for resource in container.get("allocatedResourcesStatus") or ():
            for device in resource.get("resources") or ():
                if device.get("health") == _UNHEALTHY:
                    name = f"{resource.get('name', '')} {device.get('resourceID', '')}"
                    yield f"{name}: {device['message']}" if device.get("message") else name
