"""What may be adopted: prefixes, buckets, what a deployment keeps for itself, copies, another kind of store."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
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
from tests.servers.rclone import Rclone
from tests.services import Server, environment_of, pixgate, running, stand_on

PART = 5 * 1024 * 1024


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
    guide = (Path(__file__).parents[3] / "docs/guides/adopt.md").read_text(encoding="utf-8")
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
