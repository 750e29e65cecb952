"""The page on which a password is chosen anew."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, expect

from tests.services import Server


def test_a_link_that_is_no_good_is_told_of_and_leaves_the_address(context: BrowserContext, site: Server) -> None:
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site.url + "/ui/reset-password#invented-token", wait_until="networkidle")
    assert page.url == site.url + "/ui/reset-password"
    page.fill("#password", "a new password")
    with page.expect_response("**/auth/password/reset") as answer:
        page.click("button[type=submit]")
    assert answer.value.status == 400
    assert answer.value.request.post_data_json == {"token": "invented-token", "new_password": "a new password"}
    # Not wait_for_function: what it asks again and again, the page's policy forbids.
    expect(page.locator("#outcome")).to_contain_text("not valid", timeout=60_000)
    assert page.is_visible("#password")
    assert not any("invented-token" in url for url in asked)


def test_an_address_without_a_token_takes_no_password(context: BrowserContext, site: Server) -> None:
    page = context.new_page()
    page.goto(site.url + "/ui/reset-password", wait_until="networkidle")
    expect(page.locator("#outcome")).to_contain_text("ask for another", timeout=60_000)
    assert not page.is_visible("#password")
