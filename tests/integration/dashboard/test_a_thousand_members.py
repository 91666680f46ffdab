"""A rendezvous of 1,000 members stays readable, and its pictures are those of the documentation."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from integration.dashboard.browser import Browser
from integration.dashboard.conftest import Dashboard
from integration.kubectl.scene import Scene, wait_for
from integration.pods.pod_objects import NodeObjects
from kube_rendezvous.cluster import Connection
from kube_rendezvous.cluster.connection import MERGE_PATCH

MEMBERS = 1000
NODE_HOLDS = 8
ZONES = 4
RACKS_OF_A_ZONE = 4
LEAST_CELL_PIXELS = 20
SECONDS = 240.0

pytestmark = [pytest.mark.usefixtures("operator"), pytest.mark.timeout(600)]


@pytest.fixture
def nodes(anybody: Connection) -> Iterator[list[str]]:
    """Nodes with zones and racks, each for eight members."""
    made = NodeObjects(anybody)
    names = [made.create(f"gpu-{number}") for number in range(MEMBERS // NODE_HOLDS)]
    racks = ZONES * RACKS_OF_A_ZONE
    for number, name in enumerate(names):
        rack = number * racks // len(names)
        labels = {"example.com/zone": f"zone-{'abcd'[rack // RACKS_OF_A_ZONE]}", "example.com/rack": f"r{rack}"}
        anybody.request(
            "PATCH", f"/api/v1/nodes/{name}", body={"metadata": {"labels": labels}}, content_type=MERGE_PATCH
        )
    yield names
    made.delete_all()


def test_1000_members_by_zone_and_rack_stay_readable(
    browser: Browser, dashboard: Dashboard, scene: Scene, nodes: list[str], tmp_path: Path
) -> None:
    keys = ["example.com/zone", "example.com/rack"]
    run = scene.rendezvous(
        "pretraining", minNodes=MEMBERS - 8, maxNodes=MEMBERS, lastCallSeconds=600, ranking={"topologyKeys": keys}
    )
    others = scene.rendezvous("finetuning")
    scene.member("finetuning-0-q7d2x", others, pod_name="finetuning-0")
    browser.open(dashboard.of(scene.namespace, "pretraining"))
    browser.until_it_says("0 with a rank")

    def join(number: int) -> None:
        pod = f"pretraining-{number}"
        scene.member(f"{pod}-x7k2p", run, pod_name=pod, node_name=nodes[number // NODE_HOLDS], slot=str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(join, range(MEMBERS)))
    stands = f"Round {{}} stands with {MEMBERS} nodes"
    wait_for(lambda: scene.get("pretraining").status.world_size == MEMBERS or None, SECONDS)
    number = scene.get("pretraining").status.round
    browser.until_it_says(stands.format(number), f"{MEMBERS} members: {MEMBERS} with a rank")

    boxes = browser.run(
        "return [...document.querySelectorAll('#map button')].map(cell => {"
        " const box = cell.getBoundingClientRect();"
        " return [cell.innerText, box.width, box.height, cell.scrollWidth > cell.clientWidth + 1]; })"
    )
    assert sorted(int(text) for text, *_ in boxes) == list(range(MEMBERS))
    assert all(width >= LEAST_CELL_PIXELS and height >= LEAST_CELL_PIXELS for _, width, height, _ in boxes)
    assert not any(cut for *_, cut in boxes)
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")
    assert browser.run("return document.querySelectorAll('.domains[data-level=\"1\"] .domain').length") == 16
    _picture(browser, tmp_path, "dashboard-1000-members", whole=True)

    browser.run(
        "const filter = document.getElementById('filter'); filter.value = 'gpu-17';"
        " filter.dispatchEvent(new Event('input'));"
    )
    assert len(browser.cells()) == NODE_HOLDS
    browser.run(
        "const filter = document.getElementById('filter'); filter.value = ''; filter.dispatchEvent(new Event('input'));"
    )

    for lost in ("pretraining-140-x7k2p", "pretraining-141-x7k2p"):
        scene.remove_member(lost)
    browser.until_it_says(f"Round {number + 1} is being formed (MemberDeleted")
    browser.click("#map button[data-member='pretraining-140-x7k2p']")
    browser.until_it_says("its RendezvousMember is gone")
    _picture(browser, tmp_path, "dashboard-loss", whole=False)
    browser.open(dashboard.address)
    browser.until_it_says("2 rendezvous in namespace", "finetuning")
    _picture(browser, tmp_path, "dashboard-list", whole=False)


def _picture(browser: Browser, tmp_path: Path, name: str, *, whole: bool) -> None:
    """What is seen now. `make screenshots` names the documentation's folder."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    width, height = 1600, 1000
    if whole:
        height = int(browser.run("return document.documentElement.scrollHeight"))
    browser.driver.set_window_size(width, min(height + 100, 3000))
    assert browser.driver.save_screenshot(str(folder / f"{name}.png"))
    browser.driver.set_window_size(width, 1000)
