"""Views over S3: a bucket as one of its presets shows it, listed, read and copied with ordinary clients."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from gateway.metadata import jobs
from gateway.services import Services
from tests import images
from tests.functional.beside import beside, set_images
from tests.functional.clients.aws_cli import AwsCli, installed
from tests.functional.clients.rclone import Rclone
from tests.functional.imaging import Gallery, fetch
from tests.services import Server, pixgate

CARD = {"card": "w:60,f:webp"}
KEYS = ["a/1.jpg", "a/2.png", "b/ä ö.jpg", "c.jpg"]


@pytest.fixture(scope="module")
def gallery(http_server: Server) -> Gallery:
    """A bucket with four images and a text, and the presets `card` and `note`."""
    made = Gallery(http_server, "viewed")
    set_images(http_server.data, "viewed", presets={**CARD, "note": "w:20"})
    fill(made)
    return made


def fill(gallery: Gallery) -> None:
    for number, key in enumerate(KEYS):
        gallery.put(key, images.png((120, 80), number) if key.endswith("png") else images.jpeg((120, 80), number))
    gallery.put("text.txt", b"no picture")


def listed(client: Any, bucket: str, **options: Any) -> dict[str, Any]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, **options)
    return {entry["Key"]: entry for page in pages for entry in page.get("Contents", [])}


def read_all(client: Any, view: str, keys: list[str]) -> None:
    """Reading is enough to have them listed."""
    for key in keys:
        client.get_object(Bucket=view, Key=key)["Body"].read()


def prewarm(server: Server, *arguments: str) -> dict[str, Any]:
    done = pixgate("prewarm", *arguments, "--json", data=server.data)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def code(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


def test_a_view_is_filled_by_prewarm_and_by_reads(gallery: Gallery) -> None:
    client, view = gallery.client, "viewed--card"
    client.head_bucket(Bucket=view)
    assert listed(client, view) == {}
    first = client.get_object(Bucket=view, Key=KEYS[3])
    body = first["Body"].read()
    assert first["ContentType"] == "image/webp"
    assert Image.open(io.BytesIO(body)).size == (60, 40)
    assert first["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert list(listed(client, view)) == [KEYS[3]]
    head = client.head_object(Bucket=view, Key=KEYS[0])
    assert list(listed(client, view)) == [KEYS[0], KEYS[3]], "HEAD makes it too: there is no size without it"
    made = prewarm(gallery.server, "viewed", "--preset", "card", "--at-once", "2")
    assert (made["images"], made["made"], made["there"], made["refused"]) == (4, 2, 2, 0)
    again = prewarm(gallery.server, "viewed", "--preset", "card", "--prefix", "a/")
    assert (again["images"], again["made"], again["there"]) == (2, 0, 2)
    entries = listed(client, view)
    assert list(entries) == KEYS
    for key, entry in entries.items():
        got = client.get_object(Bucket=view, Key=key)
        data = got["Body"].read()
        assert (entry["Size"], entry["ETag"], entry["LastModified"].replace(microsecond=0)) == (
            len(data),
            got["ETag"],
            got["LastModified"],
        )
    assert entries[KEYS[0]]["ETag"] == head["ETag"]
    # The other preset is another view.
    assert list(listed(client, "viewed--note")) == []


def test_pages_prefixes_and_ranges_of_a_view(gallery: Gallery) -> None:
    client, view = gallery.client, "viewed--card"
    read_all(client, view, KEYS)
    page = client.list_objects_v2(Bucket=view, Delimiter="/")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["a/", "b/"]
    assert [entry["Key"] for entry in page["Contents"]] == ["c.jpg"]
    assert page["Name"] == view
    assert list(listed(client, view, PaginationConfig={"PageSize": 1})) == KEYS
    old = client.list_objects(Bucket=view, Prefix="a/", MaxKeys=1)
    assert ([entry["Key"] for entry in old["Contents"]], old["IsTruncated"]) == (["a/1.jpg"], True)
    whole = client.get_object(Bucket=view, Key=KEYS[0])
    data = whole["Body"].read()
    part = client.get_object(Bucket=view, Key=KEYS[0], Range="bytes=10-19")
    assert (part["Body"].read(), part["ContentRange"]) == (data[10:20], f"bytes 10-19/{len(data)}")
    assert code(lambda: client.get_object(Bucket=view, Key=KEYS[0], Range=f"bytes={len(data)}-")) == "InvalidRange"
    assert code(lambda: client.get_object(Bucket=view, Key=KEYS[0], IfNoneMatch=whole["ETag"])) == "304"
    assert code(lambda: client.get_object(Bucket=view, Key=KEYS[0], IfMatch='"other"')) == "PreconditionFailed"
    named = client.get_object(Bucket=view, Key=KEYS[0], ResponseContentDisposition="attachment")
    assert (named["Body"].read(), named["ContentDisposition"]) == (data, "attachment")


def test_what_is_not_in_a_view(gallery: Gallery) -> None:
    client, view = gallery.client, "viewed--card"
    assert code(lambda: client.get_object(Bucket=view, Key="text.txt")) == "NoSuchKey"
    assert code(lambda: client.get_object(Bucket=view, Key="missing.jpg")) == "NoSuchKey"
    assert code(lambda: client.head_object(Bucket=view, Key="missing.jpg")) == "404"
    gallery.put("broken.jpg", images.jpeg((120, 80))[:300])
    assert code(lambda: client.get_object(Bucket=view, Key="broken.jpg")) == "BrokenImage"
    assert prewarm(gallery.server, "viewed", "--preset", "card", "--prefix", "br")["refused"] == 1
    client.delete_object(Bucket="viewed", Key="broken.jpg")
    assert code(lambda: client.list_objects_v2(Bucket="viewed--nothing")) == "NoSuchBucket"
    assert code(lambda: client.list_objects_v2(Bucket="nobody--card")) == "NoSuchBucket"
    # What hands out the stored bytes makes nothing that could be listed.
    set_images(gallery.server.data, "viewed", presets={"stored": "raw:1"})
    assert code(lambda: client.get_object(Bucket="viewed--stored", Key=KEYS[0])) == "InvalidArgument"
    assert code(lambda: client.list_objects_v2(Bucket="viewed--stored")) == "InvalidArgument"
    version = {"Bucket": view, "Key": KEYS[0], "VersionId": "0" * 32}
    assert code(lambda: client.get_object(**version)) == "NoSuchVersion"


def test_a_view_can_only_be_read(gallery: Gallery) -> None:
    client, view = gallery.client, "viewed--card"
    writes: list[Callable[[], Any]] = [
        lambda: client.put_object(Bucket=view, Key="new.jpg", Body=b"x"),
        lambda: client.delete_object(Bucket=view, Key=KEYS[0]),
        lambda: client.delete_objects(Bucket=view, Delete={"Objects": [{"Key": KEYS[0]}]}),
        lambda: client.copy_object(Bucket=view, Key="new.jpg", CopySource={"Bucket": "viewed", "Key": KEYS[0]}),
        lambda: client.create_multipart_upload(Bucket=view, Key="new.jpg"),
        lambda: client.put_bucket_versioning(Bucket=view, VersioningConfiguration={"Status": "Enabled"}),
        lambda: client.put_object_tagging(Bucket=view, Key=KEYS[0], Tagging={"TagSet": []}),
        lambda: client.delete_bucket(Bucket=view),
    ]
    for write in writes:
        with pytest.raises(ClientError, match="can only be read") as raised:
            write()
        assert raised.value.response["Error"]["Code"] == "MethodNotAllowed"
    assert code(lambda: client.list_object_versions(Bucket=view)) == "NotImplemented"
    assert set(KEYS) <= set(listed(client, "viewed"))


def test_only_who_may_read_the_bucket_may_read_its_views(gallery: Gallery) -> None:
    stranger = gallery.server.client(gallery.server.new_keys("stranger"), signature_version="s3v4")
    view = "viewed--card"
    assert code(lambda: stranger.list_objects_v2(Bucket=view)) == "AccessDenied"
    assert code(lambda: stranger.get_object(Bucket=view, Key=KEYS[0])) == "AccessDenied"
    root = gallery.server.client(signature_version="s3v4")
    assert root.get_object(Bucket=view, Key=KEYS[0])["ContentType"] == "image/webp"


def test_no_other_account_takes_the_name_of_a_view(gallery: Gallery) -> None:
    squatter = gallery.server.client(gallery.server.new_keys("squatter"), signature_version="s3v4")
    for name in ("viewed--card", "viewed--not-yet", "viewed--a--b"):
        assert code(lambda: squatter.create_bucket(Bucket=name)) == "BucketAlreadyExists"  # noqa: B023
    squatter.create_bucket(Bucket="viewed-free")
    set_images(gallery.server.data, "viewed", presets={"not-yet": "w:10"})
    assert listed(gallery.client, "viewed--not-yet") == {}


def test_the_name_of_a_view_is_taken_and_a_real_bucket_wins(gallery: Gallery) -> None:
    client, data = gallery.client, gallery.server.data
    assert code(lambda: client.create_bucket(Bucket="viewed--card")) == "BucketAlreadyExists"
    client.create_bucket(Bucket="viewed--later")
    client.put_object(Bucket="viewed--later", Key="own.txt", Body=b"own")
    set_images(data, "viewed", presets={"later": "w:10"})
    assert list(listed(client, "viewed--later")) == ["own.txt"]
    client.delete_object(Bucket="viewed--later", Key="own.txt")
    client.delete_bucket(Bucket="viewed--later")
    assert list(listed(client, "viewed--later")) == []
    assert code(lambda: client.create_bucket(Bucket="viewed--later")) == "BucketAlreadyExists"
    pixgate("buckets", "set", "viewed", "--preset", "later=", data=data)
    assert code(lambda: client.list_objects_v2(Bucket="viewed--later")) == "NoSuchBucket"
    client.create_bucket(Bucket="viewed--later")
    client.delete_bucket(Bucket="viewed--later")


def test_what_changes_leaves_the_view_until_it_is_made_anew(http_server: Server) -> None:
    gallery = Gallery(http_server, "changing")
    set_images(http_server.data, "changing", presets=CARD)
    client, view = gallery.client, "changing--card"
    fill(gallery)
    read_all(client, view, KEYS)
    before = listed(client, view)
    gallery.put(KEYS[0], images.jpeg((120, 80), 99))
    client.delete_object(Bucket="changing", Key=KEYS[1])
    assert list(listed(client, view)) == KEYS[2:]
    new = client.get_object(Bucket=view, Key=KEYS[0])
    assert new["ETag"] != before[KEYS[0]]["ETag"]
    assert code(lambda: client.get_object(Bucket=view, Key=KEYS[1])) == "NoSuchKey"
    assert list(listed(client, view)) == [KEYS[0], *KEYS[2:]]
    # Another recipe under the name is another view.
    set_images(http_server.data, "changing", presets={"card": "w:30,f:webp"})
    assert listed(client, view) == {}
    assert Image.open(io.BytesIO(client.get_object(Bucket=view, Key=KEYS[0])["Body"].read())).size == (30, 20)
    # So is another watermark.
    set_images(http_server.data, "changing", presets={"card": f"w:90,f:png,wm:changing/{KEYS[3]},wm-scale:0.5"})
    marked = client.get_object(Bucket=view, Key=KEYS[0])["ETag"]
    assert list(listed(client, view)) == [KEYS[0]]
    gallery.put(KEYS[3], images.jpeg((120, 80), 5))
    assert listed(client, view) == {}
    assert client.get_object(Bucket=view, Key=KEYS[0])["ETag"] != marked


@pytest.mark.parametrize("kind", [AwsCli, Rclone], ids=["aws-s3-sync", "rclone"])
def test_batch_export_with_real_clients(
    kind: type[AwsCli] | type[Rclone], gallery: Gallery, tmp_path: Path, http_server: Server
) -> None:
    if kind is AwsCli and installed(1) is None:
        pytest.skip("no aws-cli 1 is installed")
    (tmp_path / "home").mkdir()
    client = kind(http_server, gallery.keys, tmp_path / "home")
    read_all(gallery.client, "viewed--card", KEYS)
    out = tmp_path / "out"

    def export() -> None:
        if isinstance(client, AwsCli):
            client._aws("s3", "sync", "s3://viewed--card", str(out))
        else:
            client._rclone("sync", "--checksum", "pix:viewed--card", str(out))
            client._rclone("check", "pix:viewed--card", str(out))

    export()
    files = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
    assert sorted(files) == KEYS
    for key, path in files.items():
        entry = listed(gallery.client, "viewed--card")[key]
        assert hashlib.md5(path.read_bytes()).hexdigest() == entry["ETag"].strip('"')
        assert Image.open(io.BytesIO(path.read_bytes())).format == "WEBP"
    times = {key: path.stat().st_mtime_ns for key, path in files.items()}
    inodes = {key: path.stat().st_ino for key, path in files.items()}
    export()
    assert {key: path.stat().st_mtime_ns for key, path in files.items()} == times
    assert {key: path.stat().st_ino for key, path in files.items()} == inodes, "nothing is copied a second time"


def test_prewarm_of_options(gallery: Gallery) -> None:
    nothing = pixgate("prewarm", "viewed", data=gallery.server.data, check=False)
    assert (nothing.returncode, "say which" in nothing.stderr) == (1, True)
    options = prewarm(gallery.server, "viewed", "--options", "w:33", "--options", "w:34,f:auto", "--after", "a/2.png")
    assert (options["images"], options["made"], options["after"]) == (2, 4, "c.jpg")


def test_renditions_are_made_at_upload(http_server: Server) -> None:
    gallery = Gallery(http_server, "eager")
    set_images(http_server.data, "eager", presets=CARD, renditions=("p:card",))
    for number in range(3):
        gallery.put(f"{number}.jpg", images.jpeg((120, 80), number))
    gallery.put("text.txt", b"no picture")
    gallery.put("broken.jpg", images.jpeg((120, 80))[:300])
    gallery.put("0.jpg", images.jpeg((120, 80), 77))

    def view() -> list[str]:
        return list(listed(gallery.client, "eager--card"))

    def waiting() -> int:
        async def work(services: Services) -> int:
            found = await jobs.backlog(services.database)
            assert found.get("rendition", (0, 0))[1] == 0, "it failed for good"
            return found.get("rendition", (0, 0))[0]

        return beside(http_server.data, work)

    deadline = time.monotonic() + 60
    while (view() != ["0.jpg", "1.jpg", "2.jpg"] or waiting()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert view() == ["0.jpg", "1.jpg", "2.jpg"]
    assert waiting() == 0, "what cannot be shown is no work left over"


def test_what_strangers_get_within_a_bound_is_made_beforehand_too(http_server: Server) -> None:
    gallery = Gallery(http_server, "viewed-bounded")
    gallery.put("before.png", images.png((120, 80), 1))
    set_images(http_server.data, "viewed-bounded", presets={"card": "w:60"}, renditions=("p:card",), max_width=100)
    gallery.open("60")
    prewarm(http_server, "viewed-bounded", "--preset", "card")
    gallery.put("upload.png", images.png((120, 80), 2))
    deadline = time.monotonic() + 60
    while "upload.png" not in listed(gallery.client, "viewed-bounded--card") and time.monotonic() < deadline:
        time.sleep(0.2)
    for key, link in (("before", "p=card"), ("upload", "p=card"), ("upload", "w=60"), ("before", "w=60")):
        answer = fetch(http_server, f"/img/viewed-bounded/{key}.png?{link}")
        assert (answer.headers["x-cache"], answer.picture.size) == ("HIT", (60, 40))
    signed = gallery.get("/img/viewed-bounded/before.png", "p=card")
    assert signed.headers["x-cache"] == "HIT"
    assert signed.headers["etag"] != answer.headers["etag"], "without the bound it is another rendition"
