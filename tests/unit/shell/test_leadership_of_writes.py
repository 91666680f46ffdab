"""Nothing is written without a permit, which is asked for at each write and not before."""

import pytest

from kube_rendezvous_operator.shell.leading.leader_election import NotLeadingError
from unit.shell.objects import KEY, raw_member, raw_rendezvous
from unit.shell.scripted_shell import Shell


class Permits:
    """Given out until they are used up."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self) -> None:
        if self.left == 0:
            raise NotLeadingError
        self.left -= 1


def test_without_a_permit_no_round_is_published(shell: Shell) -> None:
    shell.permit = Permits(0)
    shell.know(raw_rendezvous(10), raw_member("a", 1), raw_member("b", 2))
    with pytest.raises(NotLeadingError):
        shell.run()
    assert shell.asked == []
    assert shell.announced == []


def test_without_a_permit_no_member_is_deleted(standing: Shell) -> None:
    standing.permit = Permits(0)
    standing.members.changed(raw_member("b", 5, leaving=True))
    with pytest.raises(NotLeadingError):
        standing.run()
    assert standing.asked == []


def test_who_loses_the_lease_between_two_writes_makes_only_the_first(standing: Shell) -> None:
    standing.permit = Permits(1)
    standing.members.changed(raw_member("b", 5, leaving=True))
    with pytest.raises(NotLeadingError):
        standing.run()
    assert standing.asked == ["PUT status"]
    standing.permit = Permits(1)
    standing.run()
    assert standing.asked[-1] == "DELETE b", "the next one, or this one when it leads again, does the rest"


def test_members_of_a_rendezvous_that_is_gone_are_not_deleted_without_a_permit(shell: Shell) -> None:
    shell.permit = Permits(0)
    shell.know(None, raw_member("a", 1))
    with pytest.raises(NotLeadingError):
        shell.run()
    assert "DELETE" not in shell.connection.methods
    assert shell.rendezvous.get(KEY) is None
