"""A slot whose members die again and again is left out, until somebody trusts it again."""

import shlex
import subprocess
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from integration.handlers.eventually import eventually
from integration.handlers.nodes import Node, await_round, meet
from integration.handlers.runs import Run
from kube_rendezvous.api import RendezvousInfo, RendezvousTimeoutError
from kube_rendezvous.resources import Condition

pytestmark = pytest.mark.usefixtures("operator")

MakeNode = Callable[..., Node]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]

TWICE = {"quarantine": {"losses": 2, "windowSeconds": 600}}


def quarantined(run: Run) -> Condition | None:
    return next((condition for condition in run.status.conditions if condition.type == "Quarantined"), None)


def lose_slot_1_twice(run: Run, node: MakeNode) -> tuple[Node, "Future[RendezvousInfo]"]:
    """Two nodes meet, and the one in slot 1 dies, and so does its replacement.

    Returns:
        The one in slot 0, which has been told and joins again.
    """
    run.create(minNodes=2, heartbeatSeconds=1, failurePolicy=TWICE)
    survivor, victim = node(slot="0"), node(slot="1")
    meet(survivor, victim)
    victim.fall_silent()
    eventually(lambda: survivor.told, "the survivor is told")
    victim = node(slot="1")
    meet(survivor, victim)
    assert run.status.quarantined == (), "one loss is none too many"
    victim.fall_silent()
    eventually(lambda: survivor.told, "the survivor is told again")
    return survivor, survivor.join()


def test_a_slot_that_lost_too_many_is_left_out_and_comes_back_when_it_is_trusted(
    run: Run, node: MakeNode, kubectl: Kubectl
) -> None:
    survivor, waiting = lose_slot_1_twice(run, node)
    again = node(slot="1")
    in_vain = again.join()
    run.until_members(2)
    message = run.status.quarantined[0].message
    assert [place.place for place in run.status.quarantined] == ["slot/1"]
    assert run.status.round == 2
    elsewhere = node(slot="2")
    await_round([survivor, elsewhere], [waiting, elsewhere.join()])
    assert not in_vain.done()
    assert run.status.standby == 0, "it is no spare"

    said = quarantined(run)
    assert said is not None
    assert (said.status, said.reason, said.message) == ("True", "PlacesLeftOut", message)
    assert eventually(lambda: run.events("Quarantined"), "an Event says so") == [message]

    program, *arguments = shlex.split(message.partition("when it is mended: ")[2])
    assert program == "kubectl"
    lifted = kubectl(*arguments)
    assert lifted.returncode == 0, lifted.stderr
    run.until(lambda status: status.quarantined == () and status.standby == 1, "it stands by")
    said = quarantined(run)
    assert said is not None
    assert (said.status, said.reason) == ("False", "NobodyLeftOut")
    elsewhere.fall_silent()
    eventually(lambda: survivor.told, "the survivor is told")
    await_round([survivor, again], [survivor.join(), in_vain])


def test_a_node_at_a_quarantined_slot_says_why_it_waits(run: Run, node: MakeNode) -> None:
    _, waiting = lose_slot_1_twice(run, node)
    with pytest.raises(RendezvousTimeoutError) as ended:
        node(slot="1", join_timeout=3).join().result(60)
    assert "no round takes us: slot/1 lost 2 members within 600 s and is left out" in str(ended.value)
    assert not waiting.done()
