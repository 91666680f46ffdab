"""`spec.admission`: who may join, and which addresses are published."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class AdmittedPods(StrEnum):
    """Which pods may join.

    NOT_OTHERS: all but those that are labelled for another rendezvous. LABELLED: those only that are labelled for this.
    """

    NOT_OTHERS = "NotOthers"
    LABELLED = "Labelled"


class AdmittedAddresses(StrEnum):
    """Where the bootstrap store may be.

    POD: at an address of the pod or of its node, as the API server knows them, where the pod is known. ANY: wherever
    rank 0 says.
    """

    POD = "Pod"
    ANY = "Any"


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may join. ``service_accounts``: if there are any, only pods of these, which must be labelled to be known."""

    pods: AdmittedPods = AdmittedPods.NOT_OTHERS
    service_accounts: tuple[str, ...] = ()
    addresses: AdmittedAddresses = AdmittedAddresses.POD


def parse_admission(admission: Mapping[str, Any]) -> Admission:
    """Read ``spec.admission``, whose schema the API server has already enforced.

    Raises:
        ValueError, TypeError: it does not follow the CRD.
    """
    return Admission(
        pods=AdmittedPods(admission.get("pods", AdmittedPods.NOT_OTHERS)),
        service_accounts=tuple(admission.get("serviceAccounts") or ()),
        addresses=AdmittedAddresses(admission.get("addresses", AdmittedAddresses.POD)),
    )


def admission_to_json(admission: Admission) -> dict[str, Any]:
    """``spec.admission`` as a manifest has it; what is not set is left out."""
    out: dict[str, Any] = {}
    if admission.pods is not AdmittedPods.NOT_OTHERS:
        out["pods"] = str(admission.pods)
    if admission.service_accounts:
        out["serviceAccounts"] = list(admission.service_accounts)
    if admission.addresses is not AdmittedAddresses.POD:
        out["addresses"] = str(admission.addresses)
    return out
