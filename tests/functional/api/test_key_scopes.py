"""Narrowed access keys over real doors: what is theirs works, and no way around leads further."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from conformance.target import Keys
from signing.image_link import s3_link_key, sign_link
from tests.functional.api.client import Api
from tests.functional.imaging import fetch
from tests.images import jpeg
from tests.services import ROOT, Server

ADMIN = "/api/admin/v1"
PHOTO = jpeg((64, 48))
INSIDE, OUTSIDE = "in/photo.jpg", "out/photo.jpg"


@dataclass(frozen=True)
class World:
    """An account with two buckets of the same keys. `s3` is its own client, without bounds."""

    api: Api
    account: str
    bucket: str
    other: str
    keys: Keys
    s3: Any
    ids: dict[tuple[str, str], str]

    def narrowed(self, **scope: Any) -> Keys:
        answer = self.api.with_keys(ROOT).post(f"{ADMIN}/keys", json={"account": self.account, "scope": scope})
        assert answer.status == 201, answer.body
        return Keys(answer.json["access_key"], answer.json["secret_key"])

    def client(self, keys: Keys) -> Any:
        return self.api.server.client(keys)

    @property
    def server(self) -> Server:
        return self.api.server


@pytest.fixture(scope="module")
def world(api: Api) -> World:
    account = f"scopes-{secrets.token_hex(4)}"
    keys = api.server.keys(account)
    s3 = api.server.client(keys)
    bucket, other = f"{account}-a", f"{account}-b"
    ids = {}
    for name in (bucket, other):
        s3.create_bucket(Bucket=name)
        for key in (INSIDE, OUTSIDE):
            put = s3.put_object(Bucket=name, Key=key, Body=PHOTO)
            ids[name, key] = put["ResponseMetadata"]["HTTPHeaders"]["x-pixgate-image-id"]
    return World(api, account, bucket, other, keys, s3, ids)


def denied(call: Callable[[], Any]) -> None:
    with pytest.raises(ClientError) as error:
        call()
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.fixture(scope="module")
def prefixed(world: World) -> Keys:
    """A key for one prefix of one bucket."""
    return world.narrowed(buckets={world.bucket: ["in/"]})


def test_a_key_for_a_prefix_does_all_there(world: World, prefixed: Keys) -> None:
    s3, bucket = world.client(prefixed), world.bucket
    s3.head_bucket(Bucket=bucket)
    s3.get_bucket_location(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key=INSIDE)["Body"].read() == PHOTO
    s3.put_object(Bucket=bucket, Key="in/new", Body=b"1")
    s3.copy_object(Bucket=bucket, Key="in/copy", CopySource=f"{bucket}/{INSIDE}")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="in/parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="in/parts", UploadId=upload, PartNumber=1, Body=b"2")
    given = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="in/parts", UploadId=upload, MultipartUpload=given)
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="in/")
    assert {one["Key"] for one in listed["Contents"]} == {INSIDE, "in/new", "in/copy", "in/parts"}
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in ("in/new", "in/copy", "in/parts")]})
    assert len(gone["Deleted"]) == 3
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == [bucket]


def test_a_key_for_a_prefix_finds_no_way_around_it(world: World, prefixed: Keys) -> None:
    s3, bucket, other = world.client(prefixed), world.bucket, world.other
    part = {"UploadId": "x", "PartNumber": 1}
    ways: list[Callable[[], Any]] = [
        lambda: s3.get_object(Bucket=bucket, Key=OUTSIDE),
        lambda: s3.head_object(Bucket=bucket, Key=OUTSIDE),
        lambda: s3.get_object(Bucket=other, Key=INSIDE),
        lambda: s3.get_object(Bucket=bucket, Key="in"),
        lambda: s3.put_object(Bucket=bucket, Key=OUTSIDE, Body=b""),
        lambda: s3.delete_object(Bucket=bucket, Key=OUTSIDE),
        lambda: s3.get_object_tagging(Bucket=bucket, Key=OUTSIDE),
        lambda: s3.get_object_attributes(Bucket=bucket, Key=OUTSIDE, ObjectAttributes=["ETag"]),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key=OUTSIDE),
        lambda: s3.upload_part(Bucket=bucket, Key=OUTSIDE, Body=b"", **part),
        # What it may not read does not come in as a copy, nor as a part.
        lambda: s3.copy_object(Bucket=bucket, Key="in/stolen", CopySource=f"{bucket}/{OUTSIDE}"),
        lambda: s3.copy_object(Bucket=bucket, Key="in/stolen", CopySource=f"{other}/{INSIDE}"),
        lambda: s3.upload_part_copy(
            Bucket=bucket,
            Key="in/stolen",
            UploadId=s3.create_multipart_upload(Bucket=bucket, Key="in/stolen")["UploadId"],
            PartNumber=1,
            CopySource=f"{bucket}/{OUTSIDE}",
        ),
        lambda: s3.list_objects_v2(Bucket=bucket),
        lambda: s3.list_objects_v2(Bucket=bucket, Prefix="i"),
        lambda: s3.list_objects_v2(Bucket=bucket, Prefix="out/"),
        lambda: s3.list_objects(Bucket=bucket, Delimiter="/"),
        lambda: s3.list_object_versions(Bucket=bucket, Prefix="out/"),
        lambda: s3.list_multipart_uploads(Bucket=bucket),
        lambda: s3.head_bucket(Bucket=other),
        lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        lambda: s3.delete_bucket(Bucket=bucket),
        lambda: s3.create_bucket(Bucket=f"{world.account}-new"),
    ]
    for number, way in enumerate(ways):
        try:
            denied(way)
        except BaseException as error:
            raise AssertionError(f"way {number} is open") from error
    several = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": OUTSIDE}, {"Key": "in/none"}]})
    assert [(one["Key"], one["Code"]) for one in several["Errors"]] == [(OUTSIDE, "AccessDenied")]
    assert [one["Key"] for one in several["Deleted"]] == ["in/none"]
    assert world.s3.get_object(Bucket=bucket, Key=OUTSIDE)["Body"].read() == PHOTO


def test_presigned_urls_reach_what_their_key_reaches(world: World, prefixed: Keys) -> None:
    s3 = world.server.client(prefixed, signature_version="s3v4")

    def status(key: str, method: str = "get_object", bucket: str = world.bucket) -> int:
        url = s3.generate_presigned_url(method, Params={"Bucket": bucket, "Key": key})
        return world.server.fetch(url[len(world.server.url) :])[0]

    assert status(INSIDE) == 200
    assert status(OUTSIDE) == 403
    assert status(INSIDE, bucket=world.other) == 403


def _link(world: World, keys: Keys, path: str, *more: tuple[str, str]) -> str:
    expires = int(time.time()) + 600
    pairs = [("w", "20"), *more]
    return sign_link(path, pairs, key_id=keys.access_key, key=s3_link_key(keys.secret_key), expires=expires)


def test_image_links_reach_what_their_key_reaches(world: World, prefixed: Keys) -> None:
    bucket, other, ids = world.bucket, world.other, world.ids

    def status(path: str, keys: Keys = prefixed) -> int:
        return fetch(world.server, _link(world, keys, path)).status

    assert status(f"/img/{bucket}/{INSIDE}") == 200
    assert status(f"/img/{ids[bucket, INSIDE]}") == 200
    for path in (f"/img/{bucket}/{OUTSIDE}", f"/img/{other}/{INSIDE}"):
        assert status(path, world.keys) == 200
        assert status(path) == 403, path
    for where in ((bucket, OUTSIDE), (other, INSIDE)):
        assert status(f"/img/{ids[where]}", world.keys) == 200
        assert status(f"/img/{ids[where]}") == 404, "whoever has a key is told that the id leads nowhere"
    # A watermark is read with the rights of who asks, too.
    for mark, expected in ((INSIDE, 200), (OUTSIDE, 400)):
        link = _link(world, prefixed, f"/img/{bucket}/{INSIDE}", ("wm", f"{bucket}/{mark}"))
        assert fetch(world.server, link).status == expected, mark


def test_a_key_that_reads_writes_nothing(world: World) -> None:
    keys = world.narrowed(read_only=True)
    s3, bucket = world.client(keys), world.bucket
    assert s3.get_object(Bucket=bucket, Key=OUTSIDE)["Body"].read() == PHOTO
    assert len(s3.list_buckets()["Buckets"]) == 2
    s3.list_objects_v2(Bucket=world.other)
    s3.list_multipart_uploads(Bucket=bucket)
    ways: list[Callable[[], Any]] = [
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b""),
        lambda: s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/{INSIDE}"),
        lambda: s3.delete_object(Bucket=bucket, Key=INSIDE),
        lambda: s3.put_object_tagging(Bucket=bucket, Key=INSIDE, Tagging={"TagSet": []}),
        lambda: s3.delete_object_tagging(Bucket=bucket, Key=INSIDE),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="k"),
        lambda: s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId="x"),
        lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        lambda: s3.delete_bucket(Bucket=bucket),
        lambda: s3.create_bucket(Bucket=f"{world.account}-new"),
    ]
    for way in ways:
        denied(way)
    (error,) = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": INSIDE}]})["Errors"]
    assert error["Code"] == "AccessDenied"
    api = world.api.with_keys(keys)
    assert api.post("users/me/keys", json={}).code == "FORBIDDEN"
    assert api.get("users/me/keys").code == "FORBIDDEN"


def test_a_key_for_networks_opens_no_door_from_elsewhere(world: World) -> None:
    here, elsewhere = world.narrowed(networks=["127.0.0.0/8", "::1"]), world.narrowed(networks=["192.0.2.0/24"])
    path = f"/img/{world.bucket}/{INSIDE}"
    assert world.client(here).get_object(Bucket=world.bucket, Key=INSIDE)["Body"].read() == PHOTO
    shown = fetch(world.server, _link(world, here, path))
    assert shown.status == 200
    assert "private" in shown.headers["cache-control"], "no shared cache may answer where the key would not"
    s3 = world.client(elsewhere)
    denied(lambda: s3.get_object(Bucket=world.bucket, Key=INSIDE))
    denied(s3.list_buckets)
    signing = world.server.client(elsewhere, signature_version="s3v4")
    url = signing.generate_presigned_url("get_object", Params={"Bucket": world.bucket, "Key": INSIDE})
    assert world.server.fetch(url[len(world.server.url) :])[0] == 403
    assert fetch(world.server, _link(world, elsewhere, path)).status == 403
    assert world.api.with_keys(elsewhere).get("users/me/keys").code == "FORBIDDEN"
    # An address that a client claims counts for nothing without a proxy that is trusted.
    claimed = world.api.with_keys(elsewhere).get("users/me/keys", headers={"X-Forwarded-For": "192.0.2.1"})
    assert claimed.code == "FORBIDDEN"


def test_a_key_for_buckets_opens_nothing_else_of_the_json_door(world: World, prefixed: Keys) -> None:
    api = world.api.with_keys(prefixed)
    assert api.get("users/me/keys").code == "FORBIDDEN"
    assert api.post("users/me/keys", json={}).code == "FORBIDDEN"
    assert api.get(f"{ADMIN}/accounts").code == "FORBIDDEN"
    assert api.get("users/me/images").code == "FORBIDDEN"
    photo = {"bucket": world.bucket}
    assert api.upload(PHOTO, **photo).status == 403
    assert api.upload(PHOTO).status == 403


def test_images_of_the_json_door_are_bound_by_their_keys(world: World, prefixed: Keys) -> None:
    narrowed, own = world.api.with_keys(prefixed), world.api.with_keys(world.keys)
    inside = world.ids[world.bucket, INSIDE]
    assert narrowed.get(f"images/{inside}/file").body == PHOTO
    assert narrowed.get(f"images/{inside}").status == 200
    for where in ((world.bucket, OUTSIDE), (world.other, INSIDE)):
        outside = world.ids[where]
        assert own.get(f"images/{outside}/file").body == PHOTO
        for path in ("", "/file", "/thumbnail", "/all", "/direct", "/verify", "/duplicates"):
            assert narrowed.get(f"images/{outside}{path}").status == 403, path
        assert narrowed.patch(f"images/{outside}", json={"visibility": "public"}).status == 403
        assert narrowed.delete(f"images/{outside}").status == 403
        batch = narrowed.get("images/batch", query={"image_ids": f"{inside},{outside}"}).json
        assert [one["id"] for one in batch["images"]] == [inside]
        assert [one["code"] for one in batch["failed"]] == ["FORBIDDEN"]


def test_a_scope_holds_from_the_next_request_on(world: World) -> None:
    keys = world.narrowed(buckets={world.bucket: []})
    admin, s3 = world.api.with_keys(ROOT), world.client(keys)
    path = f"{ADMIN}/keys/{keys.access_key}"
    s3.get_object(Bucket=world.bucket, Key=OUTSIDE)
    denied(lambda: s3.get_object(Bucket=world.other, Key=OUTSIDE))
    scope = {"buckets": {world.other: ["out/"]}, "read_only": True, "networks": ["127.0.0.1"]}
    told = admin.patch(path, json={"scope": scope}).json["scope"]
    assert told == {"buckets": {world.other: ["out/"]}, "read_only": True, "networks": ["127.0.0.1/32"]}
    s3.get_object(Bucket=world.other, Key=OUTSIDE)
    denied(lambda: s3.get_object(Bucket=world.bucket, Key=OUTSIDE))
    rotated = admin.post(f"{path}/rotate", json={}).json
    assert rotated["scope"] == told, "a new pair has the bounds of the old one"
    assert admin.patch(path, json={"scope": None}).json["scope"] is None
    s3.get_object(Bucket=world.bucket, Key=OUTSIDE)


def test_roots_narrowed_key_is_roots_no_more(world: World) -> None:
    admin = world.api.with_keys(ROOT)
    made = admin.post(f"{ADMIN}/keys", json={"account": "root", "scope": {"buckets": {world.bucket: ["in/"]}}}).json
    keys = Keys(made["access_key"], made["secret_key"])
    s3 = world.client(keys)
    assert s3.get_object(Bucket=world.bucket, Key=INSIDE)["Body"].read() == PHOTO
    denied(lambda: s3.get_object(Bucket=world.bucket, Key=OUTSIDE))
    denied(lambda: s3.get_object(Bucket=world.other, Key=INSIDE))
    assert world.api.with_keys(keys).get(f"{ADMIN}/accounts").code == "FORBIDDEN"


def test_views_are_bound_as_the_bucket_they_show(world: World, prefixed: Keys) -> None:
    admin = world.api.with_keys(ROOT)
    admin.patch(f"{ADMIN}/buckets/{world.bucket}", json={"presets": {"card": "w:20"}})
    s3, view = world.client(prefixed), f"{world.bucket}--card"
    assert s3.get_object(Bucket=view, Key=INSIDE)["ContentLength"] > 0
    denied(lambda: s3.get_object(Bucket=view, Key=OUTSIDE))
    denied(lambda: s3.list_objects_v2(Bucket=view))
    elsewhere = world.client(world.narrowed(buckets={world.other: []}))
    denied(lambda: elsewhere.get_object(Bucket=view, Key=INSIDE))
