"""A real browser for tests of pages: Debian's Chromium, by Selenium; pytest finds this folder by pyproject.toml."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path

from selenium import webdriver

DRIVER = "/usr/bin/chromedriver"


class Browser:
    """Chromium without a screen. Scripts of the tests run in it, even if the page forbids scripts."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self._driver = driver

    def show(self, page: Path, width: int, scheme: str = "light", media: str = "screen") -> None:
        """Load a file into a window of some width, in the light or the dark scheme, or as it is printed."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        self._driver.get(page.resolve().as_uri())

    def visit(self, url: str) -> None:
        """Load a page from a web server."""
        self._driver.get(url)

    def evaluate(self, expression: str) -> object:
        """Return the value of an expression in the page."""
        return self._driver.execute_script(f"return {expression}")

    def messages(self) -> list[str]:
        """Return the messages on the console, such as what the page's policy refused to load."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def screenshot(self, target: Path, most: int = 12000) -> None:
        """Save the whole page as PNG, up to so many pixels of its height."""
        # Otherwise Chromium leaves out what is not on the screen.
        self._driver.execute_script(
            "for (const e of document.querySelectorAll('.host')) e.style.contentVisibility = 'visible'"
        )
        size = self._driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {**size, "height": min(size["height"], most), "scale": 1}
        options = {"captureBeyondViewport": True, "clip": clip}
        target.parent.mkdir(parents=True, exist_ok=True)
        picture = self._driver.execute_cdp_cmd("Page.captureScreenshot", options)
        target.write_bytes(base64.b64decode(picture["data"]))


@contextlib.contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """Start Chromium, with more arguments if given, and end it afterwards."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    # Tests may run as root, for whom Chromium has no sandbox. The pages are our own.
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-dev-shm-usage", *more):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options, webdriver.ChromeService(DRIVER)) as driver:
        yield Browser(driver)
