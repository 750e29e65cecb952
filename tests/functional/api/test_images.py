"""One image over the JSON door: what is known of it, and its bytes in every form."""

from __future__ import annotations

import hashlib
import io
import time
from urllib.parse import urlsplit

import pytest
from PIL import Image

from signing.sigv4.sign import Credentials, presign
from tests.functional.api.client import SECRET, Api
from tests.functional.api.pictures import processed, uploaded
from tests.functional.conftest import StartServer
from tests.images import jpeg, jpeg_oriented, photo
from tests.services import ROOT

FIELDS = {
    "id", "filename", "content_type", "file_size", "width", "height", "url", "checksum", "created_at", "updated_at",
    "visibility", "thumbnail_ready", "thumbnail_url", "thumbnails", "delete_token", "dominant_color", "blurhash",
    "metadata", "job_id", "tags", "status", "upload_ip",
}  # fmt: skip
NO_IMAGE = "I" + "A" * 26


@pytest.fixture(scope="module")
def alice(api: Api) -> Api:
    return api.app_user()


@pytest.fixture(scope="module")
def picture() -> bytes:
    return jpeg((700, 467), seed=77)


@pytest.fixture(scope="module")
def done(alice: Api, picture: bytes) -> str:
    """A private image of Alice's, processed."""
    image_id = uploaded(alice, picture, "süß.jpg", visibility="private", metadata='{"place": ["sea", 1]}')["id"]
    processed(alice, image_id)
    return str(image_id)


def test_the_resource_has_every_field_whoever_answers(alice: Api, done: str, picture: bytes) -> None:
    found = alice.get(f"images/{done}").json
    assert set(found) == FIELDS
    assert (found["id"], found["filename"], found["content_type"]) == (done, "süß.jpg", "image/jpeg")
    assert (found["file_size"], found["width"], found["height"]) == (len(picture), 700, 467)
    assert found["checksum"] == hashlib.sha256(picture).hexdigest()
    assert found["url"] == f"/api/v1/images/{done}/file"
    assert found["thumbnail_url"] == f"/api/v1/images/{done}/thumbnail"
    assert set(found["thumbnails"]) == {"150", "300", "600"}
    assert found["created_at"].endswith("Z")
    assert found["metadata"] == {"place": ["sea", 1]}
    assert found["upload_ip"] == "127.0.0.1"
    assert found["delete_token"] is None
    assert set(alice.get("users/me/images").json["images"][0]) == FIELDS
    assert set(alice.get("images/batch", query={"image_ids": done}).json["images"][0]) == FIELDS
    assert alice.get(f"images/{done}/").json == found, "a slash at the end makes no difference"


@pytest.mark.parametrize(
    ("size", "query"),
    [
        ("thumbnail", "variant=thumbnail"),
        ("medium", "variant=medium"),
        ("original", "variant=original"),
        ("437", "w=437"),
    ],
)
def test_a_size_adds_its_address(alice: Api, done: str, size: str, query: str) -> None:
    found = alice.get(f"images/{done}", query={"size": size}).json
    assert set(found) == {*FIELDS, "size_url"}
    assert found["size_url"].startswith(f"/img/{done}?{query}")
    shown = alice.get(found["size_url"])
    assert shown.status == 200
    assert max(shown.picture.size) == {"thumbnail": 150, "medium": 600, "original": 700, "437": 437}[size]


@pytest.mark.parametrize("size", ["huge", "0", "-1", "99999", "1.5"])
def test_a_size_that_is_none_is_refused(alice: Api, done: str, size: str) -> None:
    for path in (f"images/{done}", f"images/{done}/direct"):
        answer = alice.get(path, query={"size": size})
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("image_id", [NO_IMAGE, "nonsense", "%00", "a%2Fb", "1"])
def test_what_is_no_image_is_not_found(alice: Api, image_id: str) -> None:
    for what in ("", "/file", "/thumbnail", "/all", "/direct", "/verify", "/duplicates", "/share"):
        answer = alice.get(f"/api/v1/images/{image_id}{what}")
        assert answer.status == 404
        assert answer.code in ("IMAGE_NOT_FOUND", "NOT_FOUND")


