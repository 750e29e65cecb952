"""Every client prints our error code for a refused upload, however much it was sending."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.functional.clients.conftest import new_bucket
from tests.functional.clients.port import Client, ClientFailed
from tests.services import Server, pixgate

_MIB = 1024 * 1024


@pytest.fixture
def foreign_bucket(client: Client) -> str:
    """A bucket of another account."""
    name = f"foreign-{secrets.token_hex(6)}"
    client.server.client(client.server.keys("stranger")).create_bucket(Bucket=name)
    return name


@pytest.mark.parametrize("size", [10, 64 * _MIB], ids=["10-bytes", "64-MiB"])
def test_bucket_of_another_account(client: Client, foreign_bucket: str, tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(size))
    with pytest.raises(ClientFailed, match="AccessDenied"):
        client.put_in_one_request(source, foreign_bucket, "key")
    assert client.server.client().list_objects_v2(Bucket=foreign_bucket)["KeyCount"] == 0


@pytest.mark.parametrize("size", [10, 64 * _MIB], ids=["10-bytes", "64-MiB"])
def test_missing_bucket(client: Client, tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(size))
    with pytest.raises(ClientFailed, match=r"NoSuchBucket|bucket does not exist"):
        client.put_in_one_request(source, f"missing-{secrets.token_hex(6)}", "key")


def test_disabled_key(http_client: Client, tmp_path: Path) -> None:
    bucket = new_bucket(http_client)
    server: Server = http_client.server
    keys = server.new_keys("clients")
    other = type(http_client)(server, keys, http_client.home)
    source = tmp_path / "source"
    source.write_bytes(b"x")
    other.put(source, bucket, "before")
    pixgate("keys", "disable", keys.access_key, data=server.data)
    with pytest.raises(ClientFailed, match=r"InvalidAccessKeyId|AccessDenied|403|Access Key Id"):
        other.put(source, bucket, "after")
    assert [entry["Key"] for entry in server.client().list_objects_v2(Bucket=bucket)["Contents"]] == ["before"]
