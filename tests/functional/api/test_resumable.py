"""Uploads in parts: addresses that are good for one part each, and the image that is made of them."""

from __future__ import annotations

import hashlib
import http.client
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from conformance.target import Keys
from signing.sigv4.sign import Credentials, presign
from tests import images
from tests.functional.api.client import Api
from tests.services import ROOT, Server

DATA = images.jpeg((1200, 900)) + bytes(range(256)) * 36_000
"""Of two parts."""
PART = 8 * 1024 * 1024
ADMIN = "/api/admin/v1"


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


@pytest.fixture(scope="module")
def owner(api: Api) -> Api:
    """An account by its own key."""
    return api.with_keys(api.server.keys("resumes"))


def small() -> bytes:
    """A picture of one part, like no other."""
    return images.jpeg((64, 48)) + secrets.token_bytes(16)


def change_key(api: Api, key: str, **change: Any) -> None:
    answer = api.with_keys(ROOT).patch(f"{ADMIN}/keys/{key}", json=change)
    assert answer.status == 200, answer.body


def test_addresses_open_no_more_than_the_key_that_asked(api: Api, owner: Api, api_server: Server) -> None:
    data = small()
    assert owner.keys is not None
    upload = begin(owner, len(data))
    made = api.with_keys(ROOT).post(f"{ADMIN}/keys", json={"account": "resumes", "scope": {"read_only": True}}).json
    key = made["access_key"]
    narrowed = api.with_keys(Keys(key, made["secret_key"]))
    seen = narrowed.get(upload["status_url"])
    assert (seen.status, seen.json["parts"]) == (200, [{"number": 1, "size": len(data), "url": None}])
    address = presign(
        Credentials(owner.keys.access_key, owner.keys.secret_key),
        method="GET",
        url=f"{api_server.url}{upload['status_url']}",
        now=time.time(),
        region="us-east-1",
        expires=60,
    )
    assert api.get(address.removeprefix(api_server.url)).json["parts"] == seen.json["parts"], "to read, and no more"
    # What a key was given ends with it, and where it may not be used.
    change_key(api, key, scope={"networks": ["127.0.0.0/8", "::1/128"]})
    url = narrowed.get(upload["status_url"]).json["parts"][0]["url"]
    for change in ({"scope": {"networks": ["192.0.2.0/24"]}}, {"scope": {"read_only": True}}, {"enabled": False}):
        change_key(api, key, **change)
        assert send(api_server, url, data) == 403, change
        change_key(api, key, scope=None, enabled=True)
    assert send(api_server, url, data) == 200
    assert owner.post(upload["complete_url"], json={}).status == 201


def test_addresses_end_where_their_user_is_switched_off(api: Api, api_server: Server) -> None:
    subject, data = f"leaves-{secrets.token_hex(4)}", small()
    upload = begin(api.app_user(subject), len(data))
    url = upload["parts"][0]["url"]
    assert send(api_server, url, data) == 200
    for enabled, status in ((False, 403), (True, 200)):
        answer = api.with_keys(ROOT).patch(f"{ADMIN}/users/{subject}", json={"enabled": enabled})
        assert answer.status == 200, answer.body
        assert send(api_server, url, data) == status


def complete_by_s3(api_server: Server, bucket: str, upload: dict[str, Any], data: bytes) -> Any:
    """Complete an upload of one part on the S3 door, as root."""
    part = {"PartNumber": 1, "ETag": hashlib.md5(data).hexdigest()}
    return api_server.client(ROOT).complete_multipart_upload(
        Bucket=bucket,
        Key=f"{upload['image_id']}/large.jpg",
        UploadId=upload["upload_id"],
        MultipartUpload={"Parts": [part]},
    )


def test_an_upload_that_s3_completes_is_its_image(api: Api, api_server: Server) -> None:
    who, data = api.app_user(f"by-s3-{secrets.token_hex(4)}"), small()
    upload = begin(who, len(data))
    assert send(api_server, upload["parts"][0]["url"], data) == 200
    bucket = urlsplit(upload["parts"][0]["url"]).path.split("/")[1]
    answer = complete_by_s3(api_server, bucket, upload, data)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-pixgate-image-id"] == upload["image_id"]
    told = who.get(upload["status_url"]).json
    assert (told["completed"], told["image_id"]) == (True, upload["image_id"])
    made = who.get(f"images/{upload['image_id']}").json
    assert (made["filename"], made["content_type"], made["file_size"]) == ("large.jpg", "image/jpeg", len(data))
    assert who.get(f"images/{upload['image_id']}/file").body == data
    assert who.post(upload["complete_url"], json={}).json["id"] == upload["image_id"]
    assert upload["image_id"] in {one["id"] for one in who.get("users/me/images").json["images"]}


def test_what_s3_completes_and_is_no_image_is_told_as_gone(owner: Api, api_server: Server) -> None:
    data = bytes(1000)
    upload = begin(owner, len(data))
    assert send(api_server, upload["parts"][0]["url"], data) == 200
    bucket = urlsplit(upload["parts"][0]["url"]).path.split("/")[1]
    assert (
        "x-pixgate-image-id" not in complete_by_s3(api_server, bucket, upload, data)["ResponseMetadata"]["HTTPHeaders"]
    )
    assert owner.get(upload["status_url"]).code == "NOT_FOUND"
    assert owner.post(upload["complete_url"], json={}).code == "NOT_FOUND"


def test_an_upload_of_what_is_there_answers_the_same_again(api: Api, api_server: Server) -> None:
    who, data = api.as_user(api.register()), small()
    account = who.get("auth/me").json["account"]
    answer = api.with_keys(ROOT).patch(f"{ADMIN}/accounts/{account}", json={"duplicates": "return"})
    assert answer.status == 200, answer.body
    first = who.upload(data).json["id"]
    upload = begin(who, len(data))
    assert send(api_server, upload["parts"][0]["url"], data) == 200
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: who.post(upload["complete_url"], json={}), range(3)))
    answers.append(who.post(upload["complete_url"], json={}))
    assert [(answer.status, answer.json.get("id")) for answer in answers] == [(200, first)] * 4
    told = who.get(upload["status_url"]).json
    assert (told["completed"], told["image_id"], told["parts"]) == (True, first, [])
    bucket = urlsplit(upload["parts"][0]["url"]).path.split("/")[1]
    with pytest.raises(ClientError, match="NoSuchUpload"):
        complete_by_s3(api_server, bucket, upload, data)
