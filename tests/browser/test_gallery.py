"""The example app in a browser, from an origin of its own: register, upload, show, share, delete."""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.functional.api.client import Api
from tests.functional.api.conftest import ENVIRONMENT
from tests.services import Server, running

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "gallery"
PATIENCE_MS = 60_000


@dataclass(frozen=True)
class Site:
    """Where the page is, and the service that it talks to."""

    url: str
    api: Api


class Quiet(SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each."""

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("gallery") / "gallery"
    shutil.copytree(EXAMPLE, folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{pages.server_address[1]}"
        server = Server(folder.parent / "data", environment={**ENVIRONMENT, "PIXGATE_CORS_ORIGINS": origin})
        with running(server):
            config = folder / "config.js"
            text = config.read_text()
            assert "http://127.0.0.1:9090" in text
            config.write_text(text.replace("http://127.0.0.1:9090", server.url))
            yield Site(origin + "/", Api(server))
        pages.shutdown()


def signed_in(page: Page, site: Site, email: str) -> None:
    page.goto(site.url)
    page.fill("[name=email]", email)
    page.fill("[name=password]", "correct horse battery")
    page.click("button[value=register]")
    expect(page.locator("#email")).to_have_text(email, timeout=PATIENCE_MS)


def test_a_picture_from_its_upload_to_its_end(context: BrowserContext, site: Site, tmp_path: Path) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 1100, "height": 900})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    signed_in(page, site, "gallery@example.org")
    files = []
    for name, colour in (("sea.jpg", "steelblue"), ("wood.png", "forestgreen"), ("dusk.jpg", "orange")):
        Image.radial_gradient("L").resize((1200, 900)).convert("RGB").save(tmp_path / name)
        picture = Image.composite(
            Image.new("RGB", (1200, 900), colour), Image.open(tmp_path / name), Image.new("L", (1200, 900), 150)
        )
        picture.save(tmp_path / name)
        files.append(tmp_path / name)
    page.set_input_files("#upload input", files)
    expect(page.locator("#pictures li")).to_have_count(3, timeout=PATIENCE_MS)
    page.wait_for_function(
        "[...document.querySelectorAll('#pictures img')].every(one => one.complete && one.naturalWidth === 600)"
    )
    first = page.locator("#pictures li").first
    expect(first.locator("strong")).to_have_text("dusk.jpg")
    expect(first.locator("small")).to_contain_text("1200 × 900")
    first.locator(".share").click()
    expect(first.locator(".link input")).to_be_visible(timeout=PATIENCE_MS)
    link = first.locator(".link input").input_value()
    page.screenshot(path=tmp_path / "gallery.png", full_page=True)
    shared = site.api.get(link.removeprefix(site.api.server.url))
    assert shared.status == 200
    assert shared.picture.size[0] > 0
    page.on("dialog", lambda dialog: dialog.accept())
    identity = first.get_attribute("data-id")
    first.locator(".delete").click()
    expect(page.locator("#pictures li")).to_have_count(2, timeout=PATIENCE_MS)
    assert site.api.get(f"images/{identity}").code == "IMAGE_NOT_FOUND"
    assert site.api.get(link.removeprefix(site.api.server.url)).status == 404
    page.click("#leave")
    expect(page.locator("#door")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#pictures li")).to_have_count(0)
    assert complaints == []


def test_what_is_refused_is_said(context: BrowserContext, site: Site, tmp_path: Path) -> None:
    page = context.new_page()
    signed_in(page, site, "refused@example.org")
    (tmp_path / "notes.jpg").write_text("no picture")
    page.set_input_files("#upload input", tmp_path / "notes.jpg")
    expect(page.locator("#message.wrong")).to_contain_text("image", timeout=PATIENCE_MS)
    expect(page.locator("#pictures li")).to_have_count(0)


def test_another_origin_gets_nothing(context: BrowserContext, site: Site) -> None:
    page = context.new_page()
    page.goto(site.url.replace("127.0.0.1", "localhost"))
    page.fill("[name=email]", "stranger@example.org")
    page.fill("[name=password]", "correct horse battery")
    page.click("button[value=register]")
    expect(page.locator("#message.wrong")).to_contain_text("fetch", timeout=PATIENCE_MS)
