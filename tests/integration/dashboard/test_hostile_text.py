"""Whatever somebody in the cluster writes into names and messages is text on the page, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration.dashboard.browser import Browser
from integration.dashboard.conftest import Dashboard
from integration.kubectl.scene import Scene
from kube_rendezvous.resources.timestamps import format_time

MARKUP = '<img src=x onerror="window.stolen=1"><script>window.stolen=1</script>'
QUOTES = "\"'></td><svg onload=window.stolen=1>{{7*7}}${7*7}&lt;b&gt;"
TURNED = "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe\x1b[31m"


def hostile_status(names: list[str], generation: int) -> dict[str, Any]:
    """A status whose every free text is hostile."""
    now = datetime.now(UTC)
    past = {
        "round": 1,
        "reason": "FirstRound",
        "message": f"{MARKUP} {QUOTES}",
        "worldSize": 2,
        "joined": [MARKUP[:60], names[0]],
        "joinedCount": 2,
        "left": [QUOTES[:60]],
        "leftCount": 1,
        "movedRanks": 1,
        "formedAt": format_time(now - timedelta(seconds=60)),
        "formingSeconds": 2.5,
    }
    forming = {
        "round": 2,
        "reason": "MemberLost",
        "message": f"lost {MARKUP} {TURNED}",
        "interrupts": True,
        "since": format_time(now),
        "arrived": 0,
        "required": 2,
        "waitingFor": [MARKUP[:60], QUOTES[:60]],
    }
    return {
        "observedGeneration": generation,
        "state": "Reforming",
        "round": 1,
        "worldSize": 2,
        "ranks": names,
        "bootstrapStore": {"member": names[0], "address": "127.0.0.1", "port": 29500},
        "heartbeatSeconds": 5,
        "forming": forming,
        "history": [past],
    }


@pytest.fixture
def hostile(scene: Scene) -> Scene:
    """A rendezvous in which everything that can be chosen is hostile; no operator changes it."""
    run = scene.rendezvous(ranking={"topologyKeys": ["zone"]})
    scene.member("a-x", run, pod_name=MARKUP, pod_uid="one", node_name=QUOTES, slot=MARKUP[:60])
    scene.member("b-x", run, pod_name=TURNED, pod_uid="two", node_name=MARKUP)
    scene.write_status("run", hostile_status(["a-x", "b-x"], run.generation))
    return scene


def test_hostile_names_and_messages_stay_text(browser: Browser, dashboard: Dashboard, hostile: Scene) -> None:
    for address in (dashboard.address, dashboard.of(hostile.namespace, "run")):
        browser.open(address)
        browser.until_it_says(MARKUP)
        browser.run("document.getElementById('table')?.setAttribute('open', '')")
        if "#" in address:
            browser.click("#map button[data-member='a-x']")
            text = browser.until_it_says(f"Pod\n{MARKUP}", f"Node\n{QUOTES}", f"{MARKUP} {QUOTES}")
            assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text
            assert "\x1b" not in text
        made = browser.run("return document.querySelectorAll('main img, main script, main td svg, main b *').length")
        assert made == 0
        assert browser.run("return window.stolen") is None


def test_a_hostile_address_shows_nothing_but_a_sentence(browser: Browser, dashboard: Dashboard, scene: Scene) -> None:
    browser.open(f"{dashboard.address}#/{scene.namespace}/%3Cimg%20src%3Dx%20onerror%3Dwindow.stolen%3D1%3E")
    browser.until_it_says("Not connected")
    assert browser.run("return document.querySelectorAll('main img').length") == 0
    assert browser.run("return window.stolen") is None
    assert all("404" in complaint for complaint in browser.complaints())


def test_the_page_may_run_no_script_but_its_own(browser: Browser, dashboard: Dashboard, scene: Scene) -> None:
    scene.rendezvous()
    browser.open(dashboard.address)
    browser.until_it_says("run")
    refused = browser.run(
        "try { document.body.innerHTML = '<b>x</b>'; return 'done'; } catch (error) { return error.name; }"
    )
    assert refused == "TypeError"
    loaded = browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert loaded
    assert all(name.startswith(dashboard.address) for name in loaded), loaded
    browser.complaints()  # the refusal is logged
