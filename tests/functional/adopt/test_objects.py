"""`pixgate adopt`: what is kept of objects that were there before, with boto3 on both sides of the gateway."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.adopt.source import (
    adopt,
    body,
    changes,
    code,
    keys,
    put,
    stored,
)
from tests.servers.minio import Minio
from tests.services import Server

PART = 5 * 1024 * 1024

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
