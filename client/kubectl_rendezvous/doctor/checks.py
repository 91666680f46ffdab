"""All checks, in the order in which a reader should hear of them: what makes the others moot comes first."""

from collections.abc import Callable, Iterable

from kubectl_rendezvous.doctor.clocks import check_clocks
from kubectl_rendezvous.doctor.definitions import check_definitions, check_kubernetes
from kubectl_rendezvous.doctor.finding import Finding
from kubectl_rendezvous.doctor.guard import check_guard
from kubectl_rendezvous.doctor.operator_presence import check_operator
from kubectl_rendezvous.doctor.rights import check_operators_rights, check_trainer
from kubectl_rendezvous.doctor.surroundings import Surroundings
from kubectl_rendezvous.doctor.training_image import check_cluster_from_pods, check_image, check_network

Check = Callable[[Surroundings], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    check_kubernetes,
    check_definitions,
    check_operator,
    check_operators_rights,
    check_trainer,
    check_guard,
    check_clocks,
    check_image,
    check_network,
    check_cluster_from_pods,
)


def examine(seen: Surroundings) -> tuple[Finding, ...]:
    """What is well and what is not."""
    return tuple(finding for check in CHECKS for finding in check(seen))
