"""An operator that is told to stop ends in time and gives its lease back, whatever it was doing."""

import time
from collections.abc import Callable
from pathlib import Path

from integration.handlers.eventually import eventually
from integration.replicas.replicas import LEASE_SECONDS, LIMIT, Replicas, leads, sample, until_leading
from kube_rendezvous.cluster import Connection
from rendezvous_local.control_plane import ControlPlane
from rendezvous_local.crds import CRDS, apply_crds
from rendezvous_local.operator_process import OperatorProcess

END_SECONDS = 10.0
"""Two seconds are promised; the rest is for a busy machine."""


def seconds_to_end(operator: OperatorProcess) -> float:
    """Tell it to stop, and wait for its end."""
    began = time.monotonic()
    operator.stop()
    return time.monotonic() - began


def test_a_leader_that_is_told_to_stop_gives_the_lease_back_and_the_other_takes_over_at_once(
    replicas: Replicas, record_property: Callable[[str, object], None]
) -> None:
    replicas.lease_seconds = 300
    leader, standby = replicas.pair()
    seconds = seconds_to_end(leader)
    record_property("seconds_to_end", round(seconds, 2))
    assert seconds < END_SECONDS
    assert leader.exit_code == 0
    eventually(lambda: leads(standby), "the other leads long before the lease would have ended", LIMIT)
    assert replicas.lease["leaseTransitions"] == 1
    assert seconds_to_end(standby) < END_SECONDS
    assert replicas.lease["holderIdentity"] == ""


def test_a_standby_that_is_told_to_stop_ends_and_leaves_the_lease_alone(replicas: Replicas) -> None:
    leader, standby = replicas.pair()
    holder = replicas.lease["holderIdentity"]
    assert seconds_to_end(standby) < END_SECONDS
    assert standby.exit_code == 0
    assert replicas.lease["holderIdentity"] == holder
    until_leading(leader)


def test_leader_and_standby_end_in_time_while_the_api_server_is_away(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with ControlPlane() as plane:
        apply_crds(plane.kubeconfig, CRDS)
        connection = Connection.open(str(plane.kubeconfig))
        replicas = Replicas(plane.kubeconfig, connection, "default", tmp_path, 15)
        try:
            leader, standby = replicas.pair()
            plane.pause_api_server()
            for who, one in (("leader", leader), ("standby", standby)):
                seconds = seconds_to_end(one)
                record_property(f"{who}_seconds_to_end", round(seconds, 2))
                assert seconds < END_SECONDS
                assert one.exit_code == 0
        finally:
            plane.resume_api_server()
            replicas.stop_all()
            connection.close()


def test_an_outage_of_the_api_server_costs_no_leader_its_place_while_nobody_could_take_it(tmp_path: Path) -> None:
    with ControlPlane() as plane:
        apply_crds(plane.kubeconfig, CRDS)
        connection = Connection.open(str(plane.kubeconfig))
        replicas = Replicas(plane.kubeconfig, connection, "default", tmp_path, LEASE_SECONDS)
        try:
            alone = replicas.start()
            until_leading(alone)
            plane.stop_api_server()
            eventually(
                lambda: sample(alone, "kube_rendezvous_leader") == 0, "it does not trust its lease any more", LIMIT
            )
            assert alone.page("/livez") == "alive\n"
            plane.start_api_server()
            until_leading(alone)
            assert alone.exit_codes == []
            assert replicas.lease["leaseTransitions"] == 0
        finally:
            replicas.stop_all()
            connection.close()