def test_the_file_is_what_was_sent(alice: Api, done: str, picture: bytes) -> None:
    answer = alice.get(f"images/{done}/file")
    assert (answer.status, answer.body) == (200, picture)
    headers = answer.headers
    assert headers["content-type"] == "image/jpeg"
    assert headers["content-disposition"] == "inline; filename=\"s__.jpg\"; filename*=UTF-8''s%C3%BC%C3%9F.jpg"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["cache-control"] == "private, no-cache"
    assert headers["accept-ranges"] == "bytes"
    saved = alice.get(f"images/{done}/file", query={"download": "true"})
    assert saved.headers["content-disposition"].startswith("attachment;")
    head = alice.ask("HEAD", f"images/{done}/file")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(picture)))


@pytest.mark.parametrize("path", ["file", "thumbnail", "direct?size=medium"])
def test_conditions_and_ranges(alice: Api, done: str, path: str) -> None:
    whole = alice.get(f"images/{done}/{path}")
    etag = whole.headers["etag"]
    same = alice.get(f"images/{done}/{path}", headers={"If-None-Match": etag})
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", etag)
    assert alice.get(f"images/{done}/{path}", headers={"If-Match": '"other"'}).code == "PRECONDITION_FAILED"
    part = alice.get(f"images/{done}/{path}", headers={"Range": "bytes=5-9", "If-Range": etag})
    assert (part.status, part.body) == (206, whole.body[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(whole.body)}"
    assert alice.get(f"images/{done}/{path}", headers={"Range": "bytes=5-9", "If-Range": '"old"'}).status == 200
    beyond = alice.get(f"images/{done}/{path}", headers={"Range": "bytes=9999999-"})
    assert (beyond.status, beyond.code) == (416, "RANGE_NOT_SATISFIABLE")


@pytest.mark.parametrize(("size", "side"), [(None, 300), ("150", 150), ("300", 300), ("600", 600)])
def test_thumbnails_are_jpegs(alice: Api, done: str, size: str | None, side: int) -> None:
    answer = alice.get(f"images/{done}/thumbnail", query={} if size is None else {"size": size})
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert max(answer.picture.size) == side
    assert answer.picture.format == "JPEG"
    assert alice.get(f"images/{done}/thumbnail", query={"size": "400"}).code == "VALIDATION_ERROR"


def test_what_is_in_memory_is_a_hit_until_it_changes(alice: Api, picture: bytes) -> None:
    image_id = uploaded(alice, picture, visibility="private")["id"]
    processed(alice, image_id)
    states = {alice.get(f"images/{image_id}").headers["x-cache"] for _ in range(12)}
    assert states <= {"HIT", "MISS"}
    assert "HIT" in states, "of two workers each was asked twice"
    assert alice.patch(f"images/{image_id}", json={"tags": ["changed"]}).status == 200
    for _ in range(6):
        assert alice.get(f"images/{image_id}").json["tags"] == ["changed"], "every worker says so at once"
    assert alice.get(f"images/{image_id}/thumbnail").headers["x-cache"] in ("HIT", "MISS")
    assert "HIT" in {alice.get(f"images/{image_id}/thumbnail").headers["x-cache"] for _ in range(6)}
    assert alice.get(f"images/{image_id}/file").headers["x-cache"] in ("HIT", "MISS")


def test_without_memory_the_cache_is_disabled(start_server: StartServer) -> None:
    server = start_server(environment={"PIXGATE_JWT_SECRET": SECRET, "PIXGATE_IMAGE_ROWS_CACHED": "0"}, workers=1)
    someone = Api(server).app_user()
    image_id = uploaded(someone)["id"]
    assert [someone.get(f"images/{image_id}").headers["x-cache"] for _ in range(3)] == ["DISABLED"] * 3
    assert someone.get(f"images/{image_id}/file").headers["x-cache"] == "DISABLED"


def test_everything_of_an_image(alice: Api, done: str) -> None:
    found = alice.get(f"images/{done}/all").json
    assert set(found["image"]) == FIELDS
    assert set(found["variants"]) == {
        "thumbnail", "medium", "large", "original", "thumbnail-150", "thumbnail-300", "thumbnail-600",
    }  # fmt: skip
    medium = found["variants"]["medium"]
    assert (medium["ready"], medium["width"], medium["content_type"]) == (True, 600, "image/webp")
    shown = alice.get(medium["url"])
    assert (shown.status, len(shown.body)) == (200, medium["bytes"])
    assert found["variants"]["original"]["ready"] in (True, False)
    for name in ("file", "thumbnail", "direct", "self"):
        assert alice.get(found["urls"][name]).status == 200


def test_direct_gives_bytes_or_an_address_for_an_hour(api: Api, alice: Api, done: str) -> None:
    here = alice.get(f"images/{done}/direct", query={"size": "medium"})
    assert (here.status, here.headers["content-type"], max(here.picture.size)) == (200, "image/webp", 600)
    there = alice.get(f"images/{done}/direct", query={"size": "medium", "redirect": "true"})
    assert (there.status, there.body) == (307, b"")
    location = there.headers["location"]
    shown = api.get(location)
    assert (shown.status, shown.body) == (200, here.body), "whoever has the address needs no login"
    for changed in (
        location.replace("size=medium", "size=large"),
        location.replace("signature=", "signature=0"),
        location.replace("expires=", "expires=9"),
        location.replace("by=user.", "by=user.9"),
        location.replace(done, uploaded(alice)["id"]),
    ):
        assert changed != location
        answer = api.get(changed)
        assert (answer.status, answer.code) == (403, "FORBIDDEN"), changed
    assert max(alice.get(f"images/{done}/direct", query={"size": "123"}).picture.size) == 123


def test_access_keys_are_given_addresses_too(api: Api) -> None:
    keys = api.with_keys(ROOT)
    image_id = uploaded(keys, visibility="private")["id"]
    there = keys.get(f"images/{image_id}/direct", query={"size": "thumbnail", "redirect": "true"})
    assert there.status == 307
    assert api.get(there.headers["location"]).status == 200
    # What is itself an address that ends is answered with the picture, and with no other that ends later.
    url = presign(
        Credentials(ROOT.access_key, ROOT.secret_key),
        method="GET",
        url=f"{api.server.url}/api/v1/images/{image_id}/direct?size=thumbnail&redirect=true",
        now=time.time(),
        region="us-east-1",
        expires=60,
    )
    passed_on = api.get(url.removeprefix(api.server.url))
    assert (passed_on.status, passed_on.headers["content-type"]) == (200, "image/webp")


def test_variants_tell_nothing_of_the_camera(alice: Api) -> None:
    turned = jpeg_oriented(6, (80, 60))
    assert Image.open(io.BytesIO(turned)).getexif()
    image_id = uploaded(alice, turned, visibility="private")["id"]
    assert alice.get(f"images/{image_id}/file").body == turned
    original = alice.get(f"images/{image_id}/direct", query={"size": "original"})
    assert not original.picture.getexif()
    assert original.picture.size == (80, 60), "upright"


def test_a_batch_keeps_the_order_and_says_what_failed(api: Api, alice: Api) -> None:
    bob = api.app_user()
    mine, public, private = (
        uploaded(alice, visibility="private")["id"],
        uploaded(bob, visibility="public")["id"],
        uploaded(bob, visibility="private")["id"],
    )
    wanted = [public, NO_IMAGE, mine, private, public, "nonsense"]
    found = alice.get("images/batch", query={"image_ids": ",".join(wanted)}).json
    assert [one["id"] for one in found["images"]] == [public, mine, public]
    assert [(one["id"], one["code"]) for one in found["failed"]] == [
        (NO_IMAGE, "IMAGE_NOT_FOUND"), (private, "FORBIDDEN"), ("nonsense", "IMAGE_NOT_FOUND"),
    ]  # fmt: skip
    assert {one["upload_ip"] for one in found["images"]} == {None, "127.0.0.1"}, "only of her own"
    nobody = api.get("images/batch", query={"image_ids": f"{private},{public}"}).json
    assert [one["code"] for one in nobody["failed"]] == ["UNAUTHORIZED"]
    assert len(api.get("images/batch", query={"image_ids": ",".join([public] * 50)}).json["images"]) == 50
    for wrong in (",".join([public] * 51), "", ","):
        assert api.get("images/batch", query={"image_ids": wrong}).code == "INVALID_REQUEST"
    assert api.get("images/batch").code == "VALIDATION_ERROR"


def test_stored_bytes_are_verified(alice: Api, api: Api, done: str, picture: bytes) -> None:
    digest = hashlib.sha256(picture).hexdigest()
    assert alice.get(f"images/{done}/verify").json == {
        "id": done, "valid": True, "checksum": digest, "computed": digest, "file_size": len(picture),
    }  # fmt: skip
    assert api.get(f"images/{done}/verify").code == "UNAUTHORIZED"
    assert api.app_user().get(f"images/{done}/verify").code == "FORBIDDEN"


def test_duplicates_are_what_looks_alike_in_the_account(api: Api) -> None:
    owner = api.as_user(api.register())
    scene = photo((400, 300), seed=5)
    first = uploaded(owner, _jpeg(scene, 90))["id"]
    again = uploaded(owner, _jpeg(scene.resize((200, 150)), 60))["id"]
    other = uploaded(owner, _jpeg(photo((400, 300), seed=6).transpose(Image.Transpose.ROTATE_90), 90))["id"]
    strange = uploaded(api.as_user(api.register()), _jpeg(scene, 90))["id"]
    for image_id in (first, again, other):
        processed(owner, image_id)
    found = owner.get(f"images/{first}/duplicates").json
    assert found["compared"] is True
    near = [one["image"]["id"] for one in found["duplicates"]]
    assert again in near
    assert first not in near
    assert strange not in near, "never across accounts"
    assert found["duplicates"][0]["distance"] <= 10
    assert found["truncated"] is False
    third = uploaded(owner, _jpeg(scene, 60))["id"]
    processed(owner, third)
    cut = owner.get(f"images/{first}/duplicates?limit=1").json
    assert (len(cut["duplicates"]), cut["truncated"]) == (1, True)
    assert api.app_user().get(f"images/{first}/duplicates").code == "FORBIDDEN"


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


def test_what_came_by_s3_is_an_image_too(api: Api) -> None:
    """A bucket that tells apps nothing: there is no row, and the stored bytes say what they are."""
    client = api.server.client()
    client.create_bucket(Bucket="plain-s3")
    data = jpeg_oriented(6, (80, 60))
    put = client.put_object(Bucket="plain-s3", Key="album/kätzchen.jpg", Body=data, ContentType="text/html")
    image_id = put["ResponseMetadata"]["HTTPHeaders"]["x-pixgate-image-id"]
    root = api.with_keys(ROOT)
    found = root.get(f"images/{image_id}").json
    assert set(found) == FIELDS
    assert (found["filename"], found["content_type"], found["width"], found["height"]) == (
        "kätzchen.jpg", "image/jpeg", 80, 60,
    )  # fmt: skip
    assert (found["visibility"], found["checksum"], found["job_id"]) == ("private", None, None)
    file = root.get(f"images/{image_id}/file")
    assert (file.body, file.headers["content-type"]) == (data, "image/jpeg"), "by its bytes, never as declared"
    assert root.get(f"images/{image_id}/thumbnail").picture.size == (80, 60)
    assert root.get(f"images/{image_id}/verify").json["valid"] is None
    assert api.get(f"images/{image_id}").code == "UNAUTHORIZED"
    client.delete_object(Bucket="plain-s3", Key="album/kätzchen.jpg")
    assert root.get(f"images/{image_id}").code == "IMAGE_NOT_FOUND"


def test_what_an_s3_client_deletes_or_overwrites_is_gone_at_once(api: Api) -> None:
    owner = api.with_keys(ROOT)
    client = api.server.client()
    images = [uploaded(owner) for _ in range(2)]
    keys = {}
    for bucket in client.list_buckets()["Buckets"]:
        for entry in client.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            keys[entry["Key"].partition("/")[0]] = (bucket["Name"], entry["Key"])
    deleted, overwritten = (keys[image["id"]] for image in images)
    client.delete_object(Bucket=deleted[0], Key=deleted[1])
    client.put_object(Bucket=overwritten[0], Key=overwritten[1], Body=b"text")
    for image in images:
        assert api.get(f"images/{image['id']}").code == "IMAGE_NOT_FOUND"
        assert api.get(f"images/{image['id']}/file").code == "IMAGE_NOT_FOUND"
    listed = [one["id"] for one in owner.get("users/me/images", query={"limit": "100"}).json["images"]]
    assert not set(listed) & {image["id"] for image in images}


def test_addresses_of_pictures_begin_with_the_cdn(start_server: StartServer) -> None:
    server = start_server(
        environment={
            "PIXGATE_JWT_SECRET": SECRET,
            "PIXGATE_CDN_URL": "https://cdn.example.com",
        },
        workers=1,
    )
    someone = Api(server).app_user()
    made = uploaded(someone)
    assert made["url"] == f"https://cdn.example.com/api/v1/images/{made['id']}/file"
    whole = someone.get(f"images/{made['id']}/all").json
    assert urlsplit(whole["urls"]["image"]).netloc == "cdn.example.com"
    assert whole["urls"]["self"] == f"/api/v1/images/{made['id']}", "only what shows pictures comes through the CDN"
