"""The start page and the docs in a browser, at the widths of a desk and of a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.services import Server


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)], ids=["desk", "phone"])
@pytest.mark.parametrize("path", ["/ui/", "/ui/docs/"])
def test_pages_render(
    context: BrowserContext, site: Server, tmp_path: Path, path: str, width: int, height: int
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": height})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"{request.url} failed"))
    answer = page.goto(site.url + path, wait_until="networkidle")
    assert answer is not None
    assert answer.status == 200
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert complaints == []
    assert "Pixgate" in page.title()
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    assert page.evaluate("getComputedStyle(document.body).fontFamily") != "Times New Roman", "no stylesheet"


def test_the_start_page_tells_how_to_connect(context: BrowserContext, site: Server) -> None:
    page = context.new_page()
    page.goto(site.url + "/ui/")
    text = page.inner_text("body")
    for word in (site.url, "healthy", "us-east-1", "aws", "rclone"):
        assert word in text
    assert "secret-that-only-tests-know" not in page.content()


def test_a_browser_at_the_root_finds_the_start_page(context: BrowserContext, site: Server) -> None:
    page = context.new_page()
    page.goto(site.url + "/")
    assert page.url == site.url + "/ui/"


def test_every_link_of_the_start_page_leads_somewhere(context: BrowserContext, site: Server) -> None:
    page = context.new_page()
    for start in ("/ui/", "/ui/docs/"):
        page.goto(site.url + start)
        links = page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
        ours = sorted({link.partition("#")[0] for link in links if link.startswith(site.url)})
        assert ours
        for link in ours:
            assert site.fetch(link.removeprefix(site.url))[0] == 200, link


def test_the_column_that_explains_has_the_most_room(context: BrowserContext, site: Server) -> None:
    page = context.new_page()
    for width, height in ((1280, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.goto(site.url + "/ui/docs/reference/image-options")
        tables = page.eval_on_selector_all(
            ".prose thead tr",
            "rows => rows.map(row => [...row.cells].map(cell => [cell.innerText, cell.getBoundingClientRect().width]))",
        )
        options = [[room for _, room in cells] for cells in tables if cells[-1][0] == "Meaning"]
        assert len(options) > 3
        for cells in options:
            assert cells[-1] == max(cells), cells
            assert cells[-1] >= 280, cells
        if width == 1280:
            rooms = [sum(room for _, room in cells) for cells in tables]
            assert max(rooms) <= 801, "at a desk nothing scrolls sideways"
