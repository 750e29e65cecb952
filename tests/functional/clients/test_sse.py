"""Server-side encryption as other clients ask for it: aws-cli, minio-py, rclone."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

import minio
import minio.sse
import pytest
from minio.commonconfig import CopySource

from tests.functional.clients.aws_cli import AwsCli, installed
from tests.functional.clients.minio_py import MinioPy
from tests.functional.clients.port import ClientFailed
from tests.functional.clients.rclone import Rclone
from tests.services import Server

KEY = bytes(range(32))


@pytest.fixture
def bucket(server: Server) -> str:
    name = "sse-" + secrets.token_hex(6)
    server.client(server.keys("clients")).create_bucket(Bucket=name)
    return name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that aws-cli sends in two parts."""
    made = tmp_path / "file"
    made.write_bytes(os.urandom(9 * 1024 * 1024 + 5))
    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.mark.skipif(installed(1) is None, reason="no aws-cli 1 is installed")
def test_aws_cli(server: Server, bucket: str, file: Path, home: Path, tmp_path: Path) -> None:
    aws = AwsCli(server, server.keys("clients"), home)
    key_file = tmp_path / "key"
    key_file.write_bytes(KEY)
    customer = ("--sse-c", "AES256", "--sse-c-key", f"fileb://{key_file}")
    source = ("--sse-c-copy-source", "AES256", "--sse-c-copy-source-key", f"fileb://{key_file}")
    back = tmp_path / "back"
    aws._aws("s3", "cp", "--sse", "AES256", str(file), f"s3://{bucket}/managed")
    aws._aws("s3", "cp", f"s3://{bucket}/managed", str(back))
    assert back.read_bytes() == file.read_bytes()
    aws._aws("s3", "cp", *customer, str(file), f"s3://{bucket}/own")
    aws._aws("s3", "cp", *customer, f"s3://{bucket}/own", str(back))
    assert back.read_bytes() == file.read_bytes()
    with pytest.raises(ClientFailed, match="400"):
        aws._aws("s3", "cp", f"s3://{bucket}/own", str(back))
    aws._aws("s3", "cp", *source, "--sse", "AES256", f"s3://{bucket}/own", f"s3://{bucket}/copy")
    aws._aws("s3", "cp", f"s3://{bucket}/copy", str(back))
    assert back.read_bytes() == file.read_bytes()
    encryption = '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'
    aws._aws("s3api", "put-bucket-encryption", "--bucket", bucket, "--server-side-encryption-configuration", encryption)
    assert "AES256" in aws._aws("s3api", "get-bucket-encryption", "--bucket", bucket)


def test_minio_py(https_server: Server, file: Path) -> None:
    """It refuses SSE-C over http of itself."""
    bucket = "sse-" + secrets.token_hex(6)
    keys = https_server.keys("clients")
    https_server.client(keys).create_bucket(Bucket=bucket)
    client = MinioPy(https_server, keys, file.parent)._minio
    own, managed = minio.sse.SseCustomerKey(KEY), minio.sse.SseS3()
    client.fput_object(bucket, "own", str(file), sse=own, part_size=5 * 1024 * 1024)
    client.fput_object(bucket, "managed", str(file), sse=managed, part_size=5 * 1024 * 1024)
    for key, ssec in (("own", own), ("managed", None)):
        answer = client.get_object(bucket, key, ssec=ssec)
        assert answer.read() == file.read_bytes()
        answer.close()
    client.copy_object(bucket, "copy", CopySource(bucket, "own", ssec=own), sse=managed)
    answer = client.get_object(bucket, "copy")
    assert answer.read() == file.read_bytes()
    answer.close()


def test_rclone(server: Server, bucket: str, file: Path, home: Path, tmp_path: Path) -> None:
    rclone = Rclone(server, server.keys("clients"), home)
    own = ("--s3-sse-customer-algorithm", "AES256", "--s3-sse-customer-key-base64", base64.b64encode(KEY).decode())
    back = tmp_path / "back"
    for options, key in ((own, "own"), (("--s3-server-side-encryption", "AES256"), "managed")):
        rclone._rclone("copyto", *options, "--s3-upload-cutoff", "0", str(file), f"pix:{bucket}/{key}")
        rclone._rclone("copyto", *options, f"pix:{bucket}/{key}", str(back))
        assert back.read_bytes() == file.read_bytes()
        back.unlink()
    with pytest.raises(ClientFailed):
        rclone._rclone("copyto", "--retries", "1", "--low-level-retries", "1", f"pix:{bucket}/own", str(back))
