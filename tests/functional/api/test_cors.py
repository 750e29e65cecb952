"""Pages of other origins against a real server: preflights without credentials, and who may read what."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import images
from tests.functional.api.client import Api
from tests.functional.api.conftest import ENVIRONMENT
from tests.services import ROOT, Server, running

APP = "https://app.example.com"
ASKING = {"Origin": APP, "Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
SENDING = {"Origin": APP, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
PART = images.jpeg((64, 48))


@pytest.fixture(scope="module")
def open_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server that pages of APP may call."""
    environment = {**ENVIRONMENT, "PIXGATE_CORS_ORIGINS": APP}
    data = tmp_path_factory.mktemp("cors") / "data"
    with running(Server(data, workers=1, environment=environment)) as server:
        yield Api(server)


def test_a_preflight_needs_no_credentials(open_api: Api) -> None:
    answer = open_api.ask("OPTIONS", "users/me/images", headers=ASKING)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == APP
    assert "DELETE" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


def test_a_preflight_of_a_stranger_is_told_nothing(open_api: Api) -> None:
    answer = open_api.ask("OPTIONS", "images", headers={**ASKING, "Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["vary"] == "Origin"


def test_refusals_can_be_read_too(open_api: Api) -> None:
    answer = open_api.get("no/such/thing", headers={"Origin": APP})
    assert answer.code == "NOT_FOUND"
    assert answer.headers["access-control-allow-origin"] == APP
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]


def test_the_admin_api_is_never_open_to_pages(open_api: Api) -> None:
    for method in ("GET", "OPTIONS"):
        answer = open_api.ask(method, "/api/admin/v1/accounts", headers=ASKING)
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_by_default_no_page_may(api: Api) -> None:
    for origin in (APP, "null", api.server.url):
        answer = api.get("images", headers={"Origin": origin})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        answer = api.ask("OPTIONS", "images", headers={**ASKING, "Origin": origin})
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["images/%ff", "images/%00", "images/a%ed%a0%80", "%ff"])
def test_a_path_that_is_no_text_names_nothing(api: Api, path: str) -> None:
    assert api.get(path).code == "NOT_FOUND"


def begun_part(api: Api) -> str:
    """Where the one part of an upload is to be sent."""
    answer = api.app_user().post("images/uploads", json={"filename": "a.jpg", "size": len(PART)})
    assert answer.status == 201, answer.body
    address = urlsplit(answer.json["parts"][0]["url"])
    return f"{address.path}?{address.query}"


def test_the_parts_of_an_upload_are_sent_by_the_pages_that_began_it(open_api: Api) -> None:
    url = begun_part(open_api)
    asked = open_api.ask("OPTIONS", url, headers=SENDING)
    assert asked.status == 204, asked.body
    assert asked.headers["access-control-allow-origin"] == APP
    assert asked.headers["access-control-allow-methods"] == "PUT"
    assert "Content-Type" in asked.headers["access-control-allow-headers"]
    assert "Origin" in asked.headers["vary"]
    sent = open_api.put(url, body=PART, headers={"Origin": APP, "Content-Type": "image/jpeg"})
    assert sent.status == 200, sent.body
    assert sent.headers["access-control-allow-origin"] == APP
    assert "ETag" in sent.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in sent.headers
    forged = url[:-1] + ("1" if url.endswith("0") else "0")
    refused = open_api.put(forged, body=PART, headers={"Origin": APP})
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (403, APP), "refusals can be read, too"


def test_a_page_of_another_origin_sends_no_parts(open_api: Api, api: Api) -> None:
    evil = "https://evil.example"
    for server, origin in ((open_api, evil), (open_api, "null"), (api, APP)):
        url = begun_part(server)
        asked = server.ask("OPTIONS", url, headers={**SENDING, "Origin": origin})
        assert asked.status == 403
        sent = server.put(url, body=PART, headers={"Origin": origin})
        assert sent.status == 200, "that is between the browser and its page"
        for answer in (asked, sent):
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_of_the_s3_door_the_addresses_of_parts_alone_are_open_to_pages(open_api: Api) -> None:
    url = begun_part(open_api)
    path, _, query = url.partition("?")
    upload_id = parse_qs(query)["uploadId"][0]
    closed = {
        "another method": open_api.ask("OPTIONS", url, headers={**SENDING, "Access-Control-Request-Method": "GET"}),
        "no signature": open_api.ask("OPTIONS", f"{path}?partNumber=1&uploadId={upload_id}", headers=SENDING),
        "no upload of an app": open_api.ask("OPTIONS", url.replace(upload_id, "x" * len(upload_id)), headers=SENDING),
        "no text": open_api.ask("OPTIONS", url.replace(upload_id, "%ff"), headers=SENDING),
        "an object": open_api.ask("OPTIONS", path, headers=SENDING),
        "a version of one": open_api.ask("OPTIONS", f"{path}?versionId=1", headers=SENDING),
        "its tags": open_api.ask("OPTIONS", f"{path}?tagging", headers=SENDING),
    }
    assert {name: answer.status for name, answer in closed.items()} == dict.fromkeys(closed, 403)
    closed["a part of what is no text"] = open_api.put(
        url.replace(upload_id, "%ff"), body=PART, headers={"Origin": APP}
    )
    assert closed["a part of what is no text"].status == 403
    closed["a read"] = open_api.get(url, headers={"Origin": APP})
    closed["an upload by S3"] = open_api.with_keys(ROOT).put(path, body=b"x", headers={"Origin": APP})
    assert closed["an upload by S3"].status == 200
    for name, answer in closed.items():
        assert not [header for header in answer.headers if header.startswith("access-control")], name
