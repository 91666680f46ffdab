"""The pure core: every decision the operator makes, without clock, I/O, kopf or randomness.

`decide` turns what was observed of one Rendezvous into what shall be written. One policy a file, in rooms that rest on
each other in this order: `observed` (what is known), `liveness` (who is a member, and who is lost), `ranking` (who gets
which rank), `policy` (failures and closings), `formation` (when is a round complete and who is in it), and `decision`
over all. The operator writes what it says; `kubectl rendezvous plan` and `explain` ask it the same.
"""

from kube_rendezvous_core.decision import decide
from kube_rendezvous_core.names_read import forget_names
from kube_rendezvous_core.observed.observation import (
    Announcement,
    Decision,
    EvictionAnswer,
    Expulsion,
    ObservedMember,
    Severity,
)
from kube_rendezvous_core.observed.surroundings import (
    NOTHING_KNOWN,
    ObservedContainer,
    ObservedEviction,
    ObservedNode,
    ObservedOwner,
    ObservedPod,
    ObservedPodGroup,
    OwnerRef,
    Surroundings,
)
from kube_rendezvous_core.policy.progress import only_progress, progress_every

__all__ = [
    "NOTHING_KNOWN",
    "Announcement",
    "Decision",
    "EvictionAnswer",
    "Expulsion",
    "ObservedContainer",
    "ObservedEviction",
    "ObservedMember",
    "ObservedNode",
    "ObservedOwner",
    "ObservedPod",
    "ObservedPodGroup",
    "OwnerRef",
    "Severity",
    "Surroundings",
    "decide",
    "forget_names",
    "only_progress",
    "progress_every",
]
