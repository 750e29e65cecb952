"""A page that a user uploaded, opened in a browser on our origin, learns nothing from our pages and doors."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import BrowserContext, Error

from tests.services import Server

_SPY = """
(async () => {
  const learned = [];
  try { if (document.cookie) learned.push('cookie ' + document.cookie); } catch (error) {}
  try { if (localStorage.length >= 0) learned.push('storage'); } catch (error) {}
  for (const path of ['/api', '/ui/', '/health', '/']) {
    try {
      const answer = await fetch(path, {credentials: 'include'});
      learned.push(path + ' ' + answer.status + ' ' + (await answer.text()).length);
    } catch (error) {}
  }
  const frame = document.createElementNS('http://www.w3.org/1999/xhtml', 'iframe');
  frame.src = '/ui/';
  frame.onload = () => {
    try { learned.push('frame ' + frame.contentDocument.title); } catch (error) {}
    document.title = 'learned ' + learned.join('; ');
  };
  document.documentElement.appendChild(frame);
  document.title = 'learned ' + learned.join('; ');
})();
"""
_PAGES = {
    "page.html": (
        "text/html",
        f"<!doctype html><html><title>innocent</title><body><script>{_SPY}</script></body></html>",
    ),
    "page.xhtml": (
        "application/xhtml+xml",
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>innocent</title></head>'
        f"<body><script><![CDATA[{_SPY}]]></script></body></html>",
    ),
    "picture.svg": (
        "image/svg+xml",
        f'<svg xmlns="http://www.w3.org/2000/svg"><title>innocent</title><script><![CDATA[{_SPY}]]></script></svg>',
    ),
}


def _visit(context: BrowserContext, url: str, sought: str = "") -> tuple[str, list[str]]:
    """Open a URL: the title a second later, or as soon as `sought` is in it, and the paths that the page itself asked for."""
    asked: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    # What is downloaded is no page: the browser stops going there, and nothing of it runs.
    with contextlib.suppress(Error):
        page.goto(url)
    for _ in range(60 if sought else 1):
        page.wait_for_timeout(1000)
        if sought and sought in page.title():
            break
    title = page.title()
    page.close()
    return title, [address for address in asked if address != url]


@pytest.fixture
def open_origin() -> Iterator[str]:
    """The same pages from a server that takes no care, to see that the spy works."""

    class Careless(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, text = _PAGES.get(self.path.lstrip("/"), ("text/html", "<title>ours</title>"))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Careless)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _cookie(context: BrowserContext, url: str) -> None:
    context.add_cookies([{"name": "session", "value": "secret-of-the-user", "url": url}])


@pytest.mark.parametrize("name", _PAGES)
def test_the_spy_works_where_nobody_takes_care(context: BrowserContext, open_origin: str, name: str) -> None:
    _cookie(context, open_origin)
    title, asked = _visit(context, f"{open_origin}/{name}", "learned")
    assert "secret-of-the-user" in title
    assert "/ui/ 200" in title
    assert asked


@pytest.mark.parametrize("disposition", [None, "inline"])
@pytest.mark.parametrize("name", _PAGES)
def test_an_uploaded_page_learns_nothing(
    context: BrowserContext, site: Server, name: str, disposition: str | None
) -> None:
    client = site.client(signature_version="s3v4")
    bucket = f"pages-{name.replace('.', '-')}-{disposition or 'plain'}"
    client.create_bucket(Bucket=bucket)
    kind, text = _PAGES[name]
    client.put_object(Bucket=bucket, Key=name, Body=text.encode(), ContentType=kind)
    parameters = {"Bucket": bucket, "Key": name}
    if disposition:
        parameters |= {"ResponseContentDisposition": disposition, "ResponseContentType": kind}
    url = client.generate_presigned_url("get_object", parameters)
    _cookie(context, site.url)
    title, asked = _visit(context, url)
    assert "learned" not in title
    assert not asked, "the page could send requests"


def test_a_page_disguised_as_text_is_not_run(context: BrowserContext, site: Server) -> None:
    """Types are not guessed: HTML that says it is text or an image stays that."""
    client = site.client(signature_version="s3v4")
    client.create_bucket(Bucket="disguised")
    for number, kind in enumerate(("text/plain", "image/png", "application/octet-stream", "unknown/type", "")):
        key = f"page-{number}"
        client.put_object(Bucket="disguised", Key=key, Body=_PAGES["page.html"][1].encode(), ContentType=kind)
        url = client.generate_presigned_url("get_object", {"Bucket": "disguised", "Key": key})
        title, asked = _visit(context, url)
        assert "learned" not in title, kind
        assert not asked, kind


def test_an_error_that_repeats_a_key_is_not_run(context: BrowserContext, site: Server) -> None:
    """Error documents repeat names that a stranger chose."""
    url = f"{site.url}/some-bucket/%3Cscript%20xmlns=%22http://www.w3.org/1999/xhtml%22%3E{'document.title=1'}%3C/script%3E"
    title, asked = _visit(context, url)
    assert title != "1"
    assert not [address for address in asked if "favicon" not in address]
