"""Uploading an image: where it goes, and what is answered."""

from __future__ import annotations

import hashlib
import re

import pytest
from PIL import Image

from tests import images
from tests.functional.api.client import Api, File
from tests.functional.api.uploading import JPEG, keys_of
from tests.services import ROOT, Server

IMAGE_ID = re.compile(r"I[A-Z2-7]{26}")


def test_the_answer_is_the_image(me: Api) -> None:
    data = images.jpeg((300, 200), seed=5)
    answer = me.upload(File(data, "a photo.jpg"), metadata='{"place": "Übersee", "n": [1, null]}')
    assert answer.status == 201
    made = answer.json
    assert IMAGE_ID.fullmatch(made["id"])
    assert answer.headers["location"] == f"/api/v1/images/{made['id']}"
    assert (made["width"], made["height"]) == (300, 200)
    assert made["file_size"] == len(data)
    assert made["checksum"] == hashlib.sha256(data).hexdigest()
    assert made["filename"] == "a photo.jpg"
    assert made["content_type"] == "image/jpeg"
    assert made["visibility"] == "public"
    assert made["metadata"] == {"place": "Übersee", "n": [1, None]}
    assert made["delete_token"] is None
    assert made["upload_ip"] == "127.0.0.1"
    assert re.fullmatch(r"[0-9a-f]{32}", made["job_id"])
    assert me.get(f"images/jobs/{made['job_id']}").json["image_id"] == made["id"]
    assert me.get(f"images/{made['id']}/file").body == data


def test_with_a_bucket_the_answer_is_a_job(me: Api, api_server: Server) -> None:
    answer = me.upload(JPEG, bucket="with-a-bucket")
    assert answer.status == 202
    assert set(answer.json) == {"job_id", "image_id", "status", "status_url"}
    assert answer.json["status"] == "pending"
    assert answer.json["status_url"] == f"/api/v1/images/jobs/{answer.json['job_id']}"
    assert me.get(answer.json["status_url"]).status == 200
    assert keys_of(api_server, "with-a-bucket") == [f"{answer.json['image_id']}/photo.jpg"]


def test_prefer_respond_async_is_answered_with_a_job(me: Api) -> None:
    answer = me.upload(JPEG, headers={"Prefer": "wait=5, Respond-Async"})
    assert answer.status == 202
    assert answer.headers["preference-applied"] == "respond-async"


def test_a_slash_at_the_end_makes_no_difference(me: Api) -> None:
    assert me.post("images/upload/", form=[("file", File(JPEG))]).status == 201


@pytest.mark.parametrize(
    ("data", "size", "kind"),
    [
        (images.png((90, 40)), (90, 40), "image/png"),
        (images.encoded(images.photo((70, 50)), "WEBP"), (70, 50), "image/webp"),
        (images.jpeg((1200, 900), quality=95), (1200, 900), "image/jpeg"),
    ],
    ids=["png", "webp", "large jpeg"],
)
def test_the_type_is_what_the_bytes_are(me: Api, data: bytes, size: tuple[int, int], kind: str) -> None:
    made = me.upload(File(data, "x.gif", "text/html")).json
    assert (made["content_type"], (made["width"], made["height"])) == (kind, size)


def test_size_is_as_the_image_is_seen(me: Api) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = images.encoded(images.photo((80, 60)), "JPEG", exif=exif.tobytes())
    made = me.upload(data).json
    assert (made["width"], made["height"]) == (60, 80)


def test_a_header_behind_large_profiles_is_found(me: Api) -> None:
    """Two megabytes of application segments stand before the frame header."""
    segment = b"\xff\xeb" + (65_533).to_bytes(2) + bytes(65_531)
    data = images.jpeg((64, 48))
    made = me.upload(data[:2] + segment * 32 + data[2:]).json
    assert (made["width"], made["height"]) == (64, 48)


def test_an_access_key_uploads_to_its_account(api: Api, api_server: Server) -> None:
    answer, other = api.with_keys(ROOT).upload(JPEG), api.with_keys(ROOT).upload(JPEG)
    assert answer.status == 201
    client = api_server.client()
    assert "root" in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    assert {f"{a.json['id']}/photo.jpg" for a in (answer, other)} <= set(keys_of(api_server, "root"))
    body = client.get_object(Bucket="root", Key=f"{answer.json['id']}/photo.jpg")["Body"]
    with body:
        assert body.read() == JPEG


def test_buckets_of_others_are_refused(me: Api, api_server: Server) -> None:
    api_server.client().create_bucket(Bucket="of-root-alone")
    answer = me.upload(JPEG, bucket="of-root-alone")
    assert (answer.status, answer.code) == (403, "FORBIDDEN")
    assert me.upload(JPEG, bucket="NO BUCKET").status == 400


def test_users_of_apps_upload_where_the_app_does_and_nowhere_else(api: Api, api_server: Server) -> None:
    bob, eve = api.app_user("bob-of-app"), api.app_user("eve-of-app")
    assert bob.upload(JPEG, bucket="bucket-of-the-app").status == 202
    assert eve.upload(JPEG, bucket="bucket-of-the-app").status == 202
    client = api_server.client(api_server.keys("app"))
    client.create_bucket(Bucket="private-of-the-app")
    assert bob.upload(JPEG, bucket="private-of-the-app").code == "FORBIDDEN"


def test_a_bucket_that_is_named_behind_the_file_counts(me: Api, api_server: Server) -> None:
    answer = me.post("images/upload", form=[("file", File(JPEG)), ("bucket", "named-later"), ("visibility", "public")])
    assert answer.status == 202
    assert keys_of(api_server, "named-later") == [f"{answer.json['image_id']}/photo.jpg"]


def test_a_bucket_that_encrypts_has_no_byte_in_the_clear(api: Api, api_server: Server) -> None:
    client = api_server.client()
    client.create_bucket(Bucket="sealed-uploads")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client.put_bucket_encryption(Bucket="sealed-uploads", ServerSideEncryptionConfiguration={"Rules": [rule]})
    sealing = api.with_keys(ROOT)
    large = images.jpeg((1500, 1000), quality=95)
    for data in (JPEG, large):
        before = sealing.upload(data, bucket="sealed-uploads")
        after = sealing.post("images/upload", form=[("file", File(data)), ("bucket", "sealed-uploads")])
        for answer in (before, after):
            assert answer.status == 202, answer.body
            key = f"{answer.json['image_id']}/photo.jpg"
            found = client.get_object(Bucket="sealed-uploads", Key=key)
            assert found["ServerSideEncryption"] == "AES256"
            with found["Body"] as body:
                assert body.read() == data


def test_visibility_is_what_was_asked_for(me: Api) -> None:
    for visibility in ("public", "unlisted", "private"):
        assert me.upload(JPEG, visibility=visibility).json["visibility"] == visibility
    assert me.upload(JPEG, visibility="secret").status == 422


def test_in_a_bucket_visibility_is_the_buckets(api: Api, api_server: Server) -> None:
    who = api.with_keys(ROOT)
    image_id = who.upload(JPEG, bucket="closed-by-default").json["image_id"]
    assert who.get(f"images/{image_id}").json["visibility"] == "private"


def test_nobody_may_upload(api: Api) -> None:
    answer = api.upload(JPEG)
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
