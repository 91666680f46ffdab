"""Why a rendezvous waits, restarts or leaves somebody out. One function a cause, from an `Observation` to `Finding`s.

The list is in the order in which a reader should hear of them: a cause that makes the others moot comes first. A new
cause is a new function, added here.
"""

from collections.abc import Callable, Iterable

from kubectl_rendezvous.causes.closing import closed_by_member, closed_by_person, leftover_of_another
from kubectl_rendezvous.causes.finding import Finding
from kubectl_rendezvous.causes.going import draining_nodes, nodes_to_be_maintained, pods_that_have_to_go
from kubectl_rendezvous.causes.membership import (
    not_joined_again,
    refused_members,
    silent_members,
    surplus_members,
    too_few_nodes,
    unreadable_members,
)
from kubectl_rendezvous.causes.mistyped import joined_elsewhere, mistyped_labels, mistyped_run_ids
from kubectl_rendezvous.causes.operator_absence import operator_does_not_react, operator_has_not_looked
from kubectl_rendezvous.causes.operator_conditions import mistakes_named_by_the_operator
from kubectl_rendezvous.causes.pods_on_their_way import (
    crashing_pods,
    gated_pods,
    misconfigured_pods,
    pods_without_image,
    pods_without_process,
    running_but_not_joined,
    starting_pods,
    unscheduled_pods,
)
from kubectl_rendezvous.causes.quarantine import closed_by_failure_policy, quarantined_places
from kubectl_rendezvous.observation import Observation

Cause = Callable[[Observation], Iterable[Finding]]

CAUSES: tuple[Cause, ...] = (
    leftover_of_another,
    operator_has_not_looked,
    operator_does_not_react,
    closed_by_person,
    closed_by_member,
    closed_by_failure_policy,
    quarantined_places,
    mistakes_named_by_the_operator,
    gated_pods,
    unscheduled_pods,
    pods_without_image,
    crashing_pods,
    misconfigured_pods,
    pods_without_process,
    joined_elsewhere,
    mistyped_labels,
    mistyped_run_ids,
    draining_nodes,
    pods_that_have_to_go,
    silent_members,
    not_joined_again,
    unreadable_members,
    refused_members,
    running_but_not_joined,
    too_few_nodes,
    starting_pods,
    surplus_members,
    nodes_to_be_maintained,
)


def find_causes(observation: Observation) -> tuple[Finding, ...]:
    """Everything that the reader should know, the most important first."""
    return tuple(finding for cause in CAUSES for finding in cause(observation))


__all__ = ["CAUSES", "Cause", "Finding", "find_causes"]
