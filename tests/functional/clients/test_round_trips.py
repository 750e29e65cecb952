"""Put, get, sync, copy, move, list and delete with real clients at their defaults; bytes are compared."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from tests.functional.clients.conftest import new_bucket
from tests.functional.clients.port import Client
from tests.functional.clients.rclone import Rclone

_MIB = 1024 * 1024
_SIZES = {"empty": 0, "one": 1, "below": 5 * _MIB - 1, "exact": 5 * _MIB, "above": 5 * _MIB + 1}
_BIG = 100 * _MIB


def _bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def _digests(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_trees_of_all_sizes(client: Client, tmp_path: Path) -> None:
    bucket = new_bucket(client)
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "deep" / "er").mkdir(parents=True)
    target.mkdir()
    for name, size in _SIZES.items():
        (source / name).write_bytes(_bytes(size))
    (source / "deep" / "er" / "file.txt").write_bytes(b"deep")
    client.upload_tree(source, bucket, "tree/")
    assert sorted(client.list(bucket, "tree/")) == sorted(f"tree/{name}" for name in _digests(source))
    client.download_tree(bucket, "tree/", target)
    assert _digests(target) == _digests(source)


def test_one_object(http_client: Client, tmp_path: Path) -> None:
    bucket = new_bucket(http_client)
    source, target = tmp_path / "source.jpg", tmp_path / "target.jpg"
    source.write_bytes(_bytes(100_000))
    http_client.put(source, bucket, "photos/one.jpg")
    http_client.get(bucket, "photos/one.jpg", target)
    assert target.read_bytes() == source.read_bytes()

    source.write_bytes(_bytes(50_000, seed=2))
    http_client.put(source, bucket, "photos/one.jpg")
    http_client.copy(bucket, "photos/one.jpg", "copies/two.jpg")
    http_client.move(bucket, "photos/one.jpg", "moved/three.jpg")
    assert sorted(http_client.list(bucket)) == ["copies/two.jpg", "moved/three.jpg"]
    for key in ("copies/two.jpg", "moved/three.jpg"):
        target.unlink()
        http_client.get(bucket, key, target)
        assert target.read_bytes() == source.read_bytes(), key

    http_client.delete(bucket, "copies/two.jpg")
    assert list(http_client.list(bucket)) == ["moved/three.jpg"]


def test_syncing_again_sends_only_what_changed(http_client: Client, tmp_path: Path) -> None:
    if http_client.name in ("boto3", "minio-py"):
        pytest.skip("a library: it has no sync")
    bucket = new_bucket(http_client)
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a", "b", "c"):
        (source / name).write_bytes(name.encode() * 1000)
    http_client.upload_tree(source, bucket, "t/")
    puts = http_client.server.metric("pixgate_requests_total", operation="PutObject")
    http_client.upload_tree(source, bucket, "t/")
    assert http_client.server.metric("pixgate_requests_total", operation="PutObject") == puts
    (source / "b").write_bytes(b"changed and longer" * 1000)
    (source / "c").unlink()
    http_client.upload_tree(source, bucket, "t/")
    assert http_client.server.metric("pixgate_requests_total", operation="PutObject") == puts + 1
    assert sorted(http_client.list(bucket, "t/")) == ["t/a", "t/b"]


def test_100_mib(https_client: Client, tmp_path: Path) -> None:
    bucket = new_bucket(https_client)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(_bytes(_BIG))
    if isinstance(https_client, Rclone):
        https_client.put_as_stream(source, bucket, "big")
    else:
        https_client.put(source, bucket, "big")
    https_client.copy(bucket, "big", "copy of big")
    https_client.get(bucket, "copy of big", target)
    assert target.stat().st_size == _BIG
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()
    head = https_client.server.client().head_object(Bucket=bucket, Key="big")
    assert "-" in head["ETag"], f"{https_client.name} did not upload in parts"


def test_get_of_what_is_not_there(http_client: Client, tmp_path: Path) -> None:
    if isinstance(http_client, Rclone):
        pytest.skip("rclone takes a missing key for an empty folder")
    bucket = new_bucket(http_client)
    with pytest.raises(Exception, match=r"(?i)404|NoSuchKey|not found|does not exist"):
        http_client.get(bucket, "missing", tmp_path / "target")
