"""Keys that are hard on clients, put and read by each client under its own rules of escaping."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.functional.clients.conftest import new_bucket
from tests.functional.clients.port import Client

_TREE = (
    "with space.txt",
    "plus+plus.txt",
    "per%cent.txt",
    "per%20cent.txt",
    "%2F",
    "amper&sand=1;2,3.txt",
    "quote\"s'.txt",
    "hash#and?mark.txt",
    "caf\u00e9 \u65e5\u672c\u8a9e/\u5199\u771f.txt",
    "e\u0301 decomposed.txt",
    "\U0001f600.txt",
    "[brackets]{braces}~!@$^()",
    "..hidden",
    "dots...txt",
)
_LONGEST = "/".join("k" * 120 for _ in range(8)) + "/" + "e" * 56
_SINGLE = ("a//b", "/leading", "a/../b", "..", "trailing/", _LONGEST)


def test_trees_with_hard_names(http_client: Client, tmp_path: Path) -> None:
    bucket = new_bucket(http_client)
    source, target = tmp_path / "source", tmp_path / "target"
    target.mkdir()
    for name in _TREE:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(name.encode())
    http_client.upload_tree(source, bucket, "tree +%/")
    expected = sorted(f"tree +%/{name}" for name in _TREE)
    stored = http_client.server.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert sorted(entry["Key"] for entry in stored) == expected
    assert sorted(http_client.list(bucket, "tree +%/")) == expected
    http_client.download_tree(bucket, "tree +%/", target)
    for name in _TREE:
        assert (target / name).read_bytes() == name.encode()


@pytest.mark.parametrize("key", _SINGLE, ids=["double-slash", "leading", "dots", "up", "trailing", "1024-bytes"])
def test_single_hard_keys(http_client: Client, tmp_path: Path, key: str) -> None:
    if key in http_client.beyond:
        pytest.skip(http_client.beyond[key])
    bucket = new_bucket(http_client)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(key.encode())
    http_client.put(source, bucket, key)
    stored = http_client.server.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in stored] == [key]
    http_client.get(bucket, key, target)
    assert target.read_bytes() == key.encode()


def test_a_key_beside_its_prefix(http_client: Client, tmp_path: Path) -> None:
    bucket = new_bucket(http_client)
    for key in ("a", "a/b"):
        source = tmp_path / "source"
        source.write_bytes(key.encode())
        http_client.put(source, bucket, key)
    for key in ("a", "a/b"):
        target = tmp_path / "target"
        target.unlink(missing_ok=True)
        http_client.get(bucket, key, target)
        assert target.read_bytes() == key.encode()
    http_client.delete(bucket, "a")
    stored = http_client.server.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in stored] == ["a/b"]
