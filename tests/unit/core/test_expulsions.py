"""What must still be true of a Member when its object is deleted."""

import pytest

from kube_rendezvous_core.liveness.expulsions import RENDEZVOUS_GONE, TOO_MANY, preconditions
from kube_rendezvous_core.liveness.liveness import LEFT, NAME_TAKEN, OTHER_RENDEZVOUS, SILENT, SUPERSEDED
from kube_rendezvous_core.observed.observation import Expulsion
from unit.core.builders import seen

MEMBER = seen("a").member


@pytest.mark.parametrize("reason", [LEFT, OTHER_RENDEZVOUS, NAME_TAKEN, RENDEZVOUS_GONE, TOO_MANY])
def test_what_no_word_takes_back_holds_for_every_version_of_the_same_object(reason: str) -> None:
    assert preconditions(Expulsion(MEMBER, reason, doubtful=False)) == {"uid": MEMBER.uid}


@pytest.mark.parametrize("reason", [SILENT, SUPERSEDED, "NotArrived"])
def test_anybody_else_may_have_moved_since(reason: str) -> None:
    version = MEMBER.resource_version
    assert preconditions(Expulsion(MEMBER, reason, doubtful=True)) == {"uid": MEMBER.uid, "resourceVersion": version}
