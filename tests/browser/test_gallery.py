"""The example app in a browser, from an origin of its own, as the guide for apps has it: sign in, upload, show, share, delete."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from gateway.web.docs import EXAMPLE_URL
from tests import images
from tests.functional.api.client import PASSWORD, Api
from tests.functional.api.conftest import ENVIRONMENT
from tests.functional.api.test_guides import blocks
from tests.servers.fault_proxy import FaultProxy, Hang
from tests.services import Server, running

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "gallery"
PART = 8 * 1024 * 1024
LARGE = images.jpeg((1200, 900)) + bytes(range(256)) * 36_000
"""Of two parts."""
WHOLE = f"{len(LARGE) / 1e6:.1f} MB"
WIDE = {"width": 1100, "height": 900}
NARROW = {"width": 360, "height": 740}


@dataclass(frozen=True)
class Site:
    """Where the page is, and the service that it talks to through a line on which requests can be held."""

    url: str
    api: Api
    line: FaultProxy

    def parts_sent(self) -> list[str]:
        """The numbers of the parts that the page began to send."""
        targets = [seen.target for seen in self.line.seen if seen.method == "PUT"]
        return [target.partition("partNumber=")[2].partition("&")[0] for target in targets]


class Quiet(SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each."""

    def log_message(self, *_: object) -> None:
        return


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("gallery") / "gallery"
    shutil.copytree(EXAMPLE, folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{pages.server_address[1]}"
        environment = {**ENVIRONMENT, "PIXGATE_CORS_ORIGINS": origin}
        server = Server(folder.parent / "data", workers=1, environment=environment)
        with running(server), FaultProxy(port_of(server.url)) as line:
            config = folder / "config.js"
            text = config.read_text()
            assert "http://127.0.0.1:9090" in text
            config.write_text(text.replace("http://127.0.0.1:9090", line.endpoint))
            yield Site(origin + "/", Api(server), line)
        pages.shutdown()


@pytest.fixture
def page(context: BrowserContext, site: Site) -> Iterator[Page]:
    """One that nothing goes wrong on but what it is to bear."""
    page = context.new_page()
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    mistakes: list[str] = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    yield page
    site.line.clear()
    assert mistakes == []


def signed_in(page: Page, site: Site, email: str, how: str = "register") -> None:
    page.goto(site.url)
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.click(f"button[value={how}]")
    expect(page.locator("#email")).to_have_text(email)


def as_page(page: Page, site: Site) -> Api:
    """Who is signed in on the page."""
    return site.api.as_user(json.loads(page.evaluate("sessionStorage.getItem('gallery-session')"))["token"])


def shown(page: Page, count: int) -> None:
    """Wait until so many pictures are there, drawn and 600 pixels wide."""
    expect(page.locator("#pictures li")).to_have_count(count)
    page.wait_for_function(
        "[...document.querySelectorAll('#pictures img')].every(one => one.complete && one.naturalWidth === 600)"
    )


def fits(page: Page) -> bool:
    """Whether nothing stands out to the right."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_a_picture_from_its_upload_to_its_end(page: Page, site: Site, tmp_path: Path) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    signed_in(page, site, "gallery@example.org")
    expect(page.locator("#empty")).to_be_visible()
    files = []
    for name, colour in (("sea.jpg", "steelblue"), ("wood.png", "forestgreen"), ("dusk.jpg", "orange")):
        light = Image.radial_gradient("L").resize((1200, 900)).convert("RGB")
        picture = Image.composite(Image.new("RGB", (1200, 900), colour), light, Image.new("L", (1200, 900), 150))
        picture.save(tmp_path / name)
        files.append(tmp_path / name)
    page.set_input_files("#files", files)
    shown(page, 3)
    expect(page.locator("#uploads li")).to_have_count(0)
    first = page.locator("#pictures li").first
    expect(first.locator("strong")).to_have_text("dusk.jpg")
    expect(first.locator("small")).to_contain_text("1200 × 900")
    first.locator(".share").click()
    expect(first.locator(".link input")).to_be_visible()
    link = first.locator(".link input").input_value().removeprefix(site.line.endpoint)
    page.screenshot(path=tmp_path / "gallery.png", full_page=True)
    shared = site.api.get(link)
    assert shared.status == 200
    assert shared.picture.size[0] > 0
    identity = first.get_attribute("data-id")
    first.locator(".delete").click()
    page.click("#sure button[value=no]")
    expect(page.locator("#sure")).to_be_hidden()
    assert site.api.get(link).status == 200
    first.locator(".delete").click()
    page.click("#sure button[value=yes]")
    expect(page.locator("#pictures li")).to_have_count(2)
    assert site.api.get(f"images/{identity}").code == "IMAGE_NOT_FOUND"
    assert site.api.get(link).status == 404
    page.click("#leave")
    expect(page.locator("#door")).to_be_visible()
    expect(page.locator("#pictures li")).to_have_count(0)
    page.reload()
    expect(page.locator("#door")).to_be_visible()
    signed_in(page, site, "gallery@example.org", "login")
    shown(page, 2)
    assert complaints == []


def test_a_large_picture_goes_on_after_a_pause_a_kill_and_a_reload(page: Page, site: Site, tmp_path: Path) -> None:
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    signed_in(page, site, "large@example.org")
    file = tmp_path / "the large panorama of the whole valley.jpg"
    file.write_bytes(LARGE)
    before = len(site.parts_sent())
    held = site.line.on(Hang(), "PUT", "partNumber=2", count=3)
    page.set_input_files("#files", file)
    row = page.locator("#uploads li")
    state = row.locator(".state")
    held.wait(hits=1)
    expect(state).to_contain_text(f"of {WHOLE}")
    assert PART <= row.locator("progress").evaluate("bar => bar.value") <= len(LARGE)
    page.screenshot(path=tmp_path / "narrow.png", full_page=True)
    assert fits(page)
    row.locator(".toggle").click()
    expect(state).to_have_text(f"Paused at 8.4 of {WHOLE}")
    expect(row.locator(".toggle")).to_have_text("Resume")
    row.locator(".toggle").click()
    held.wait(hits=2)
    # Nothing is let in any more before the end: Chromium itself repeats what was cut, and the last worker may be yet to die.
    site.line.refuse()
    site.api.server.kill()
    site.line.cut()
    expect(state).to_contain_text(f"Interrupted at 8.4 of {WHOLE}")
    site.api.server.start()
    site.line.aim(port_of(site.api.server.url))
    site.line.accept()
    # It would go on by itself a few seconds later; a browser says when its network is back.
    page.evaluate("dispatchEvent(new Event('online'))")
    held.wait(hits=3)
    page.reload()
    expect(state).to_contain_text(f"8.4 of {WHOLE} are there")
    page.screenshot(path=tmp_path / "interrupted.png", full_page=True)
    (tmp_path / "another.jpg").write_bytes(LARGE)
    row.locator("input").set_input_files(tmp_path / "another.jpg")
    expect(page.locator("#message.wrong")).to_contain_text("another file")
    row.locator("input").set_input_files(file)
    shown(page, 1)
    expect(row).to_have_count(0)
    sent = site.parts_sent()[before:]
    assert sent[0] == "1"
    assert set(sent[sent.index("2") :]) == {"2"}, "what had arrived is not sent again"
    made = page.locator("#pictures li").first.get_attribute("data-id")
    image = as_page(page, site).get(f"images/{made}").json
    assert (image["filename"], image["visibility"]) == (file.name, "unlisted")
    assert image["checksum"] == hashlib.sha256(LARGE).hexdigest()
    assert fits(page)
    page.reload()
    shown(page, 1)
    expect(row).to_have_count(0)


def test_a_large_picture_that_is_given_up_is_forgotten(page: Page, site: Site, tmp_path: Path) -> None:
    signed_in(page, site, "gives-up@example.org")
    (tmp_path / "large.jpg").write_bytes(LARGE)
    held = site.line.on(Hang(), "PUT", "partNumber=1")
    page.set_input_files("#files", tmp_path / "large.jpg")
    held.wait()
    upload = json.loads(page.evaluate("localStorage.getItem('gallery-uploads')"))[0]["id"]
    who = as_page(page, site)
    assert who.get(f"images/uploads/{upload}").status == 200
    with page.expect_response(lambda response: response.request.method == "DELETE") as ended:
        page.click("#uploads .cancel")
    assert ended.value.status == 204
    expect(page.locator("#uploads li")).to_have_count(0)
    assert who.get(f"images/uploads/{upload}").code == "NOT_FOUND"
    assert page.evaluate("localStorage.getItem('gallery-uploads')") == "[]"


def test_what_is_refused_is_said(page: Page, site: Site, tmp_path: Path) -> None:
    signed_in(page, site, "refused@example.org")
    (tmp_path / "notes.jpg").write_text("no picture")
    page.set_input_files("#files", tmp_path / "notes.jpg")
    expect(page.locator("#message.wrong")).to_contain_text("image")
    expect(page.locator("#uploads li .state")).to_contain_text("image")
    expect(page.locator("#pictures li")).to_have_count(0)


def test_who_is_signed_out_elsewhere_signs_in_again(page: Page, site: Site, tmp_path: Path) -> None:
    signed_in(page, site, "elsewhere@example.org")
    assert as_page(page, site).post("auth/logout").status == 204
    (tmp_path / "late.jpg").write_bytes(images.jpeg((64, 48)))
    page.set_input_files("#files", tmp_path / "late.jpg")
    expect(page.locator("#message.wrong")).to_contain_text("sign in again")
    expect(page.locator("#door")).to_be_visible()
    expect(page.locator("#inside")).to_be_hidden()
    signed_in(page, site, "elsewhere@example.org", "login")


def test_the_javascript_of_the_guide(page: Page, site: Site) -> None:
    script = blocks("apps", "js").replace(EXAMPLE_URL, site.line.endpoint)
    who, picture = site.api.app_user(), images.jpeg((64, 48))
    page.goto(site.url)
    page.add_script_tag(content=script)
    made = page.evaluate(
        "([bytes, token]) => uploadInParts(new File([new Uint8Array(bytes)], 'of the guide.jpg'), token)",
        [list(picture), who.token],
    )
    assert (made["filename"], made["checksum"]) == ("of the guide.jpg", hashlib.sha256(picture).hexdigest())
    assert who.get(f"images/{made['id']}/file").body == picture


def test_another_origin_gets_nothing(page: Page, site: Site) -> None:
    page.goto(site.url.replace("127.0.0.1", "localhost"))
    page.fill("[name=email]", "stranger@example.org")
    page.fill("[name=password]", PASSWORD)
    page.click("button[value=register]")
    expect(page.locator("#message.wrong")).to_contain_text("no answer that this page may read")
