"""The pure core: every decision the operator makes, without clock, I/O, kopf or randomness.

`decide` turns what was observed of one Rendezvous into what shall be written. One policy a file: `liveness` (who
is lost), `closing` (may rounds be formed), `formation` (when is a round complete and who is in it), `ranking`
(who gets which rank), `standby` (who is one too many), `failure_policy` (what fails again and again), `impossible`,
`heartbeat`, `history`, `conditions`.
"""

from kube_rendezvous_operator.core.decision import decide
from kube_rendezvous_operator.core.observation import (
    Announcement,
    Decision,
    Expulsion,
    ObservedMember,
    Severity,
)
from kube_rendezvous_operator.core.progress import only_progress
from kube_rendezvous_operator.core.surroundings import (
    NOTHING_KNOWN,
    ObservedContainer,
    ObservedNode,
    ObservedOwner,
    ObservedPod,
    OwnerRef,
    Surroundings,
)

__all__ = [
    "NOTHING_KNOWN",
    "Announcement",
    "Decision",
    "Expulsion",
    "ObservedContainer",
    "ObservedMember",
    "ObservedNode",
    "ObservedOwner",
    "ObservedPod",
    "OwnerRef",
    "Severity",
    "Surroundings",
    "decide",
    "only_progress",
]
