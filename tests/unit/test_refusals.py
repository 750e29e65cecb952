"""What is said before a door can answer: in the words of the door that the path is for."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import create_autospec

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.app import malformed, overloaded, refusal
from gateway.telemetry import RequestRecord, Telemetry
from gateway.waiting import Waiting

S3, API, HEALTH = "/bucket/key", "/api/v1/images", "/health"


def said(answer: Any) -> tuple[int, dict[str, str], bytes]:
    return answer.status, dict(answer.header_list), answer.body


@pytest.mark.parametrize("path", [API, "/api/admin/v1/keys"])
def test_a_node_that_takes_no_more_tells_apps_in_json(path: str) -> None:
    status, headers, body = said(refusal(overloaded(path), RequestRecord()))
    assert status == 503
    assert headers["Content-Type"] == "application/json"
    assert int(headers["Retry-After"]) >= 1
    document = json.loads(body)
    assert document["error"] == document["detail"]
    assert document["error"]["code"] == "SERVICE_UNAVAILABLE"


def test_and_all_others_in_xml() -> None:
    for path in (S3, "/", "/apiary/key"):
        status, headers, body = said(refusal(overloaded(path), RequestRecord()))
        assert (status, headers["Content-Type"], headers["Retry-After"]) == (503, "application/xml", "1")
        assert b"<Code>SlowDown</Code>" in body


@pytest.mark.parametrize(("status", "code"), [(400, "INVALID_REQUEST"), (500, "INTERNAL_ERROR")])
def test_what_is_no_http_is_told_in_the_words_of_its_door(status: int, code: str) -> None:
    answer = said(refusal(malformed(status, API + "?cursor="), RequestRecord()))
    assert (answer[0], answer[1]["Content-Type"]) == (status, "application/json")
    assert json.loads(answer[2])["detail"]["code"] == code
    answer = said(refusal(malformed(status, S3), RequestRecord()))
    assert (answer[0], answer[1]["Content-Type"]) == (status, "application/xml")


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
