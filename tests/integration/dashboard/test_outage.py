"""While the API server is away the page says that it may be old, and goes on by itself afterwards."""

import pytest

from integration.dashboard.browser import Browser
from integration.dashboard.conftest import Dashboard
from integration.kubectl.scene import Scene
from rendezvous_local.cluster import Cluster


@pytest.mark.parametrize("page", ["list", "one"])
def test_an_api_server_that_is_away_makes_no_page_look_alive(
    browser: Browser, dashboard: Dashboard, scene: Scene, cluster: Cluster, page: str
) -> None:
    assert cluster.control_plane is not None
    scene.member("a-x", scene.rendezvous())
    browser.open(dashboard.address if page == "list" else dashboard.of(scene.namespace, "run"))
    browser.until_it_says("Live", "No operator has looked at it yet.")
    browser.run("window.opened = 1")

    cluster.control_plane.stop_api_server()
    try:
        browser.until_it_says("Not up to date: ", "No operator has looked at it yet.")
    finally:
        cluster.control_plane.start_api_server()

    browser.until_it_says("Live")
    scene.rendezvous("another") if page == "list" else scene.member("b-x", scene.get())
    browser.until_it_says("another" if page == "list" else "b-x joined.")
    assert browser.run("return window.opened") == 1
