"""`pixgate adopt`: buckets that were there before, through the gateway, with boto3 on both sides of it."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from PIL import Image

from gateway.cli import pixgate as commands
from tests import images
from tests.backends import Backends
from tests.servers.minio import Minio
from tests.servers.rclone import Rclone
from tests.services import Server, clean_environment, environment_of, pixgate, running, stand_on

PART = 5 * 1024 * 1024


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, minio: Minio) -> Iterator[Server]:
    """A server whose store is a bucket of MinIO, its database either engine."""
    data = tmp_path_factory.mktemp(f"adopt-{request.param}") / "data"
    database = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    stand_on(data, Backends(database, minio).environment())
    with running(Server(data, workers=1)) as server:
        yield server


@pytest.fixture
def upstream(minio: Minio) -> Iterator[Any]:
    """What others use: MinIO itself."""
    client = minio.client()
    yield client
    client.close()


def adopt(server: Server, bucket: str, *options: str) -> dict[str, Any]:
    """Adopt a bucket of the same name, and give the report."""
    report: dict[str, Any] = json.loads(command(server, "adopt", "--bucket", bucket, "--json", *options))
    return report


def command(server: Server, *arguments: str) -> str:
    """What a command prints, run in this process: there are many of them."""
    runner = CliRunner(env=environment_of(server.data))
    done = runner.invoke(commands, [*arguments, "--data", str(server.data)])
    assert done.exit_code == 0, done.output
    return done.stdout


def changes(report: dict[str, Any]) -> tuple[int, int, int]:
    return report["new"], report["changed"], report["gone"]


def keys(client: Any, bucket: str, **options: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, **options)
    return [one["Key"] for page in pages for one in page.get("Contents", ())]


def code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def body(client: Any, bucket: str, key: str, **options: Any) -> bytes:
    read: bytes = client.get_object(Bucket=bucket, Key=key, **options)["Body"].read()
    return read


def put(upstream: Any, bucket: str, **objects: bytes) -> None:
    for key, data in objects.items():
        upstream.put_object(Bucket=bucket, Key=key, Body=data)


def stored(upstream: Any, server: Server) -> list[str]:
    """The blobs that the gateway itself keeps."""
    bucket = environment_of(server.data)["PIXGATE_STORE_URL"].rpartition("/")[2].partition("?")[0]
    return [key for key in keys(upstream, bucket) if key != "deployment" and not key.startswith("probe-")]


HEADERS = {
    "ContentType": "text/x-odd; charset=utf-8",
    "CacheControl": "max-age=60",
    "ContentDisposition": 'attachment; filename="x.txt"',
    "ContentLanguage": "de",
    "ContentEncoding": "identity",
    "Expires": datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC),
    "Metadata": {"one": "1", "two-three": 'x < y & "z"'},
}


def test_everything_about_an_object_is_kept(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    upstream.put_object(Bucket=bucket, Key="full", Body=b"0123456789", Tagging="a=b&c=d%20e", **HEADERS)
    put(upstream, bucket, bare=b"bare", empty=b"")
    before = stored(upstream, gateway)

    report = adopt(gateway, bucket)

    assert (report["listed"], *changes(report), report["skipped"]) == (3, 3, 0, 0, 0)
    assert stored(upstream, gateway) == before
    client = gateway.client()
    for key in ("full", "bare", "empty"):
        there, here = (each.head_object(Bucket=bucket, Key=key) for each in (upstream, client))
        kept = ("ETag", "ContentLength", "ContentType", "LastModified", "Metadata", *HEADERS)
        assert {name: here.get(name) for name in kept} == {name: there.get(name) for name in kept}
        got = client.get_object(Bucket=bucket, Key=key)
        assert {name: got.get(name) for name in kept} == {name: there.get(name) for name in kept}
        assert got["Body"].read() == body(upstream, bucket, key)
    assert body(client, bucket, "full", Range="bytes=2-4") == b"234"
    tags = client.get_object_tagging(Bucket=bucket, Key="full")["TagSet"]
    assert tags == [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d e"}]
    listed = client.list_objects_v2(Bucket=bucket)["Contents"]
    original = upstream.list_objects_v2(Bucket=bucket)["Contents"]
    shown = ("Key", "ETag", "Size", "LastModified")
    assert [[one[name] for name in shown] for one in listed] == [[one[name] for name in shown] for one in original]


def test_expires_is_told_by_the_first_get(gateway: Server, minio: Minio, upstream: Any) -> None:
    # MinIO's listings, which the rows are made of, do not tell it.
    bucket = minio.new_bucket()
    upstream.put_object(Bucket=bucket, Key="k", Body=b"x", **HEADERS)
    adopt(gateway, bucket)
    got = gateway.client().get_object(Bucket=bucket, Key="k")
    assert (got["Expires"], got["Body"].read()) == (HEADERS["Expires"], b"x")


def test_odd_keys(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    odd = [
        "a b+c%2F.txt",
        "ü/ß/日本.jpg",
        "<&>\"'",
        "line\nbreak",
        "dir/",
        "dots./x",
        "@at",
        "%",
        "a" * 200 + "/b",
        "=;,:$!*()~",
    ]
    for key in odd:
        upstream.put_object(Bucket=bucket, Key=key, Body=key.encode())
    adopt(gateway, bucket)
    client = gateway.client()
    assert keys(client, bucket) == sorted(odd, key=str.encode)
    for key in odd:
        assert body(client, bucket, key) == key.encode()
    assert changes(adopt(gateway, bucket)) == (0, 0, 0)


def test_metadata_that_xml_cannot_name(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, before=b"1", zafter=b"3")
    upstream.put_object(Bucket=bucket, Key="odd", Body=b"2", Metadata={"a!b": "c"}, ContentType="image/x-odd")
    assert changes(adopt(gateway, bucket)) == (3, 0, 0)
    head = gateway.client().head_object(Bucket=bucket, Key="odd")
    assert (head["Metadata"], head["ContentType"]) == ({"a!b": "c"}, "image/x-odd")


def test_a_multipart_object(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    upload = upstream.create_multipart_upload(Bucket=bucket, Key="big", ContentType="video/x")["UploadId"]
    pieces = [os.urandom(PART), os.urandom(1000)]
    parts = []
    for number, piece in enumerate(pieces, 1):
        part = upstream.upload_part(Bucket=bucket, Key="big", UploadId=upload, PartNumber=number, Body=piece)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    done = upstream.complete_multipart_upload(
        Bucket=bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    adopt(gateway, bucket)
    client = gateway.client()
    whole = b"".join(pieces)
    got = client.get_object(Bucket=bucket, Key="big")
    assert (got["ETag"], got["ContentType"], got["Body"].read()) == (done["ETag"], "video/x", whole)
    assert body(client, bucket, "big", Range=f"bytes={PART - 2}-{PART + 1}") == whole[PART - 2 : PART + 2]
    # Of what parts it was made is not known: it is one.
    first = client.get_object(Bucket=bucket, Key="big", PartNumber=1)
    assert (first["Body"].read(), "PartsCount" in first) == (whole, False)
    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket=bucket, Key="big", PartNumber=2)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416
    attributes = client.get_object_attributes(
        Bucket=bucket, Key="big", ObjectAttributes=["ETag", "ObjectSize", "ObjectParts", "Checksum"]
    )
    assert (attributes["ETag"], attributes["ObjectSize"]) == (done["ETag"].strip('"'), len(whole))
    assert "ObjectParts" not in attributes
    assert "Checksum" not in attributes


def test_versions_and_delete_markers(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, old=b"before versions")
    upstream.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(upstream, bucket, old=b"second", deleted=b"was here", two=b"first")
    upstream.put_object(Bucket=bucket, Key="two", Body=b"newest", ContentType="image/png")
    upstream.delete_object(Bucket=bucket, Key="deleted")

    assert changes(adopt(gateway, bucket)) == (6, 0, 0)

    client = gateway.client()
    assert client.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert keys(client, bucket) == ["old", "two"]

    def history(source: Any) -> list[tuple[object, ...]]:
        page = source.list_object_versions(Bucket=bucket)
        objects = [(v["Key"], v["IsLatest"], v["ETag"], v["Size"], v["LastModified"]) for v in page["Versions"]]
        markers = [(m["Key"], m["IsLatest"], "marker", 0, m["LastModified"]) for m in page["DeleteMarkers"]]
        return objects + markers

    assert history(client) == history(upstream)
    mine = {v["ETag"]: v["VersionId"] for v in client.list_object_versions(Bucket=bucket)["Versions"]}
    for version in upstream.list_object_versions(Bucket=bucket)["Versions"]:
        key = version["Key"]
        here = client.get_object(Bucket=bucket, Key=key, VersionId=mine[version["ETag"]])
        assert here["Body"].read() == body(upstream, bucket, key, VersionId=version["VersionId"])
    assert (
        mine[
            next(
                v["ETag"] for v in upstream.list_object_versions(Bucket=bucket)["Versions"] if v["VersionId"] == "null"
            )
        ]
        == "null"
    )
    assert client.head_object(Bucket=bucket, Key="two")["ContentType"] == "image/png"
    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket=bucket, Key="deleted")
    assert code(raised) == "NoSuchKey"
    assert raised.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert changes(adopt(gateway, bucket)) == (0, 0, 0)

    # What happens there is taken over: a version on top, a marker, a version gone for good.
    put(upstream, bucket, two=b"third")
    upstream.delete_object(Bucket=bucket, Key="old")
    gone = next(v for v in upstream.list_object_versions(Bucket=bucket, Prefix="deleted")["Versions"])
    upstream.delete_object(Bucket=bucket, Key="deleted", VersionId=gone["VersionId"])
    assert changes(adopt(gateway, bucket)) == (2, 0, 1)
    assert history(client) == history(upstream)
    assert body(client, bucket, "two") == b"third"
    assert keys(client, bucket) == ["two"]


def test_a_version_that_is_gone_is_not_found(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket(versioning=True)
    put(upstream, bucket, k=b"one")
    put(upstream, bucket, k=b"two")
    adopt(gateway, bucket)
    client = gateway.client()
    newest, oldest = client.list_object_versions(Bucket=bucket)["Versions"]
    top = upstream.list_object_versions(Bucket=bucket)["Versions"][0]
    upstream.delete_object(Bucket=bucket, Key="k", VersionId=top["VersionId"])
    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket=bucket, Key="k", VersionId=newest["VersionId"])
    assert code(raised) == "NoSuchVersion"
    assert body(client, bucket, "k") == b"one"
    assert body(client, bucket, "k", VersionId=oldest["VersionId"]) == b"one"


def test_a_null_version_under_others(gateway: Server, minio: Minio, upstream: Any) -> None:
    # Adopted as the only one, by its ETag; then it is no more what the key alone names.
    bucket = minio.new_bucket()
    put(upstream, bucket, k=b"null")
    adopt(gateway, bucket)
    upstream.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(upstream, bucket, k=b"newer")
    adopt(gateway, bucket)
    client = gateway.client()
    assert body(client, bucket, "k") == b"newer"
    assert body(client, bucket, "k", VersionId="null") == b"null"


def test_a_changed_object_is_read_as_it_is_now(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    names = ("get", "head", "range", "none-match", "match", "grown", "emptied", "filled", "copied", "attributes")
    put(upstream, bucket, **dict.fromkeys(names, b"old bytes"))
    put(upstream, bucket, filled=b"")
    adopt(gateway, bucket)
    client = gateway.client()
    old = client.list_objects_v2(Bucket=bucket, Prefix="get")["Contents"][0]["ETag"]
    for name in names:
        upstream.put_object(Bucket=bucket, Key=name, Body=b"these are the new bytes", ContentType="text/new")
    put(upstream, bucket, emptied=b"")
    etag = upstream.head_object(Bucket=bucket, Key="get")["ETag"]

    got = client.get_object(Bucket=bucket, Key="get")
    assert (got["Body"].read(), got["ETag"], got["ContentType"]) == (b"these are the new bytes", etag, "text/new")
    head = client.head_object(Bucket=bucket, Key="head")
    assert (head["ETag"], head["ContentLength"], head["ContentType"]) == (etag, 23, "text/new")
    assert body(client, bucket, "range", Range="bytes=0-4") == b"these"
    assert body(client, bucket, "none-match", IfNoneMatch=old) == b"these are the new bytes"
    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket=bucket, Key="match", IfMatch=old)
    assert code(raised) == "PreconditionFailed"
    assert body(client, bucket, "grown", Range="bytes=18-") == b"bytes"
    assert body(client, bucket, "emptied") == b""
    assert body(client, bucket, "filled") == b"these are the new bytes"
    client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "copied"})
    assert client.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"these are the new bytes"
    attributes = client.get_object_attributes(Bucket=bucket, Key="attributes", ObjectAttributes=["ETag", "ObjectSize"])
    assert (attributes["ETag"], attributes["ObjectSize"]) == (etag.strip('"'), 23)
    # The rows have it now: listings too, and a run finds nothing new but what lies there under no key of ours.
    sizes = {one["Key"]: one["Size"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]}
    assert sizes["get"] == 23
    assert sizes["emptied"] == 0
    assert changes(adopt(gateway, bucket)) == (0, 0, 0)
    command(gateway, "fsck")


def test_metadata_that_changed_alone(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, k=b"same", m=b"same")
    adopt(gateway, bucket)
    time.sleep(1.1)
    for key in ("k", "m"):
        upstream.put_object(Bucket=bucket, Key=key, Body=b"same", ContentType="text/other", Metadata={"a": "b"})
    client = gateway.client()
    got = client.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"same"
    for read in (got, client.head_object(Bucket=bucket, Key="m")):
        assert (read["ContentType"], read["Metadata"]) == ("text/other", {"a": "b"})


def test_a_deleted_object_is_not_found(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, get=b"1", head=b"2", left=b"3", copied=b"4")
    adopt(gateway, bucket)
    for key in ("get", "head", "left", "copied"):
        upstream.delete_object(Bucket=bucket, Key=key)
    client = gateway.client()
    for ask in (client.get_object, client.head_object):
        with pytest.raises(ClientError) as raised:
            ask(Bucket=bucket, Key=ask.__name__.partition("_")[0])
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(ClientError) as raised:
        client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "copied"})
    assert code(raised) == "NoSuchKey"
    assert keys(client, bucket) == ["left"]
    assert changes(adopt(gateway, bucket)) == (0, 0, 1)
    assert keys(client, bucket) == []
    command(gateway, "fsck")


def test_a_repeated_run_takes_over_what_happened(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, a=b"a", b=b"b", c=b"c", d=b"d")
    adopt(gateway, bucket)
    put(upstream, bucket, b=b"changed", bb=b"new")
    upstream.put_object(Bucket=bucket, Key="zz", Body=b"new", ContentType="a/b", Metadata={"c": "d"}, Tagging="e=f")
    upstream.delete_object(Bucket=bucket, Key="a")
    upstream.delete_object(Bucket=bucket, Key="d")
    assert changes(adopt(gateway, bucket)) == (2, 1, 2)
    client = gateway.client()
    assert {key: body(client, bucket, key) for key in keys(client, bucket)} == {
        "b": b"changed",
        "bb": b"new",
        "c": b"c",
        "zz": b"new",
    }
    head = client.head_object(Bucket=bucket, Key="zz")
    assert (head["ContentType"], head["Metadata"]) == ("a/b", {"c": "d"})
    assert client.get_object_tagging(Bucket=bucket, Key="zz")["TagSet"] == [{"Key": "e", "Value": "f"}]


def test_what_was_deleted_or_overwritten_here_stays_so(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, deleted=b"theirs", overwritten=b"theirs", untouched=b"theirs")
    adopt(gateway, bucket)
    client = gateway.client()
    client.delete_object(Bucket=bucket, Key="deleted")
    client.put_object(Bucket=bucket, Key="overwritten", Body=b"ours")

    assert changes(adopt(gateway, bucket)) == (0, 0, 0)
    assert {key: body(client, bucket, key) for key in keys(client, bucket)} == {
        "overwritten": b"ours",
        "untouched": b"theirs",
    }
    # Nor does what others write there later bring them back.
    put(upstream, bucket, deleted=b"theirs again", overwritten=b"theirs again")
    report = adopt(gateway, bucket)
    assert (*changes(report), report["kept"]) == (0, 0, 0, 2)
    assert keys(client, bucket) == ["overwritten", "untouched"]
    assert body(client, bucket, "overwritten") == b"ours"
    # Nothing of this touched what lies there, and the sweep does not either.
    command(gateway, "sweep", "--grace", "0s")
    assert body(upstream, bucket, "deleted") == b"theirs again"
    assert body(upstream, bucket, "overwritten") == b"theirs again"
    assert body(client, bucket, "untouched") == b"theirs"
    # When the object is gone there, so is the mark: what comes then is new.
    upstream.delete_object(Bucket=bucket, Key="deleted")
    adopt(gateway, bucket)
    put(upstream, bucket, deleted=b"new")
    assert changes(adopt(gateway, bucket)) == (1, 0, 0)
    assert body(client, bucket, "deleted") == b"new"
    command(gateway, "fsck")


def test_a_key_that_both_sides_wrote_stays_deleted(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, z=b"z")
    adopt(gateway, bucket)
    client = gateway.client()
    client.put_object(Bucket=bucket, Key="n", Body=b"mine")
    client.put_object(Bucket=bucket, Key="later", Body=b"mine")
    put(upstream, bucket, n=b"theirs")
    report = adopt(gateway, bucket)
    assert (*changes(report), report["kept"]) == (0, 0, 0, 1)
    for key in ("n", "later"):
        client.delete_object(Bucket=bucket, Key=key)
    report = adopt(gateway, bucket)
    assert (*changes(report), report["kept"]) == (0, 0, 0, 1)
    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket=bucket, Key="n")
    assert code(raised) == "NoSuchKey"
    # What nobody had written there when its namesake was deleted here is a new object.
    put(upstream, bucket, later=b"theirs")
    assert changes(adopt(gateway, bucket)) == (1, 0, 0)
    assert keys(client, bucket) == ["later", "z"]
    command(gateway, "fsck")


def test_versions_that_were_written_or_deleted_here(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket(versioning=True)
    put(upstream, bucket, k=b"1", m=b"1")
    put(upstream, bucket, k=b"2", m=b"2")
    adopt(gateway, bucket)
    client = gateway.client()
    oldest = client.list_object_versions(Bucket=bucket, Prefix="k")["Versions"][-1]
    client.delete_object(Bucket=bucket, Key="k", VersionId=oldest["VersionId"])
    marker = client.delete_object(Bucket=bucket, Key="m")["VersionId"]
    assert changes(adopt(gateway, bucket)) == (0, 0, 0)
    assert [v["Size"] for v in client.list_object_versions(Bucket=bucket, Prefix="k")["Versions"]] == [1]
    assert keys(client, bucket) == ["k"]
    # Taking the marker away brings back what is below it, as in any bucket; the key follows its source again.
    client.delete_object(Bucket=bucket, Key="m", VersionId=marker)
    assert body(client, bucket, "m") == b"2"
    put(upstream, bucket, m=b"3")
    assert changes(adopt(gateway, bucket)) == (1, 0, 0)
    assert body(client, bucket, "m") == b"3"
    assert len(upstream.list_object_versions(Bucket=bucket)["Versions"]) == 5


def test_own(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, deleted=b"1", overwritten=b"2", changed=b"3", kept=b"4", again=b"5")
    adopt(gateway, bucket, "--own")
    client = gateway.client()
    for key in ("deleted", "changed", "again"):
        client.delete_object(Bucket=bucket, Key=key)
    client.put_object(Bucket=bucket, Key="overwritten", Body=b"ours")
    # Others' newer objects are not what was deleted here: neither other bytes nor the same ones, written later.
    time.sleep(1.1)
    put(upstream, bucket, changed=b"newer", again=b"5")
    command(gateway, "sweep", "--grace", "1h")
    assert len(keys(upstream, bucket)) == 5
    command(gateway, "sweep", "--grace", "0s")
    assert keys(upstream, bucket) == ["again", "changed", "kept"]
    assert body(client, bucket, "kept") == b"4"
    assert body(client, bucket, "overwritten") == b"ours"
    command(gateway, "fsck")


def test_own_with_versions(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket(versioning=True)
    put(upstream, bucket, k=b"1")
    put(upstream, bucket, k=b"2")
    adopt(gateway, bucket, "--own")
    client = gateway.client()
    oldest = client.list_object_versions(Bucket=bucket)["Versions"][-1]
    client.delete_object(Bucket=bucket, Key="k", VersionId=oldest["VersionId"])
    command(gateway, "sweep", "--grace", "0s")
    left = upstream.list_object_versions(Bucket=bucket)
    assert [v["Size"] for v in left["Versions"]] == [1]
    assert body(upstream, bucket, "k") == b"2"
    assert "DeleteMarkers" not in left


def test_what_changed_and_changed_back_is_not_swept(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, k=b"one")
    adopt(gateway, bucket, "--own")
    client = gateway.client()
    for data in (b"two", b"one"):
        put(upstream, bucket, k=data)
        assert body(client, bucket, "k") == data
    command(gateway, "sweep", "--grace", "0s")
    assert body(client, bucket, "k") == b"one"


def test_prefixes(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, **{"in/a": b"a", "in/b": b"b", "in2": b"c", "out": b"d", "other/x": b"x"})
    name = f"{bucket}-part"
    assert changes(adopt(gateway, bucket, "--as", name, "--prefix", "in/")) == (2, 0, 0)
    client = gateway.client()
    assert keys(client, name) == ["in/a", "in/b"]
    assert changes(adopt(gateway, bucket, "--as", name, "--prefix", "other/")) == (1, 0, 0)
    assert changes(adopt(gateway, bucket, "--as", name, "--prefix", "in/")) == (0, 0, 0)
    assert keys(client, name) == ["in/a", "in/b", "other/x"]
    refused = pixgate("adopt", "--bucket", bucket, "--as", name, "--prefix", "in", data=gateway.data, check=False)
    assert "already" in refused.stderr
    refused = pixgate("adopt", "--bucket", bucket, "--as", f"{name}-2", "--own", data=gateway.data, check=False)
    assert "another bucket shows the same objects" in refused.stderr
    assert f"{name}-2" not in pixgate("buckets", "list", data=gateway.data).stdout


def test_what_cannot_be_adopted_is_said(gateway: Server, minio: Minio, upstream: Any) -> None:
    taken = minio.new_bucket()
    gateway.client().create_bucket(Bucket=taken)
    gateway.client().put_object(Bucket=taken, Key="mine", Body=b"x")
    for arguments, words in (
        (("--bucket", "there-is-none"), "The store 'main' has no bucket 'there-is-none'"),
        (("--bucket", "BAD/../x"), "the store 'main' cannot have a bucket 'BAD/../x'"),
        (
            ("--bucket", "Bad_Name"),
            "The bucket 'Bad_Name' of the store 'main': The store refused the request. GetBucket",
        ),
        (("--bucket", taken), "has objects of its own"),
        (("--bucket", taken, "--as", "Bad Name"), "choose another one with --as"),
        (("--bucket", taken, "--store", "nope"), "there is no store 'nope'"),
    ):
        refused = pixgate("adopt", *arguments, data=gateway.data, check=False)
        assert refused.returncode != 0
        assert words in refused.stderr


def test_the_bucket_of_the_store_itself(gateway: Server, upstream: Any) -> None:
    # What the gateway keeps there for itself is not shown.
    bucket = environment_of(gateway.data)["PIXGATE_STORE_URL"].rpartition("/")[2].partition("?")[0]
    client = gateway.client()
    client.create_bucket(Bucket="new-objects")
    client.put_object(Bucket="new-objects", Key="k", Body=os.urandom(100_000))
    upstream.put_object(Bucket=bucket, Key="deployments/x", Body=b"theirs")
    adopt(gateway, bucket)
    assert keys(client, bucket) == ["deployments/x"]
    upstream.delete_object(Bucket=bucket, Key="deployments/x")


def test_what_another_deployment_keeps_in_the_bucket(
    gateway: Server, minio: Minio, upstream: Any, tmp_path: Path
) -> None:
    bucket = minio.new_bucket()
    data = tmp_path / "data"
    stand_on(data, {"PIXGATE_STORE_URL": minio.store_url(bucket) + "&prefix=dep2/deep"})
    with running(Server(data, workers=1)) as other:
        other.client().create_bucket(Bucket="theirs")
        other.client().put_object(Bucket="theirs", Key="k", Body=os.urandom(100_000))
        (mark,) = keys(upstream, bucket, Prefix="dep2/deep/deployment")
        deployment = body(upstream, bucket, mark).strip().decode()
        kept = keys(upstream, bucket)
        assert len(kept) >= 2
        # What only looks so is like any other: without a mark, with another one's id, or called like a mark.
        like = [
            "0123456789abcdef/1/1",
            "dep2/deep/0123456789abcdef/1/1",
            "dep3/cache/0123456789abcdef/x",
            "dep3/deployment",
            f"dep2/{deployment}/1/1",
            f"dep2/deep/{deployment}/x",
        ]
        put(upstream, bucket, **dict.fromkeys(like, os.urandom(5000)))
        put(upstream, bucket, **{f"dep2/deep/cache/{deployment}/ab/x": b"rendition"})
        kept = sorted([*kept, f"dep2/deep/cache/{deployment}/ab/x"])

        report = adopt(gateway, bucket, "--own")
        client = gateway.client()
        assert keys(client, bucket) == sorted(like)
        assert (report["new"], report["left_out"]) == (len(like), {mark: len(kept)})
        words = f"left out: {len(kept)} objects that the deployment of {bucket}/{mark} keeps for itself\n"
        assert words in command(gateway, "adopt", "--bucket", bucket)
        for key in like:
            client.delete_object(Bucket=bucket, Key=key)
        command(gateway, "sweep", "--grace", "0s")
        assert keys(upstream, bucket) == kept
        # The mark lies beside the prefix that is shown.
        name = f"{bucket}-part"
        adopt(gateway, bucket, "--not-own")
        report = adopt(gateway, bucket, "--as", name, "--prefix", f"dep2/deep/{deployment}/")
        assert (report["listed"], sum(report["left_out"].values())) == (0, len(kept) - 2)


def test_what_was_adopted_before_it_was_marked_goes_here_and_stays_there(
    gateway: Server, minio: Minio, upstream: Any
) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, **{"0123456789abcdef/1/p1": b"blob", "x": b"x"})
    put(upstream, bucket, **{"0123456789abcdef/1/2": b"deleted here"})
    assert changes(adopt(gateway, bucket, "--own")) == (3, 0, 0)
    put(upstream, bucket, deployment=b"0123456789abcdef\n")
    gateway.client().delete_object(Bucket=bucket, Key="0123456789abcdef/1/2")
    command(gateway, "sweep", "--grace", "0s")
    assert body(upstream, bucket, "0123456789abcdef/1/2") == b"deleted here"
    report = adopt(gateway, bucket)
    assert (*changes(report), report["left_out"]) == (0, 0, 1, {"deployment": 3})
    assert keys(gateway.client(), bucket) == ["x"]
    command(gateway, "sweep", "--grace", "0s")
    assert body(upstream, bucket, "0123456789abcdef/1/p1") == b"blob"


def test_copies_are_bytes_of_their_own(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    data = os.urandom(PART + 5)
    upstream.put_object(Bucket=bucket, Key="source", Body=data, ContentType="text/x", Metadata={"a": "b"})
    adopt(gateway, bucket)
    client = gateway.client()
    client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "source"})
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = client.upload_part_copy(
        Bucket=bucket,
        Key="parts",
        UploadId=upload,
        PartNumber=1,
        CopySource={"Bucket": bucket, "Key": "source"},
        CopySourceRange=f"bytes=5-{PART + 4}",
    )["CopyPartResult"]
    client.complete_multipart_upload(
        Bucket=bucket,
        Key="parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    put(upstream, bucket, source=b"another")
    copy = client.get_object(Bucket=bucket, Key="copy")
    assert (copy["Body"].read(), copy["ContentType"], copy["Metadata"]) == (data, "text/x", {"a": "b"})
    assert body(client, bucket, "parts") == data[5:]
    upstream.delete_object(Bucket=bucket, Key="source")
    assert body(client, bucket, "copy") == data
    command(gateway, "fsck")


def test_killed_in_the_middle_and_run_again(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    names = [f"k{number:05}" for number in range(600)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda name: put(upstream, bucket, **{name: name.encode()}), names))
    client = gateway.client()
    for attempt in range(10):
        name = f"{bucket}-{attempt}"
        before = _killed_at_its_first_keys(gateway, bucket, name)
        assert before == names[: len(before)]
        if 0 < len(before) < len(names):
            break
    assert 0 < len(before) < len(names)
    # Before where it ended and behind it: both are looked at.
    put(upstream, bucket, k00000=b"changed", k00599=b"changed too")
    upstream.delete_object(Bucket=bucket, Key="k00001")
    report = adopt(gateway, bucket, "--as", name)
    assert changes(report) == (len(names) - len(before), 1, 1)
    assert keys(client, name) == [key for key in names if key != "k00001"]
    assert body(client, name, "k00000") == b"changed"
    assert body(client, name, "k00599") == b"changed too"
    report = adopt(gateway, bucket, "--as", name)
    assert (report["listed"], *changes(report)) == (len(names) - 1, 0, 0, 0)
    command(gateway, "fsck")


def _killed_at_its_first_keys(server: Server, bucket: str, name: str) -> list[str]:
    """What a run wrote that was killed as soon as there was anything."""
    line = [sys.executable, "-m", "gateway", "adopt", "--bucket", bucket, "--as", name, "--data", str(server.data)]
    run = subprocess.Popen(line, env=clean_environment(**environment_of(server.data)))
    client = server.client()
    try:
        deadline = time.monotonic() + 60
        while not _some(client, name) and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        run.kill()
        run.wait()
    return keys(client, name)


def test_two_runs_at_once(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    names = [f"k{number:03}" for number in range(300)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: put(upstream, bucket, **{name: name.encode()}), names))
    line = [sys.executable, "-m", "gateway", "adopt", "--bucket", bucket, "--data", str(gateway.data)]
    environment = clean_environment(**environment_of(gateway.data))
    adopt(gateway, bucket, "--prefix", "nothing-yet")
    runs = [subprocess.Popen([*line, "--prefix", "k"], env=environment) for _ in range(2)]
    assert [run.wait(120) for run in runs] == [0, 0]
    assert keys(gateway.client(), bucket) == names
    assert changes(adopt(gateway, bucket, "--prefix", "k")) == (0, 0, 0)
    command(gateway, "fsck", "--no-adopted")


def test_a_store_that_goes_away_in_the_middle(tmp_path: Path, own_minio: Minio) -> None:
    data = tmp_path / "data"
    stand_on(data, {"PIXGATE_STORE_URL": own_minio.store_url(own_minio.new_bucket())})
    bucket = own_minio.new_bucket()
    upstream = own_minio.client()
    put(upstream, bucket, a=b"a")
    with running(Server(data, workers=1)) as server:
        adopt(server, bucket)
        line = [sys.executable, "-m", "gateway", "adopt", "--bucket", bucket, "--watch", "--every", "1s"]
        environment = clean_environment(**environment_of(data))
        with (tmp_path / "errors").open("w") as errors:
            run = subprocess.Popen([*line, "--data", str(data)], env=environment, stderr=errors)
        try:
            put(upstream, bucket, b=b"b")
            _wait_for(lambda: keys(server.client(), bucket) == ["a", "b"])
            own_minio.pause()
            _wait_for(lambda: "Trying again" in (tmp_path / "errors").read_text())
            own_minio.resume()
            put(upstream, bucket, c=b"c")
            _wait_for(lambda: keys(server.client(), bucket) == ["a", "b", "c"])
        finally:
            own_minio.resume()
            run.kill()
            run.wait()
        assert "Traceback" not in (tmp_path / "errors").read_text()
    upstream.close()


def _some(client: Any, bucket: str) -> bool:
    try:
        return bool(client.list_objects_v2(Bucket=bucket, MaxKeys=1).get("Contents"))
    except ClientError:
        return False


def test_watch(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, a=b"a")
    line = [sys.executable, "-m", "gateway", "adopt", "--bucket", bucket, "--watch", "--every", "1s"]
    run = subprocess.Popen(
        [*line, "--data", str(gateway.data)],
        env=clean_environment(**environment_of(gateway.data)),
        # Who runs the tests in the background has it ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    client = gateway.client()
    try:
        _wait_for(lambda: _some(client, bucket))
        put(upstream, bucket, b=b"b")
        _wait_for(lambda: keys(client, bucket) == ["a", "b"])
        upstream.delete_object(Bucket=bucket, Key="a")
        _wait_for(lambda: keys(client, bucket) == ["b"])
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 0
    finally:
        run.kill()
        run.wait()


def _wait_for(holds: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_images(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    upstream.put_object(Bucket=bucket, Key="p.jpg", Body=images.jpeg((200, 100), seed=1))
    put(upstream, bucket, text=b"no image at all")
    adopt(gateway, bucket)
    pixgate("buckets", "set", bucket, "--images", "public", data=gateway.data)
    client = gateway.client()
    assert "x-pixgate-image-id" not in _headers(client, bucket, "p.jpg")

    def shown(path: str) -> tuple[int, str, Image.Image | None]:
        try:
            with urllib.request.urlopen(f"{gateway.url}/img/{path}?w=150", timeout=60) as answer:
                return answer.status, answer.headers["ETag"], Image.open(io.BytesIO(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return error.code, "", None

    status, etag, picture = shown(f"{bucket}/p.jpg")
    assert (status, picture is not None and picture.size) == (200, (150, 75))
    image_id = _headers(client, bucket, "p.jpg")["x-pixgate-image-id"]
    assert shown(image_id)[:2] == (200, etag)
    assert shown(f"{bucket}/text")[0] == 415

    # The picture is another one as soon as the object is, though its rendition was in every memory.
    upstream.put_object(Bucket=bucket, Key="p.jpg", Body=images.jpeg((100, 100), seed=2))
    time.sleep(1.1)
    status, other, picture = shown(f"{bucket}/p.jpg")
    assert (status, picture is not None and picture.size) == (200, (100, 100))
    assert other != etag
    assert _rendered(gateway, bucket, "p.jpg").size == (50, 50)
    upstream.put_object(Bucket=bucket, Key="p.jpg", Body=images.jpeg((300, 100), seed=3))
    time.sleep(1.1)
    assert _rendered(gateway, bucket, "p.jpg").size == (50, 17)
    assert shown(image_id)[0] in (403, 404)
    upstream.delete_object(Bucket=bucket, Key="p.jpg")
    time.sleep(1.1)
    assert shown(f"{bucket}/p.jpg")[0] in (403, 404)


def _rendered(server: Server, bucket: str, key: str) -> Image.Image:
    """What an SDK gets that asks for `x-img`."""
    client = server.target().client()

    def add(request: Any, **_: object) -> None:
        request.url += "?x-img=w:50"

    client.meta.events.register_first("before-sign.s3.GetObject", add)
    data = body(client, bucket, key)
    client.close()
    return Image.open(io.BytesIO(data))


def _headers(client: Any, bucket: str, key: str) -> dict[str, str]:
    found: dict[str, str] = client.head_object(Bucket=bucket, Key=key)["ResponseMetadata"]["HTTPHeaders"]
    return found


def test_fsck_tells_what_others_changed(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, same=b"1", changed=b"2", gone=b"3")
    adopt(gateway, bucket)
    put(upstream, bucket, changed=b"22")
    upstream.delete_object(Bucket=bucket, Key="gone")
    report = json.loads(command(gateway, "fsck", "--json"))
    assert report["clean"]
    assert {name for name in report["changed"] if name.startswith(bucket)} == {f"{bucket}/changed", f"{bucket}/gone"}
    skipped = json.loads(command(gateway, "fsck", "--json", "--no-adopted"))
    assert (skipped["changed"], skipped["adopted"]) == ([], 0)
    assert skipped["adopted_skipped"] == report["adopted"] >= 3
    adopt(gateway, bucket)


def test_a_bucket_that_is_deleted_leaves_its_source_alone(gateway: Server, minio: Minio, upstream: Any) -> None:
    bucket = minio.new_bucket()
    put(upstream, bucket, k=b"1")
    adopt(gateway, bucket)
    client = gateway.client()
    client.delete_object(Bucket=bucket, Key="k")
    client.delete_bucket(Bucket=bucket)
    command(gateway, "sweep", "--grace", "0s")
    assert body(upstream, bucket, "k") == b"1"
    # Adopted once more it begins anew.
    assert changes(adopt(gateway, bucket)) == (1, 0, 0)
    assert body(client, bucket, "k") == b"1"


def test_another_kind_of_store(tmp_path: Path, rclone_s3: Rclone) -> None:
    """No metadata in its listings, no versions, and not every condition."""
    data = tmp_path / "data"
    stand_on(data, {"PIXGATE_STORE_URL": rclone_s3.store_url(rclone_s3.new_bucket())})
    bucket = rclone_s3.new_bucket()
    upstream = rclone_s3.client()
    for number in range(30):
        upstream.put_object(Bucket=bucket, Key=f"k{number:02}", Body=b"%d" % number, Metadata={"n": str(number)})
    with running(Server(data, workers=1)) as server:
        assert changes(adopt(server, bucket)) == (30, 0, 0)
        client = server.client()
        assert len(keys(client, bucket)) == 30
        for key in ("k00", "k29"):
            there, here = (each.head_object(Bucket=bucket, Key=key) for each in (upstream, client))
            for name in ("ETag", "ContentType", "LastModified"):
                assert here[name] == there[name]
            assert here["Metadata"] == {name.lower(): value for name, value in there["Metadata"].items()}
            assert body(client, bucket, key) == body(upstream, bucket, key)
        upstream.put_object(Bucket=bucket, Key="k00", Body=b"longer than before")
        upstream.delete_object(Bucket=bucket, Key="k01")
        assert body(client, bucket, "k00") == b"longer than before"
        with pytest.raises(ClientError) as raised:
            client.get_object(Bucket=bucket, Key="k01")
        assert code(raised) == "NoSuchKey"
        upstream.put_object(Bucket=bucket, Key="k99", Body=b"new")
        assert changes(adopt(server, bucket)) == (1, 0, 0)
        command(server, "fsck")
    upstream.close()


def test_the_guide(gateway: Server, minio: Minio, upstream: Any) -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/adopt.md").read_text(encoding="utf-8")
    bucket = minio.new_bucket()
    put(upstream, bucket, a=b"1", b=b"2", c=b"3")
    printed = ""
    compared = 0
    for kind, text in re.findall(r"```(sh|text)\n(.*?)```", guide.replace("holidays", bucket), re.DOTALL):
        if kind == "sh":
            (line,) = text.splitlines()
            printed = command(gateway, *shlex.split(line)[1:])
        else:
            assert printed == text
            compared += 1
    assert compared == 2
    assert keys(gateway.client(), bucket) == ["a", "b", "c"]


def test_while_the_store_is_away(tmp_path: Path, own_minio: Minio) -> None:
    """Nothing is said of an object whose store cannot be asked, but that its picture is in a memory."""
    data = tmp_path / "data"
    stand_on(data, {"PIXGATE_STORE_URL": own_minio.store_url(own_minio.new_bucket())})
    bucket = own_minio.new_bucket()
    upstream = own_minio.client()
    upstream.put_object(Bucket=bucket, Key="p.jpg", Body=images.jpeg((200, 100)))
    put(upstream, bucket, k=b"k")
    with running(Server(data, workers=1)) as server:
        adopt(server, bucket)
        client = server.client(read_timeout=30)
        assert _rendered(server, bucket, "p.jpg").size == (50, 25)
        own_minio.pause()
        try:
            time.sleep(1.1)
            began = time.monotonic()
            assert _rendered(server, bucket, "p.jpg").size == (50, 25)
            assert time.monotonic() - began < 10
            for ask in (client.get_object, client.head_object):
                began = time.monotonic()
                with pytest.raises(ClientError) as raised:
                    ask(Bucket=bucket, Key="k")
                assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
                assert time.monotonic() - began < 12
            assert keys(client, bucket) == ["k", "p.jpg"]
            client.delete_object(Bucket=bucket, Key="p.jpg")
        finally:
            own_minio.resume()
        _wait_for(lambda: _status(client, bucket, "k") == 200)
        assert body(client, bucket, "k") == b"k"
        assert keys(upstream, bucket) == ["k", "p.jpg"]
    upstream.close()


def _status(client: Any, bucket: str, key: str) -> int:
    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return 200
