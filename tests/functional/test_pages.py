"""Pages and what operators ask for, beside the S3 door on the same paths."""

from __future__ import annotations

import http.client
import json
import re
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.functional.conftest import StartServer
from tests.services import Server

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Answer:
    """One answer, redirects not followed."""

    def __init__(self, server: Server, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> None:
        parts = urlsplit(server.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        self.status = answer.status
        self.headers = answer.headers
        self.text = answer.read().decode()
        connection.close()


def test_a_browser_at_the_root_gets_the_start_page_and_a_client_its_buckets(http_server: Server) -> None:
    answer = Answer(http_server, "/", BROWSER)
    assert (answer.status, answer.headers["Location"]) == (302, "/ui/")
    assert "<Code>AccessDenied</Code>" in Answer(http_server, "/").text
    assert "Buckets" in http_server.client().list_buckets()


def test_every_door_reads_targets_in_absolute_form(http_server: Server) -> None:
    for path, status, word in (
        ("/health", 200, '"status"'),
        ("/livez", 200, "alive"),
        ("/ui/", 200, "<html"),
        ("/api/v1/images/none", 404, '"code": "IMAGE_NOT_FOUND"'),
        ("/openapi.json", 200, '"openapi"'),
        ("/img/none/none.jpg?w=100", 403, '"code": "AccessDenied"'),
        ("", 403, "<Resource>/</Resource>"),
        ("?list-type=2", 403, "<Resource>/</Resource>"),
    ):
        for host in (http_server.url, "http://elsewhere.example", "HTTP://[::1]:9"):
            answer = Answer(http_server, host + path, {"Host": "other.example"})
            assert (answer.status, word in answer.text) == (status, True), (host + path, answer.text[:300])


def test_the_start_page_shows_health_and_settings_with_the_real_address(http_server: Server) -> None:
    page = Answer(http_server, "/ui/", {**BROWSER, "Host": "evil.example"})
    assert page.status == 200
    assert f"AWS_ENDPOINT_URL={http_server.url}" in page.text
    assert "evil.example" not in page.text
    for client in ("aws-cli", "boto3", "rclone", "s3cmd", "minio-py", "JavaScript"):
        assert client in page.text
    shown = page.text.count('<li class="card">')
    assert shown >= 4
    deadline = time.monotonic() + 60
    while Answer(http_server, "/ui/", BROWSER).text.count('class="state healthy"') != shown + 1:
        # As for `healthy`.
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("path", ["/ui/", "/ui/docs/", "/ui/nothing", "/ui/static/style.css"])
def test_pages_load_nothing_from_elsewhere_and_nothing_embeds_them(http_server: Server, path: str) -> None:
    page = Answer(http_server, path, BROWSER)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)


def test_every_link_in_the_documentation_leads_somewhere(http_server: Server) -> None:
    seen: set[str] = set()
    waiting = ["/ui/", "/ui/docs/"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        page = Answer(http_server, path, BROWSER)
        assert page.status == 200, path
        if not page.headers["Content-Type"].startswith("text/html"):
            continue
        for link in re.findall(r'(?:href|src)="([^"]+)"', page.text):
            target = link.partition("#")[0]
            if not target or re.match(r"[a-z]+:", target):
                continue
            waiting.append(_resolved(path, target))
    assert {"/ui/docs/guides/s3-clients", "/ui/docs/reference/settings", "/health"} <= seen


def test_a_document_comes_before_the_table_of_contents_and_guides_before_decisions(http_server: Server) -> None:
    page = Answer(http_server, "/ui/docs/guides/image-links", BROWSER).text
    places = [page.index(piece) for piece in ("<h1>Image links", "<h2>Guides", "<h2>Reference", "<h2>Decisions")]
    assert places == sorted(places)


def _resolved(base: str, target: str) -> str:
    from urllib.parse import urljoin

    return urljoin(base, target)


def test_a_page_that_is_not_there(http_server: Server) -> None:
    for path in ("/ui/docs/../../etc/passwd", "/ui/docs/%2e%2e/x", "/ui/static/../connect.py", "/ui/none"):
        assert Answer(http_server, path, BROWSER).status == 404
    assert Answer(http_server, "/api/v1/anything").status == 404
    assert Answer(http_server, "/ui/", method="POST").status == 405


def test_the_short_name_gives_way_to_a_bucket(start_server: StartServer) -> None:
    server = start_server(workers=1)
    answer = Answer(server, "/docs", BROWSER)
    assert (answer.status, answer.headers["Location"]) == (302, "/ui/api/")
    server.client().create_bucket(Bucket="docs")
    assert "<Code>AccessDenied</Code>" in Answer(server, "/docs", BROWSER).text
    server.client().put_object(Bucket="docs", Key="a", Body=b"mine")
    assert server.client().get_object(Bucket="docs", Key="a")["Body"].read() == b"mine"
    server.client().delete_object(Bucket="docs", Key="a")
    server.client().delete_bucket(Bucket="docs")
    assert Answer(server, "/docs", BROWSER).status == 302


def test_the_page_of_the_api_is_served_from_here_alone(http_server: Server) -> None:
    page = Answer(http_server, "/ui/api/", BROWSER)
    assert page.status == 200
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "//" not in page.text.replace("<!doctype html>", "")
    for name in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert f"/ui/api/{name}" in page.text
        asset = Answer(http_server, f"/ui/api/{name}")
        assert (asset.status, len(asset.text) > 100_000) == (200, True)
    assert Answer(http_server, "/ui/api/swagger-ui-standalone-preset.js").status == 404
    assert Answer(http_server, "/ui/api/../__init__.py").status == 404
    assert Answer(http_server, "/ui/api", BROWSER).status == 308


def healthy(server: Server, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """What it says of itself once it is well: what it rests on may take a busy machine longer to answer than it waits."""
    deadline = time.monotonic() + 60
    while (found := json.loads(Answer(server, "/health", headers).text))["status"] != "healthy":
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return dict(found)


def test_health_has_its_entries(http_server: Server) -> None:
    found = healthy(http_server)
    assert found["version"]
    for name in ("database", "store", "cache", "renders", "uploads"):
        assert found[name]["status"] == "healthy"
    assert (found["uploads"]["detail"], found["uploads"]["active"], found["uploads"]["limit"]) == ("0/10", 0, 10)


def test_what_is_inside_is_not_shown_to_who_comes_through_a_proxy(http_server: Server) -> None:
    through = {"X-Forwarded-For": "198.51.100.7"}
    assert healthy(http_server, through) == {"status": "healthy"}
    assert Answer(http_server, "/metrics", through).status == 403
    assert Answer(http_server, "/metrics", {"Forwarded": "for=127.0.0.1"}).status == 403
    assert Answer(http_server, "/livez", through).status == 200


def test_a_token_opens_the_metrics_from_anywhere(start_server: StartServer) -> None:
    server = start_server(
        workers=1,
        environment={"PIXGATE_METRICS_TOKEN": "for-the-scraper", "PIXGATE_METRICS_NETWORKS": "192.0.2.0/24"},
    )
    assert Answer(server, "/metrics").status == 403
    assert Answer(server, "/metrics", {"Authorization": "Bearer wrong"}).status == 403
    page = Answer(server, "/metrics", {"Authorization": "Bearer for-the-scraper"})
    assert page.status == 200
    assert "pixgate_workers 1.0" in page.text


def test_what_is_no_http_gets_an_answer_and_a_line(http_server: Server) -> None:
    def counted() -> float:
        return http_server.metric("pixgate_errors_total", operation="Unknown", code="RequestHeaderSectionTooLarge")

    before = counted()
    answer = Answer(http_server, "/", {"X-Long": "x" * 20_000})
    assert answer.status == 400
    assert "<Code>RequestHeaderSectionTooLarge</Code>" in answer.text
    # It is counted behind its answer, and another worker may be asked for the count.
    deadline = time.monotonic() + 30
    while (count := counted()) == before:
        assert time.monotonic() < deadline, "it is not counted"
        time.sleep(0.02)
    assert count == before + 1
