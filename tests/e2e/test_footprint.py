"""What the operator costs: memory, writes, images."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from e2e.api_writes import writes
from e2e.container_processes import resident_megabytes
from e2e.eventually import eventually
from e2e.examples import Examples
from e2e.figures import Figures
from e2e.job_run import NODES, JobRun
from e2e.kubectl import Kubectl
from e2e.release import Release
from e2e.site import Site
from kube_rendezvous.cluster import Connection
from kube_rendezvous.resources import API_VERSION, MEMBER_PLURAL, RENDEZVOUS_PLURAL
from kube_rendezvous.resources.names import collection_path
from kube_rendezvous.resources.timestamps import format_time

IDLE_SECONDS = 60.0
EARLIEST = 0.8  # of an interval: members are spread by beating a little early
RUNS, MEMBERS = 100, 8
IDLE_MEGABYTES, BUSY_MEGABYTES = 120.0, 150.0
LIMIT = 120.0


def test_sizes_of_the_images(site: Site, figures: Figures) -> None:
    if not site.image_megabytes:
        pytest.skip("the images were built elsewhere")
    for name, megabytes in site.image_megabytes.items():
        figures.add(f"image {name}", megabytes, "MB")


def no_namespace_is_ending(kubectl: Kubectl) -> bool:
    """Kubernetes deletes what is in one that is."""
    return "Terminating" not in kubectl("get", "namespaces", "-o", "jsonpath={.items[*].status.phase}")


def test_nothing_but_leases_and_due_heartbeats_is_written_in_an_idle_minute(
    job_run: JobRun, release: Release, figures: Figures
) -> None:
    job_run.stands()
    eventually(lambda: no_namespace_is_ending(release.kubectl), "the end of what earlier tests have left", LIMIT)
    before, began = writes(release.kubectl), time.monotonic()
    time.sleep(IDLE_SECONDS)  # what is not written in this time is tested
    after, seconds = writes(release.kubectl), time.monotonic() - began
    written = {key: count for key, count in (after - before).items() if key[0] == "rendezvous.dev"}
    heartbeats = written.pop(("rendezvous.dev", "rendezvousmembers", "", "PATCH"), 0)
    interval = job_run.run.rendezvous.status.heartbeat_seconds
    due = NODES * (seconds / (interval * EARLIEST) + 1)
    assert written == {}
    figures.hold(f"heartbeats of {NODES} members in an idle minute", heartbeats, "writes", limit=due)


def test_memory_of_an_idle_operator(release: Release, site: Site, figures: Figures) -> None:
    site.needs_this_machine()
    for name, pod in release.operator_pods().items():
        role = "leading" if name == release.leader_pod().name else "standing by"
        figures.hold(f"operator memory, idle, {role}", resident_megabytes(pod.container_id), "MB", IDLE_MEGABYTES)


@pytest.fixture
def crowd(examples: Examples, connection: Connection) -> Iterator[str]:
    """A namespace with 100 Rendezvous of 8 members each, whose heartbeats are due in five minutes."""
    namespace = examples.namespaces.make("crowd")
    runs = [f"run-{number:03}" for number in range(RUNS)]
    with ThreadPoolExecutor(8) as beside:
        list(beside.map(lambda run: _create(connection, namespace, run), runs))
    yield namespace
    examples.namespaces.delete(namespace)


def _create(connection: Connection, namespace: str, run: str) -> None:
    body = {"apiVersion": API_VERSION, "kind": "Rendezvous", "metadata": {"name": run}}
    spec = {"minNodes": MEMBERS, "heartbeatSeconds": 300}
    made = connection.request("POST", collection_path(RENDEZVOUS_PLURAL, namespace), body=body | {"spec": spec})
    for number in range(MEMBERS):
        member = {
            "apiVersion": API_VERSION,
            "kind": "RendezvousMember",
            "metadata": {"generateName": f"{run}-{number}-"},
            "spec": {
                "rendezvous": run,
                "rendezvousUID": made["metadata"]["uid"],
                "slot": str(number),
                "address": "192.0.2.1",
                "port": 29500,
                "afterRound": 0,
                "renewTime": format_time(datetime.now(UTC)),
            },
        }
        connection.request("POST", collection_path(MEMBER_PLURAL, namespace), body=member)


def test_memory_with_a_hundred_rendezvous(
    crowd: str, connection: Connection, release: Release, site: Site, figures: Figures
) -> None:
    site.needs_this_machine()
    deadline = time.monotonic() + LIMIT
    formed = 0
    while formed < RUNS and time.monotonic() < deadline:
        items = connection.request("GET", collection_path(RENDEZVOUS_PLURAL, crowd))["items"]
        formed = sum((item.get("status") or {}).get("round", 0) == 1 for item in items)
        time.sleep(0.5)
    assert formed == RUNS
    what = f"operator memory, {RUNS} rendezvous of {MEMBERS} members"
    figures.hold(what, resident_megabytes(release.leader_pod().container_id), "MB", BUSY_MEGABYTES)
