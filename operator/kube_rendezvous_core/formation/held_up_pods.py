"""The condition that names labelled pods which cannot run now (`hindrance`), while a round stands as well."""

from collections.abc import Sequence

from kube_rendezvous_core.conditions import Notice
from kube_rendezvous_core.observed.surroundings import ObservedPod

PODS_HELD_UP = "PodsHeldUp"
_NAMED = 5
_SHOWN = 150  # characters of what holds one pod: the scheduler's answer names every kind of node


def held_up_pods(pods: Sequence[ObservedPod]) -> Notice:
    """The condition that names the pods that cannot come now.

    Args:
        pods: those of them that have not joined, by name.
    """
    kinds = sorted({str(pod.hindrance) for pod in pods})
    return Notice(
        PODS_HELD_UP,
        holds=bool(pods),
        reason=kinds[0] if len(kinds) == 1 else "SeveralReasons",
        message=_sentence(pods),
        over_reason="NobodyHeldUp",
        over_message="No labelled pod is kept from running.",
    )


def _sentence(pods: Sequence[ObservedPod]) -> str:
    named = "; ".join(f"{pod.name} ({pod.holdup[:_SHOWN]})" for pod in pods[:_NAMED])
    more = f"; and {len(pods) - _NAMED} more" if len(pods) > _NAMED else ""
    count = "1 labelled pod cannot run now" if len(pods) == 1 else f"{len(pods)} labelled pods cannot run now"
    return f"{count}; no round waits for them, and each joins when it can: {named}{more}."
