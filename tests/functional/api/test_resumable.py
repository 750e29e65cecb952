"""Uploads in parts: addresses that are good for one part each, and the image that is made of them."""

from __future__ import annotations

import hashlib
import http.client
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import images
from tests.functional.api.client import Api
from tests.services import ROOT, Server

DATA = images.jpeg((1200, 900)) + bytes(range(256)) * 36_000
"""Of two parts."""
PART = 8 * 1024 * 1024


@pytest.fixture(scope="module")
def ann(api: Api) -> Api:
    return api.as_user(api.register())


def send(server: Server, url: str, data: bytes, method: str = "PUT") -> int:
    """What the S3 door answers to a part that is sent to a presigned address."""
    place = urlsplit(server.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    try:
        connection.request(method, url, data)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def begin(who: Api, size: int = len(DATA), **more: Any) -> dict[str, Any]:
    answer = who.post("images/uploads", json={"filename": "large.jpg", "size": size, **more})
    assert answer.status == 201, answer.body
    return dict(answer.json)


def piece(number: int) -> bytes:
    return DATA[(number - 1) * PART : number * PART]


def send_all(server: Server, upload: dict[str, Any]) -> None:
    for part in upload["parts"]:
        assert len(piece(part["number"])) == part["size"]
        assert send(server, part["url"], piece(part["number"])) == 200


def test_parts_become_an_image(ann: Api, api_server: Server) -> None:
    upload = begin(ann)
    assert [part["number"] for part in upload["parts"]] == [1, 2]
    send_all(api_server, upload)
    answer = ann.post(upload["complete_url"], json={"visibility": "unlisted", "metadata": {"a": 1}})
    assert answer.status == 201, answer.body
    made = answer.json
    assert made["id"] == upload["image_id"]
    assert (made["width"], made["height"], made["file_size"]) == (1200, 900, len(DATA))
    assert (made["filename"], made["visibility"], made["metadata"]) == ("large.jpg", "unlisted", {"a": 1})
    assert made["checksum"] == hashlib.sha256(DATA).hexdigest()
    assert ann.get(f"images/{made['id']}/file").body == DATA
    assert ann.get(f"images/jobs/{made['job_id']}").json["image_id"] == made["id"]
    again = ann.post(upload["complete_url"], json={})
    assert (again.status, again.json["id"]) == (201, made["id"])
    assert ann.get(upload["status_url"]).json["completed"] is True


def test_an_upload_goes_on_where_it_was_cut(ann: Api, api_server: Server) -> None:
    upload = begin(ann)
    assert send(api_server, upload["parts"][1]["url"], piece(2)) == 200
    answer = ann.post(upload["complete_url"], json={})
    assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
    left = ann.get(upload["status_url"]).json["parts"]
    assert [part["number"] for part in left] == [1]
    assert send(api_server, left[0]["url"], piece(1)) == 200
    assert ann.get(upload["status_url"]).json["parts"] == []
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ann.post(upload["complete_url"], json={}), range(4)))
    assert {answer.status for answer in answers} == {201}
    assert {answer.json["id"] for answer in answers} == {upload["image_id"]}


def test_an_address_is_good_for_its_part_alone(ann: Api, api_server: Server) -> None:
    upload = begin(ann)
    first = upload["parts"][0]["url"]
    assert send(api_server, first, piece(1)[:-1]) == 403
    assert send(api_server, first, piece(1) + b"x") == 403
    assert send(api_server, first.replace("partNumber=1", "partNumber=2"), piece(1)) == 403
    assert send(api_server, first.partition("?")[0], piece(1)) == 403
    assert send(api_server, first, b"", "GET") in (400, 403)
    assert send(api_server, first, b"", "DELETE") in (400, 403)
    assert ann.get(upload["status_url"]).json["parts"][0]["number"] == 1


def test_what_is_no_image_ends_the_upload(ann: Api, api_server: Server) -> None:
    upload = begin(ann, size=1000)
    assert send(api_server, upload["parts"][0]["url"], bytes(1000)) == 200
    answer = ann.post(upload["complete_url"], json={})
    assert (answer.status, answer.code) == (400, "INVALID_FILE_FORMAT")
    assert ann.get(upload["status_url"]).code == "NOT_FOUND"
    assert ann.get(f"images/{upload['image_id']}").code == "IMAGE_NOT_FOUND"


def test_what_cannot_be_begun(ann: Api, api: Api) -> None:
    assert ann.post("images/uploads", json={"filename": "a", "size": 10_000_001}).code == "FILE_TOO_LARGE"
    for body in ({}, {"filename": "a"}, {"filename": "a", "size": 0}, {"filename": "a", "size": 1, "x": 1}):
        assert ann.post("images/uploads", json=body).status == 422
    assert api.post("images/uploads", json={"filename": "a", "size": 1}).status == 401
    api.with_keys(ROOT).upload(images.jpeg((20, 20)), bucket="not-for-ann")
    answer = ann.post("images/uploads", json={"filename": "a", "size": 1, "bucket": "not-for-ann"})
    assert (answer.status, answer.code) == (403, "FORBIDDEN")


def test_others_see_nothing_of_an_upload(api: Api, api_server: Server) -> None:
    one, other = api.app_user("resumes"), api.app_user("looks-on")
    upload = begin(one)
    for who in (other, api.as_user(api.register())):
        assert who.get(upload["status_url"]).code == "NOT_FOUND"
        assert who.delete(upload["status_url"]).code == "NOT_FOUND"
        assert who.post(upload["complete_url"], json={}).code == "NOT_FOUND"
    send_all(api_server, upload)
    assert one.post(upload["complete_url"], json={}).status == 201


def test_an_upload_can_be_given_up(ann: Api, api_server: Server) -> None:
    upload = begin(ann)
    assert send(api_server, upload["parts"][0]["url"], piece(1)) == 200
    assert ann.delete(upload["status_url"]).status == 204
    assert ann.delete(upload["status_url"]).code == "NOT_FOUND"
    assert send(api_server, upload["parts"][1]["url"], piece(2)) == 404


def test_equal_bytes_share_with_those_of_one_form(ann: Api, api_server: Server) -> None:
    upload = begin(ann)
    send_all(api_server, upload)
    first = ann.upload(DATA).json["id"]
    assert ann.post(upload["complete_url"], json={}).status == 201
    assert ann.delete(f"images/{first}").status == 204
    assert ann.get(f"images/{upload['image_id']}/file").body == DATA
