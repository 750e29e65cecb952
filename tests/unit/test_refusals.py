"""What is said before a door can answer: in the words of the door that the path is for."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import create_autospec

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.refusals import TROUBLES, Refusals
from gateway.telemetry import Telemetry
from gateway.waiting import Waiting

S3, API, HEALTH = "/bucket/key", "/api/v1/images", "/health"


def said(answer: Any) -> tuple[int, dict[str, str], bytes]:
    return answer.status, dict(answer.header_list), answer.body


def refused(status: int, target: str, *image_names: str) -> tuple[int, dict[str, str], bytes]:
    telemetry = create_autospec(Telemetry, instance=True)
    answer = said(Refusals(telemetry, image_names).answer(status, target))
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
        answer = refused(status, path, "imgproxy")
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
    ("path", "piece"),
    [
        (API, b'"detail": {"code": "SERVICE_UNAVAILABLE"'),
        ("/openapi.json", b'"detail": {"code": "SERVICE_UNAVAILABLE"'),
        ("/img/bucket/key", b'{"error": {"code": "ServiceUnavailable"'),
        (HEALTH, b'{"status": "unhealthy"}'),
        (S3, b"<Code>ServiceUnavailable</Code>"),
    ],
)
async def test_a_node_that_waits_for_its_database_answers_at_every_door(path: str, piece: bytes) -> None:
    telemetry = create_autospec(Telemetry, instance=True)
    status, headers, body = said(await Waiting(telemetry).handle(make_mocked_request("GET", path)))
    assert status == 503
    assert int(headers["Retry-After"]) >= 1
    assert piece in body
    telemetry.finish.assert_called_once()
