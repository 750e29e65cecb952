"""A store that is mistyped or refuses: the operator reads which one it is, clients only that they have to wait."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.functional.conftest import StartServer
from tests.servers.minio import Minio
from tests.services import Server, environment_of, pixgate


def test_a_bucket_that_is_gone_is_named_and_not_waited_for(
    start_server: StartServer, tmp_path: Path, minio: Minio
) -> None:
    data = tmp_path / "data"
    bucket = minio.new_bucket()
    environment_of(data)["PIXGATE_STORE_URL"] = minio.store_url(bucket)
    server = start_server(data)
    server.client().create_bucket(Bucket="photos")
    server.client().put_object(Bucket="photos", Key="key", Body=os.urandom(100_000))
    server.stop()
    minio.client().put_object(Bucket=bucket, Key=_base(minio, bucket) + "junk/note.txt", Body=b"junk")
    assert "leftover: main: junk/note.txt (4 bytes)" in pixgate("fsck", data=data).stdout

    environment_of(data)["PIXGATE_STORE_URL"] = minio.store_url(f"{bucket}-typo")
    told = f"the database names blobs, but the bucket of store main, bucket {bucket}-typo on 127.0.0.1:{minio.port}"
    found = pixgate("fsck", data=data, check=False)
    assert (found.returncode, found.stderr.startswith(f"Error: {told} is missing")) == (1, True), found.stderr
    server = Server(data)
    server.begin()
    assert server.ended() == 1
    assert f"Error: {told} is missing" in server.tail()


def test_a_store_that_refuses_is_named_by_what_waits_for_it(tmp_path: Path, minio: Minio) -> None:
    data = tmp_path / "data"
    bucket = minio.new_bucket()
    environment_of(data)["PIXGATE_STORE_URL"] = minio.store_url(bucket).replace(minio.secret_key, "hushhush")
    pixgate("migrate", data=data)
    told = f"The store refused the request. (store main, bucket {bucket} on 127.0.0.1:{minio.port}: the keys are wrong"
    found = pixgate("fsck", data=data, check=False)
    assert found.returncode == 1
    assert found.stderr.startswith(f"Error: {told}")
    assert "hushhush" not in found.stderr
    server = Server(data)
    server.begin()
    try:
        deadline = time.monotonic() + 60
        while f"Waiting: {told}" not in server.tail() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert f"Waiting: {told}" in server.tail()
        assert "hushhush" not in server.tail()
    finally:
        server.kill()


def _base(minio: Minio, bucket: str) -> str:
    """Under which prefix the deployment's blobs lie, with a slash."""
    keys = [one["Key"] for one in minio.client().list_objects_v2(Bucket=bucket)["Contents"]]
    (base,) = {key.partition("/")[0] for key in keys if "/" in key and not key.startswith("cache/")}
    return f"{base}/"
