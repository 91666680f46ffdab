"""What keeps a pod from running until somebody does something about it.

Such a pod comes when somebody frees a node or quota, mends an image or a Secret, or lifts a gate: in a minute, tomorrow
or never. Where enough others are here, neither a first round nor a growth nor the survivors of a loss wait for that;
the pod joins by growth when it comes. It still counts among those that could ever take part.
"""

from enum import StrEnum


class Hindrance(StrEnum):
    """What keeps a pod from running now."""

    GATED = "SchedulingGated"
    UNSCHEDULABLE = "Unschedulable"
    IMAGE = "ImageNotPulled"
    CRASHING = "CrashLoopBackOff"
    MISCONFIGURED = "ContainerNotCreated"
    ENDED = "ContainerEnded"


_IMAGE_REASONS = ("ImagePull", "ErrImage", "InvalidImage", "ImageInspect", "RegistryUnavailable", "SignatureValidation")


def hindrance_of_waiting(reason: str) -> Hindrance | None:
    """What a container that waits for this reason is hindered by; None: it will start without anybody's help."""
    if reason.startswith(_IMAGE_REASONS):
        return Hindrance.IMAGE
    if reason == "CrashLoopBackOff":
        return Hindrance.CRASHING
    if reason.endswith("Error"):  # CreateContainerConfigError, RunContainerError, …
        return Hindrance.MISCONFIGURED
    return None
