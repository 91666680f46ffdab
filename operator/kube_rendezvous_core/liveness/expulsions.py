"""What a Member is deleted for, and what must still be true of it then."""

from collections.abc import Mapping, Sequence

from kube_rendezvous_core.liveness.admission import NOT_ADMITTED
from kube_rendezvous_core.liveness.liveness import LEFT, NAME_TAKEN, OTHER_RENDEZVOUS
from kube_rendezvous_core.liveness.undecided import UNDECIDED_SECONDS, may_yet_belong, went_undecided
from kube_rendezvous_core.observed.observation import Expulsion, ObservedMember

RENDEZVOUS_GONE = "RendezvousGone"
TOO_MANY = "TooManyMembers"

_FOR_EVER = frozenset({LEFT, OTHER_RENDEZVOUS, NAME_TAKEN, NOT_ADMITTED, RENDEZVOUS_GONE, TOO_MANY})
"""What no later word of the Member takes back. Anybody else may have moved since, and is looked at again."""

_OF_ANOTHER = frozenset({OTHER_RENDEZVOUS, RENDEZVOUS_GONE})
"""Unless it has not said where it belongs: then it may do so this moment."""


def preconditions(expulsion: Expulsion) -> Mapping[str, str]:
    """Of the deletion: it is this Member, and, unless that cannot matter, the version that was judged."""
    member = expulsion.member
    undecided = not member.rendezvous_uid and expulsion.reason in _OF_ANOTHER
    if expulsion.reason in _FOR_EVER and not undecided:
        return {"uid": member.uid}
    return {"uid": member.uid, "resourceVersion": member.resource_version}


def without_rendezvous(observed: Sequence[ObservedMember]) -> tuple[list[Expulsion], float | None]:
    """What becomes of members whose Rendezvous is not there: they belong to nobody, but those that come before it may.

    Args:
        observed: none of them deleted.

    Returns:
        Who goes, and the seconds after which to look again; None: nobody is left.
    """
    left = [
        Expulsion(seen.member, LEFT if went_undecided(seen.member) else RENDEZVOUS_GONE, doubtful=False)
        for seen in observed
        if not may_yet_belong(seen)
    ]
    return left, min((UNDECIDED_SECONDS - seen.known_for for seen in observed if may_yet_belong(seen)), default=None)
