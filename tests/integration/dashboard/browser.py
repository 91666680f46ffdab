"""A real headless Chromium, of Debian's package, and what a reader does and sees in it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from rendezvous_local.errors import LocalControlPlaneError
from rendezvous_local.node.system_packages import FOR_PAGES, install_missing, path_of

PAGE_SECONDS = 60.0
REQUIRED = "KUBE_RENDEZVOUS_REQUIRE_CHROMIUM"
"""Set: a test that wants Chromium fails where there is none."""


def start_chromium(profile: Path) -> Chrome:
    """Start it; where it is missing, it is installed, or the test is skipped with the reason."""
    try:
        install_missing(FOR_PAGES)
    except LocalControlPlaneError as error:
        if os.environ.get(REQUIRED):
            raise
        pytest.skip(f"no Chromium: {error}")
    options = ChromeOptions()
    options.binary_location = str(path_of("chromium"))
    for argument in (
        *("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1600,1000"),
        # Root has no sandbox of its own to be in, and nothing but our page is opened.
        "--no-sandbox",
        *("--no-proxy-server", "--disable-background-networking", "--disable-component-update"),
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(str(path_of("chromedriver"))))
    driver.set_page_load_timeout(PAGE_SECONDS)
    driver.set_script_timeout(PAGE_SECONDS)
    return driver


class Browser:
    """What a reader does with the page."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, address: str) -> None:
        """Load a page, from nothing: an address that differs behind the # only would load none."""
        self.driver.get("about:blank")
        self.driver.get(address)

    def run(self, script: str, *arguments: Any) -> Any:
        """The answer of a script in the page."""
        return self.driver.execute_script(script, *arguments)

    @property
    def text(self) -> str:
        """All that can be read."""
        return str(self.run("return document.body.innerText"))

    def until(self, holds: Callable[[str], bool], what: str) -> str:
        """What can be read as soon as something holds of it."""

        def look(_: Any) -> str | None:
            text = self.text
            return text if holds(text) else None

        return str(
            WebDriverWait(self.driver, PAGE_SECONDS, 0.05).until(look, f"{what}; the page says:\n{self.text[:3000]}")
        )

    def until_it_says(self, *parts: str) -> str:
        """What can be read as soon as all of this is part of it."""
        return self.until(lambda text: all(part in text for part in parts), f"says {parts}")

    def cells(self) -> dict[str, str]:
        """The map: standing by member."""
        pairs = self.run(
            "return [...document.querySelectorAll('#map button')].map(b => [b.dataset.member, b.dataset.standing])"
        )
        return dict(pairs)

    def click(self, selector: str) -> None:
        """Click the first element that a CSS selector finds."""
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def complaints(self) -> list[str]:
        """What went wrong in the page: exceptions, and what its own rules (CSP) kept it from."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
