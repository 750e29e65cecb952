"""A real browser and a server for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.services import Server, running

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as the distribution brings it. Not for the session: its event loop would be in the way of others'."""
    if _CHROMIUM is None:
        pytest.skip("no chromium is installed")
    with sync_playwright() as playwright:
        # The sandbox of chromium does not work for root, and the pages here are ours; /dev/shm is small in containers.
        found = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield found
        found.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of its own, without anything from other tests."""
    found = browser.new_context(accept_downloads=False)
    found.set_default_timeout(PATIENCE_MS)
    yield found
    found.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the browser visits."""
    with running(Server(tmp_path_factory.mktemp("site") / "data")) as server:
        yield server
