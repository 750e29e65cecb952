"""Objects that others or we change after they were adopted, and who of both wins."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functional.adopt.source import (
    adopt,
    body,
    changes,
    code,
    command,
    keys,
    put,
)
from tests.servers.minio import Minio
from tests.services import Server


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
