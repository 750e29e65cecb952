"""What is said before a door can answer: in the words of the door that the path is for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.config import load
from gateway.doors import Doors
from gateway.refusals import TROUBLES, Refusals
from gateway.settings.settings import Settings
from gateway.telemetry import Telemetry
from gateway.waiting import Waiting

S3, API, HEALTH = "/bucket/key", "/api/v1/images", "/health"
DIALECTS = {
    "PIXGATE_DIALECTS": "imgproxy,thumbor",
    "PIXGATE_DIALECT_HOSTS": "pictures.example.org=imgproxy",
    "PIXGATE_DOMAIN": "s3.example.org",
}


def settings(**variables: str) -> Settings:
    return load(env_file=Path("/nonexistent"), environ=variables)


def said(answer: Any) -> tuple[int, dict[str, str], bytes]:
    return answer.status, dict(answer.header_list), answer.body


def refused(status: int, target: str, host: str = "", **variables: str) -> tuple[int, dict[str, str], bytes]:
    telemetry = create_autospec(Telemetry, instance=True)
    answer = said(Refusals(telemetry, Doors(settings(**variables))).answer(status, target, host))
    record = telemetry.finish.call_args.args[0]
    assert (record.status, record.bytes_out) == (answer[0], len(answer[2]))
    assert record.error_code
    return answer


@pytest.mark.parametrize("path", [API, "/api/admin/v1/keys", "/openapi.json", "http://host:1/api/v1/images"])
def test_a_node_that_takes_no_more_tells_apps_in_json(path: str) -> None:
    status, headers, body = refused(503, path)
    assert status == 503
    assert headers["Content-Type"] == "application/json"
    assert int(headers["Retry-After"]) >= 1
    document = json.loads(body)
    assert document["error"] == document["detail"]
    assert document["error"]["code"] == "SERVICE_UNAVAILABLE"


def test_and_s3_clients_in_xml() -> None:
    for path in (S3, "/", "/apiary/key", "/imgproxy/key", "*", ""):
        status, headers, body = refused(503, path)
        assert (status, headers["Content-Type"], headers["Retry-After"]) == (503, "application/xml", "1")
        assert b"<Code>SlowDown</Code>" in body


@pytest.mark.parametrize("status", TROUBLES)
def test_what_is_wrong_is_told_in_the_words_of_its_door(status: int) -> None:
    trouble = TROUBLES[status]
    answer = refused(status, API + "?cursor=")
    assert (answer[0], answer[1]["Content-Type"]) == (status, "application/json")
    assert json.loads(answer[2])["detail"]["code"] == trouble.api
    assert "X-Request-Id" in answer[1]
    for path in ("/img/bucket/key", "/imgproxy/signature/w:1"):
        answer = refused(status, path, **DIALECTS)
        assert (answer[0], answer[1]["Content-Type"]) == (status, "application/json")
        assert json.loads(answer[2])["error"]["code"] == trouble.img
        assert "x-amz-request-id" in answer[1]
    for path in (HEALTH, "/ui/docs/"):
        answer = refused(status, path)
        assert (answer[0], answer[1]["Content-Type"]) == (status, "application/json")
        assert json.loads(answer[2])["error"]
    answer = refused(status, S3)
    assert (answer[0], answer[1]["Content-Type"]) == (400 if status in (414, 431) else status, "application/xml")
    assert f"<Code>{trouble.s3}</Code>".encode() in answer[2]


@pytest.mark.parametrize(
    ("target", "host", "door"),
    [
        (S3, "pictures.example.org", "img"),
        (API, "Pictures.Example.org.:8443", "img"),
        ("", "pictures.example.org", "img"),
        ("http://pictures.example.org/bucket/key", "other", "img"),
        ("http://other/bucket/key", "pictures.example.org", "s3"),
        ("/ui/", "pictures.example.org", "img"),
        (HEALTH, "pictures.example.org", "ui"),
        ("/thumbor/key", "other", "img"),
        (API, "bucket.s3.example.org:9000", "s3"),
        ("/img/key", "bucket.s3.example.org", "s3"),
        ("/img/key", "s3.example.org", "img"),
        (API, "[::1]:9000", "api"),
    ],
)
def test_the_host_tells_the_doors_apart_as_well(target: str, host: str, door: str) -> None:
    status, headers, body = refused(400, target, host, **DIALECTS)
    assert status == 400
    assert headers["Content-Type"] == ("application/xml" if door == "s3" else "application/json")
    if door == "s3":
        assert b"<Code>InvalidRequest</Code>" in body
    else:
        error = json.loads(body)["error"]
        told = "InvalidRequest" if door == "img" else "INVALID_REQUEST"
        assert error["code"] == told if door != "ui" else isinstance(error, str)


async def waited(path: str, host: str = "h", method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    telemetry = create_autospec(Telemetry, instance=True)
    request = make_mocked_request(method, path, {"Host": host})
    answer = said(await Waiting(telemetry, Doors(settings(**DIALECTS))).handle(request))
    telemetry.finish.assert_called_once()
    return answer


@pytest.mark.parametrize(
    ("path", "piece"),
    [
        (API, b'"detail": {"code": "SERVICE_UNAVAILABLE"'),
        ("/openapi.json", b'"detail": {"code": "SERVICE_UNAVAILABLE"'),
        ("/img/bucket/key", b'{"error": {"code": "ServiceUnavailable"'),
        ("/imgproxy/signature/w:1/plain/s3://bucket/key", b'{"error": {"code": "ServiceUnavailable"'),
        ("/thumbor/unsafe/10x10/bucket/key", b'{"error": {"code": "ServiceUnavailable"'),
        ("/ui/", b'{"error": "The server is not ready yet."}'),
        (HEALTH, b'{"status": "unhealthy"}'),
        ("/readyz", b"not ready"),
        (S3, b"<Code>ServiceUnavailable</Code>"),
    ],
)
async def test_a_node_that_waits_for_its_database_answers_at_every_door(path: str, piece: bytes) -> None:
    status, headers, body = await waited(path)
    assert status == 503
    assert int(headers["Retry-After"]) >= 1
    assert piece in body


async def test_and_as_the_door_of_a_host_does() -> None:
    foreign = await waited("/signature/w:1/plain/s3://bucket/key", "pictures.example.org:8080")
    native = await waited("/img/bucket/key")
    assert foreign[0] == native[0] == 503
    assert foreign[2] == native[2]
    assert foreign[1].keys() == native[1].keys()
    assert foreign[1]["Cache-Control"] == "no-store"
    assert (await waited("/img/key", "bucket.s3.example.org"))[1]["Content-Type"] == "application/xml"
    for host in ("pictures.example.org", "bucket.s3.example.org"):
        assert (await waited("/livez", host))[0] == 200
