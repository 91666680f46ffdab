"""What makes pods is read once until a pod changes; what may not be read is said once, and asked for no more."""

import logging

import pytest

from kube_rendezvous.cluster import ApiFailureError, ApiRefusedError, ApiUnavailableError
from kube_rendezvous_core import ObservedOwner, ObservedPodGroup, OwnerRef
from kube_rendezvous_operator.shell.watching.object_reader import AGAIN_SECONDS, FRESH_SECONDS, REFUSED_SECONDS
from kube_rendezvous_operator.shell.watching.owner_reader import OwnerReader
from kube_rendezvous_operator.shell.watching.pod_group_reader import PodGroupReader
from unit.scripted_connection import ScriptedConnection
from unit.shell.fake_clock import Clock

KEY = ("ns", "run")
SET, JOB_SET = OwnerRef("StatefulSet", "trainer"), OwnerRef("JobSet", "js")
PATH = "/apis/apps/v1/namespaces/ns/statefulsets/trainer"
FOUR = {"metadata": {"name": "trainer"}, "spec": {"replicas": 4, "podManagementPolicy": "Parallel"}}


@pytest.fixture
def connection() -> ScriptedConnection:
    return ScriptedConnection({("GET", PATH): [FOUR]})


@pytest.fixture
def reader(connection: ScriptedConnection, clock: Clock) -> OwnerReader:
    return OwnerReader(connection)  # type: ignore[arg-type]


def test_what_was_read_is_known_until_a_pod_changes_or_it_is_old(
    reader: OwnerReader, connection: ScriptedConnection, clock: Clock
) -> None:
    assert reader.known(KEY, 1) == {}
    reader.read(KEY, 1, [SET])
    assert reader.known(KEY, 1) == {SET: ObservedOwner(SET, 4, 4, "replicas 4")}
    assert (reader.known(KEY, 2), reader.known(("ns", "other"), 1)) == ({}, {})
    clock.now += FRESH_SECONDS
    assert reader.known(KEY, 1) == {}
    assert [asked.path for asked in connection.asked] == [PATH]


def test_one_that_is_gone_makes_nothing(reader: OwnerReader, connection: ScriptedConnection) -> None:
    connection.answers["GET", PATH] = [ApiRefusedError("GET", 404, "NotFound", 'statefulsets "trainer" not found')]
    reader.read(KEY, 1, [SET])
    known = reader.known(KEY, 1)[SET]
    assert known is not None
    assert known.wanted == 0


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(ApiRefusedError("GET", 403, "Forbidden", "may not"), id="no right"),
        pytest.param(ApiRefusedError("GET", 404, "", "404 page not found"), id="no such API"),
        pytest.param(
            ApiRefusedError("GET", 404, "NotFound", "the server could not find the requested resource"),
            id="the API group, without this version or kind",
        ),
    ],
)
def test_a_kind_that_cannot_be_read_costs_one_request_and_one_line(
    refusal: ApiFailureError,
    reader: OwnerReader,
    connection: ScriptedConnection,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection.answers["GET", "/jobsets/"] = [refusal]
    with caplog.at_level(logging.WARNING):
        for version in range(5):
            reader.read(KEY, version, [JOB_SET])
            assert reader.known(KEY, version) == {JOB_SET: None}
        clock.now += REFUSED_SECONDS
        reader.read(KEY, 9, [JOB_SET])
    assert len(connection.asked) == 2, "once, and once more after ten minutes"
    assert len(caplog.records) == 1


def test_a_read_that_fails_is_tried_again_the_next_time(reader: OwnerReader, connection: ScriptedConnection) -> None:
    connection.answers["GET", PATH] = [ApiUnavailableError("GET", 503, "", "not ready"), FOUR]
    reader.read(KEY, 1, [SET])
    assert reader.known(KEY, 1) == {SET: None}
    reader.read(KEY, 2, [SET])
    assert reader.known(KEY, 2)[SET] is not None


def test_one_that_makes_no_sense_is_unknown(reader: OwnerReader, connection: ScriptedConnection) -> None:
    connection.answers["GET", PATH] = [{"metadata": {}, "spec": {"replicas": "many"}}]
    reader.read(KEY, 1, [SET])
    assert reader.known(KEY, 1) == {SET: None}


def test_what_could_not_be_read_just_now_is_asked_for_again_soon_and_not_only_when_a_pod_changes(
    reader: OwnerReader, connection: ScriptedConnection, clock: Clock
) -> None:
    connection.answers["GET", PATH] = [ApiUnavailableError("GET", 0, "", "no answer within 2 s")]
    reader.read(KEY, 1, [SET])
    assert reader.known(KEY, 1) == {SET: None}
    clock.now += AGAIN_SECONDS
    assert reader.known(KEY, 1) == {}, "unknown, and to be read"


# PodGroups --------------------------------------------------------------------------------------------------------

GROUP = OwnerRef("PodGroup", "gang")
GROUP_PATH = "/apis/scheduling.k8s.io/v1beta1/namespaces/ns/podgroups/gang"


@pytest.fixture
def groups(connection: ScriptedConnection, clock: Clock) -> PodGroupReader:
    return PodGroupReader(connection)  # type: ignore[arg-type]


def test_a_pod_group_is_read_and_one_that_is_not_there_asks_for_nothing(
    groups: PodGroupReader, connection: ScriptedConnection
) -> None:
    missing = ApiRefusedError("GET", 404, "NotFound", 'podgroups "gang" not found')
    connection.answers["GET", GROUP_PATH] = [missing, {"spec": {"schedulingPolicy": {"gang": {"minCount": 4}}}}]
    groups.read(KEY, 1, [GROUP])
    assert groups.known(KEY, 1) == {GROUP: ObservedPodGroup(GROUP)}
    groups.read(KEY, 2, [GROUP])
    assert groups.known(KEY, 2) == {GROUP: ObservedPodGroup(GROUP, 4)}


def test_an_api_server_without_pod_groups_costs_one_line(
    groups: PodGroupReader, connection: ScriptedConnection, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    connection.answers["GET", GROUP_PATH] = [ApiRefusedError("GET", 404, "", "404 page not found")]
    with caplog.at_level(logging.WARNING):
        for version in range(5):
            groups.read(KEY, version, [GROUP])
            assert groups.known(KEY, version) == {GROUP: None}
    assert (len(connection.asked), len(caplog.records)) == (1, 1)
    assert "ranks do not follow its topology" in caplog.records[0].getMessage()
