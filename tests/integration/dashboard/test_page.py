"""The page in a real Chromium: what happens in the cluster appears in it, without reload."""

import sys
from typing import Any

import pytest
from axe_core_python.selenium import Axe
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from integration.dashboard.browser import Browser
from integration.dashboard.conftest import Dashboard, StartDashboard
from integration.kubectl.scene import Scene

pytestmark = pytest.mark.usefixtures("operator")

FIRST_PAINT_SECONDS = 1.0
TRIES = 5


def test_a_rendezvous_that_is_made_appears_in_the_list(browser: Browser, dashboard: Dashboard, scene: Scene) -> None:
    browser.open(dashboard.address)
    browser.until_it_says(f"No Rendezvous in namespace {scene.namespace}")
    browser.run("window.opened = 1")

    scene.round_of("trainer-0", "trainer-1")

    text = browser.until_it_says("Active", "trainer-0-x", "Round 1 stands with 2 nodes.")
    assert "run" in text
    assert "Live" in text
    assert browser.run("return window.opened") == 1


def test_a_loss_and_the_next_round_appear_without_reload(browser: Browser, dashboard: Dashboard, scene: Scene) -> None:
    scene.round_of("trainer-0", "trainer-1", "trainer-2", minNodes=2)
    browser.open(dashboard.address)
    browser.until_it_says("Round 1 stands with 3 nodes.")
    browser.run("window.opened = 1")
    browser.click("#view a")
    browser.until_it_says(f"{scene.namespace}/run", "3 members: 3 with a rank", "Round 1 stands with 3 nodes.")
    assert browser.cells() == {"trainer-0-x": "in", "trainer-1-x": "in", "trainer-2-x": "in"}

    scene.remove_member("trainer-1-x")

    browser.until_it_says(
        "Round 2 is being formed (MemberDeleted", "trainer-1-x is gone.", "Waits for:", "told to stop"
    )
    assert browser.cells()["trainer-1-x"] == "gone"

    scene.patch_member("trainer-0-x", afterRound=1)
    browser.until(lambda _: browser.cells()["trainer-0-x"] == "again", "rank 0 has joined again")
    scene.patch_member("trainer-2-x", afterRound=1)

    browser.until_it_says("Round 2 stands with 2 nodes", "MemberDeleted", "1 change of membership")
    assert browser.cells() == {"trainer-0-x": "in", "trainer-2-x": "in"}
    assert browser.run("return window.opened") == 1
    assert browser.run("return performance.getEntriesByType('navigation').length") == 1


def test_a_rendezvous_that_is_deleted_and_made_anew_is_shown_again(
    browser: Browser, dashboard: Dashboard, scene: Scene, kubectl: Any
) -> None:
    browser.open(dashboard.of(scene.namespace, "run"))
    browser.until_it_says(f"There is no Rendezvous run in namespace {scene.namespace}")
    scene.rendezvous()
    browser.until_it_says("No round was formed yet.", "asks for 2 to 4 nodes")

    kubectl("delete", "rdzv", "run", "-n", scene.namespace)

    browser.until_it_says("There is no Rendezvous run")
    scene.rendezvous(minNodes=3, maxNodes=3)
    browser.until_it_says("asks for 3 nodes")


def test_first_paint_is_within_a_second_of_the_commands_line(
    browser: Browser, start_dashboard: StartDashboard, scene: Scene
) -> None:
    scene.round_of("trainer-0", "trainer-1")
    took = []
    while len(took) < TRIES and min(took, default=TRIES) > FIRST_PAINT_SECONDS:  # other processes are at work here, too
        dashboard = start_dashboard()
        browser.driver.get(dashboard.address)
        browser.until_it_says("Round 1 stands with 2 nodes.")
        painted, listed = browser.run(
            "return [performance.getEntriesByName('first-contentful-paint')[0].startTime,"
            " performance.getEntriesByName('list-shown')[0].startTime].map(t => (performance.timeOrigin + t) / 1000)"
        )
        took.append(max(painted, listed) - dashboard.told_at)
    sys.stderr.write(f"first paint, list included: {min(took):.3f} s after the line\n")
    assert min(took) <= FIRST_PAINT_SECONDS, took


def test_members_can_be_read_with_the_keyboard(browser: Browser, dashboard: Dashboard, scene: Scene) -> None:
    scene.round_of("trainer-0", "trainer-1", "trainer-2")
    browser.open(dashboard.of(scene.namespace, "run"))
    browser.until_it_says("3 members")
    first = browser.driver.find_element(By.CSS_SELECTOR, "#map button[tabindex='0']")
    assert first.get_attribute("aria-label").startswith("rank 0, trainer-0-x, in the round")
    browser.run("arguments[0].focus()", first)

    browser.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)

    details = browser.driver.find_element(By.ID, "details")
    assert "trainer-1-x" in details.text
    assert "Pod\ntrainer-1" in details.text
    assert browser.driver.switch_to.active_element.get_attribute("aria-pressed") == "true"
    scene.patch_member("trainer-0-x", afterRound=1)  # the map is laid out anew
    browser.until(lambda _: browser.cells()["trainer-0-x"] == "again", "rank 0 has joined again")
    assert browser.driver.switch_to.active_element.get_attribute("data-member") == "trainer-1-x"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_of_accessibility_is_broken(browser: Browser, dashboard: Dashboard, scene: Scene, scheme: str) -> None:
    scene.round_of("trainer-0", "trainer-1", minNodes=1)
    scene.remove_member("trainer-1-x")
    scene.patch_member("trainer-0-x", afterRound=1)
    scene.wait(lambda r: r.status.round == 2)
    browser.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    for address, shown in (
        (dashboard.address, "Round 2 stands"),
        (dashboard.of(scene.namespace, "run"), "1 change of membership"),
    ):
        browser.open(address)
        browser.until_it_says(shown)
        browser.run("document.getElementById('table')?.setAttribute('open', '')")
        broken = Axe().run(browser.driver)["violations"]
        assert not broken, [(rule["id"], rule["help"], [node["html"] for node in rule["nodes"]]) for rule in broken]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_command_that_has_ended_is_not_taken_for_a_quiet_cluster(
    browser: Browser, start_dashboard: StartDashboard, scene: Scene
) -> None:
    scene.round_of("trainer-0", "trainer-1")
    dashboard = start_dashboard()
    browser.open(dashboard.of(scene.namespace, "run"))
    browser.until_it_says("Live")

    dashboard.process.terminate()

    browser.until_it_says("Not connected: trying again")
    browser.complaints()  # the browser's own, that it could not connect
    dashboard.process.wait()
