"""Swagger UI in a browser: it loads from here alone, lists the operations, signs in and calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from gateway.api.table import OPERATIONS
from tests.functional.api.client import PASSWORD, Api
from tests.functional.api.conftest import ENVIRONMENT
from tests.services import Server, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that people may register at."""
    with running(Server(tmp_path_factory.mktemp("api-page") / "data", environment=ENVIRONMENT)) as server:
        yield Api(server)


def opened(context: BrowserContext, server: Server, complaints: list[str]) -> Page:
    page = context.new_page()
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith((server.url, "data:")) else complaints.append(request.url),
    )
    answer = page.goto(server.url + "/docs")
    assert answer is not None
    assert answer.status == 200
    assert page.url == server.url + "/ui/api/"
    page.wait_for_selector(".opblock")
    return page


def test_it_lists_every_operation(context: BrowserContext, service: Api, tmp_path: Path) -> None:
    complaints: list[str] = []
    page = opened(context, service.server, complaints)
    shown = page.eval_on_selector_all(".opblock-summary-path", "found => found.map(one => one.dataset.path)")
    assert sorted(shown) == sorted(operation.path for operation in OPERATIONS)
    page.screenshot(path=tmp_path / "api.png")
    assert complaints == []


def test_it_signs_in_and_calls(context: BrowserContext, service: Api, tmp_path: Path) -> None:
    user = service.register("swagger@example.org")
    complaints: list[str] = []
    page = opened(context, service.server, complaints)
    page.click("button.authorize")
    form = page.locator(".auth-container").filter(has=page.locator("#oauth_username"))
    form.locator("#oauth_username").fill(user.email)
    form.locator("#oauth_password").fill(PASSWORD)
    form.locator("button.authorize").click()
    page.locator(".modal-ux button", has_text="Logout").wait_for()
    page.screenshot(path=tmp_path / "authorised.png")
    page.locator("button.btn-done").first.click()
    me = page.locator(".opblock").filter(has=page.locator("[data-path='/api/v1/auth/me']"))
    me.locator(".opblock-summary-control").first.click()
    me.locator("button.try-out__btn").click()
    me.locator("button.execute").click()
    body = me.locator(".live-responses-table .highlight-code code")
    body.wait_for()
    page.screenshot(path=tmp_path / "called.png", full_page=True)
    assert json.loads(body.inner_text())["email"] == user.email
    assert complaints == []
