"""Quotas on the S3 door: what does not fit is refused by name, whoever writes and however, and room that is made counts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.api.client import Answer, Api
from tests.images import jpeg
from tests.services import ROOT

ADMIN = "/api/admin/v1"
MIB = 1024 * 1024


class Limited:
    """An account with a bucket and a quota."""

    def __init__(self, api: Api) -> None:
        self.account = f"quota-{secrets.token_hex(4)}"
        self.keys = api.server.keys(self.account)
        self.s3 = api.server.client(self.keys)
        self.bucket = f"{self.account}-bucket"
        self.s3.create_bucket(Bucket=self.bucket)
        self.admin = api.with_keys(ROOT)
        self.root = api.server.client(ROOT)

    def limit(self, **quotas: int | None) -> None:
        assert self.admin.patch(f"{ADMIN}/accounts/{self.account}", json=quotas).status == 200

    def held(self) -> int:
        return int(self.admin.get(f"{ADMIN}/accounts/{self.account}").json["bytes"])

    def put(self, key: str, size: int, client: Any = None) -> Any:
        return (client or self.s3).put_object(Bucket=self.bucket, Key=key, Body=b"x" * size)


@pytest.fixture(scope="module")
def limited(api: Api) -> Iterator[Limited]:
    made = Limited(api)
    yield made
    made.limit(quota_bytes=None)


@pytest.fixture(autouse=True)
def _empty(limited: Limited) -> Iterator[None]:
    yield
    limited.limit(quota_bytes=None)
    for upload in limited.s3.list_multipart_uploads(Bucket=limited.bucket).get("Uploads", ()):
        limited.s3.abort_multipart_upload(Bucket=limited.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for one in limited.s3.list_objects_v2(Bucket=limited.bucket).get("Contents", ()):
        limited.s3.delete_object(Bucket=limited.bucket, Key=one["Key"])


def exceeded(call: Callable[[], Any]) -> None:
    with pytest.raises(ClientError) as error:
        call()
    assert error.value.response["Error"]["Code"] == "QuotaExceeded"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("size", [1000, 300_000], ids=["packed", "a file of its own"])
def test_a_put_beyond_the_quota_is_refused(limited: Limited, size: int) -> None:
    limited.limit(quota_bytes=2 * size)
    limited.put("a", size)
    limited.put("b", size)
    exceeded(lambda: limited.put("c", 1))
    limited.put("c", 0)
    limited.put("a", size)  # in the place of as much
    exceeded(lambda: limited.put("a", size + 1))
    limited.s3.delete_object(Bucket=limited.bucket, Key="b")
    limited.put("c", size)
    assert limited.held() == 2 * size


def test_who_owns_the_bucket_pays_whoever_writes(limited: Limited) -> None:
    limited.limit(quota_bytes=10)
    exceeded(lambda: limited.put("k", 11, limited.root))
    limited.put("k", 10, limited.root)


def test_copies_count(limited: Limited) -> None:
    limited.put("a", 1000)
    limited.limit(quota_bytes=1999)
    copy = {"Bucket": limited.bucket, "Key": "b", "CopySource": f"{limited.bucket}/a"}
    exceeded(lambda: limited.s3.copy_object(**copy))
    exceeded(lambda: limited.s3.copy_object(**copy, ServerSideEncryption="AES256"))  # which writes the bytes anew
    limited.limit(quota_bytes=2000)
    limited.s3.copy_object(**copy)


def test_encrypted_objects_count_their_bytes(limited: Limited) -> None:
    limited.limit(quota_bytes=1000)
    put = {"Bucket": limited.bucket, "ServerSideEncryption": "AES256"}
    limited.s3.put_object(**put, Key="a", Body=b"x" * 1000)
    exceeded(lambda: limited.s3.put_object(**put, Key="b", Body=b"x"))


def test_parts_count_before_they_are_an_object(limited: Limited) -> None:
    limited.limit(quota_bytes=6 * MIB)
    s3, where = limited.s3, {"Bucket": limited.bucket, "Key": "parts"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    first = s3.upload_part(**upload, PartNumber=1, Body=b"x" * (5 * MIB))
    exceeded(lambda: s3.upload_part(**upload, PartNumber=2, Body=b"x" * (2 * MIB)))
    exceeded(lambda: limited.put("k", 2 * MIB))
    second = s3.upload_part(**upload, PartNumber=2, Body=b"x" * MIB)
    parts = [{"PartNumber": n, "ETag": part["ETag"]} for n, part in enumerate((first, second), 1)]
    limited.limit(quota_bytes=6 * MIB - 1)
    complete = {**upload, "MultipartUpload": {"Parts": parts}}
    exceeded(lambda: s3.complete_multipart_upload(**complete))
    limited.limit(quota_bytes=6 * MIB)
    s3.complete_multipart_upload(**complete)
    assert limited.held() == 6 * MIB
    exceeded(lambda: limited.put("k", 1))


def test_a_part_that_is_sent_again_counts_as_what_it_adds(limited: Limited) -> None:
    limited.put("a", 9000)
    limited.limit(quota_bytes=10_000)
    s3, where = limited.s3, {"Bucket": limited.bucket, "Key": "parts"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    s3.upload_part(**upload, PartNumber=1, Body=b"x" * 1000)
    s3.upload_part(**upload, PartNumber=1, Body=b"y" * 1000)
    exceeded(lambda: s3.upload_part(**upload, PartNumber=1, Body=b"y" * 1001))
    exceeded(lambda: s3.upload_part(**upload, PartNumber=2, Body=b"y"))
    s3.upload_part(**upload, PartNumber=1, Body=b"z")
    s3.upload_part(**upload, PartNumber=2, Body=b"z" * 999)
    exceeded(lambda: limited.put("b", 1))


def test_writers_at_once_do_not_pass_it_together(limited: Limited) -> None:
    limited.limit(quota_bytes=5000)

    def put(number: int) -> str:
        try:
            limited.put(f"k{number}", 1000)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "stored"

    with ThreadPoolExecutor(8) as pool:
        done = sorted(pool.map(put, range(24)))
    assert done == ["QuotaExceeded"] * 19 + ["stored"] * 5
    assert limited.held() == 5000


def test_what_is_there_stays_where_a_quota_is_set_below_it(limited: Limited) -> None:
    limited.put("a", 1000)
    limited.limit(quota_bytes=10)
    assert limited.s3.get_object(Bucket=limited.bucket, Key="a")["Body"].read() == b"x" * 1000
    exceeded(lambda: limited.put("b", 1))
    limited.s3.delete_object(Bucket=limited.bucket, Key="a")
    limited.put("b", 10)


def test_uploads_of_apps_count(api: Api, limited: Limited) -> None:
    app, photo = api.with_keys(limited.keys), jpeg((64, 48), seed=77)
    before = limited.held()
    limited.limit(quota_bytes=before + len(photo) - 1)
    assert app.upload(photo).code == "QUOTA_EXCEEDED"
    assert limited.held() == before, "nothing of it is left"
    limited.limit(quota_bytes=None, quota_images=2)
    made = [app.upload(jpeg((64, 48), seed=seed)) for seed in (78, 79)]
    assert [one.status for one in made] == [201, 201]
    refused = app.upload(photo)
    assert (refused.status, refused.code) == (403, "QUOTA_EXCEEDED")
    assert app.delete(f"images/{made[0].json['id']}").status == 204
    assert app.upload(photo).status == 201
    limited.limit(quota_images=None)


def test_a_change_makes_no_image_known_that_there_is_no_room_for(api: Api) -> None:
    limited = Limited(api)
    app = api.with_keys(limited.keys)
    limited.limit(quota_images=1)
    keys = ("a.jpg", "b.jpg")
    # The bucket is not catalogued: what S3 clients write there is known to apps once it is changed.
    made = [
        limited.s3.put_object(Bucket=limited.bucket, Key=key, Body=jpeg((64, 48), seed=90 + number))
        for number, key in enumerate(keys)
    ]
    ids = [one["ResponseMetadata"]["HTTPHeaders"]["x-pixgate-image-id"] for one in made]
    assert app.patch(f"images/{ids[0]}", json={"tags": ["first"]}).status == 200
    refused = app.patch(f"images/{ids[1]}", json={"tags": ["second"]})
    assert (refused.status, refused.code) == (403, "QUOTA_EXCEEDED")
    assert app.patch(f"images/{ids[0]}", json={"tags": ["again"]}).json["tags"] == ["again"]
    assert app.get(f"images/{ids[1]}").json["tags"] == []
    limited.limit(quota_images=2)
    assert app.patch(f"images/{ids[1]}", json={"tags": ["second"]}).json["tags"] == ["second"]


def test_an_upload_in_parts_is_one_image(api: Api) -> None:
    limited = Limited(api)
    app = api.with_keys(limited.keys)
    limited.limit(quota_images=2)

    def in_parts(seed: int) -> Answer:
        data = jpeg((64, 48), seed=seed)
        upload = app.post("images/uploads", json={"filename": "a.jpg", "size": len(data)}).json
        (part,) = upload["parts"]
        assert api.put(part["url"], body=data).status == 200
        return app.post(upload["complete_url"], json={})

    assert in_parts(81).status == 201
    assert in_parts(82).status == 201, "the last that there is room for"
    # That there is no room for another is told before any of its bytes are sent.
    refused = app.post("images/uploads", json={"filename": "a.jpg", "size": 1000})
    assert (refused.status, refused.code) == (403, "QUOTA_EXCEEDED")
    # What fitted at the start may not fit any more at the end.
    limited.limit(quota_images=3)
    data = jpeg((64, 48), seed=83)
    upload = app.post("images/uploads", json={"filename": "a.jpg", "size": len(data)}).json
    assert api.put(upload["parts"][0]["url"], body=data).status == 200
    limited.limit(quota_images=2)
    late = app.post(upload["complete_url"], json={})
    assert (late.status, late.code) == (403, "QUOTA_EXCEEDED")
