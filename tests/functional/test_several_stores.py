"""Several stores under one deployment: where new bytes go, and that nothing is moved by a change of mind."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.backends import backends_of
from gateway.config import load
from gateway.errors import InvalidValue, StoreUnavailable
from gateway.model.buckets import Bucket
from gateway.services import Services
from tests.data_folder import MASTER, names, new_data_folder, put, read
from tests.functional.conftest import StartServer
from tests.servers.minio import Minio
from tests.services import Server, environment_of, pixgate

LARGE = os.urandom(200_000)


def wait_for_log(server: Server, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in server.tail():
        assert time.monotonic() < deadline, server.tail()
        time.sleep(0.05)


@asynccontextmanager
async def opened(data: Path, **settings: str) -> AsyncIterator[Services]:
    """Services as a worker has them whose settings name these stores."""
    environment = {"PIXGATE_DATA": str(data), **{f"PIXGATE_{name.upper()}": value for name, value in settings.items()}}
    backends = backends_of(load(environ=environment, env_file=Path(os.devnull)))
    services = await Services.open(backends, master=MASTER, worker=True, grace_ms=-1000)
    try:
        yield services
    finally:
        await services.close()


async def photos(services: Services) -> Bucket:
    bucket = await services.directory.bucket("photos")
    return bucket or await services.buckets.create("photos", services.directory.root_account)


async def store_of(services: Services, bucket: Bucket, key: bytes) -> str:
    content = (await services.objects.get(bucket, key)).content
    assert content is not None
    assert content.first is not None
    return content.first.store


async def test_another_default_moves_nothing(tmp_path: Path, minio: Minio) -> None:
    data = new_data_folder(tmp_path / "data")
    url = minio.store_url(minio.new_bucket())
    async with opened(data) as services:
        bucket = await photos(services)
        for name, body in ((b"small", b"in the folder"), (b"large", LARGE), (b"gone", LARGE)):
            await put(services, bucket, name, body)
    async with opened(data, store_url=url) as services:
        bucket = await photos(services)
        await put(services, bucket, b"new", b"in the service")
        await put(services, bucket, b"new large", LARGE)
        assert await read(services, bucket, b"small") == b"in the folder"
        assert await read(services, bucket, b"large") == LARGE
        assert await read(services, bucket, b"new large") == LARGE
        assert [await store_of(services, bucket, key) for key in (b"small", b"large", b"new", b"new large")] == [
            "local",
            "local",
            "main",
            "main",
        ]
        before = len(await names(services))
        await services.objects.delete(bucket, b"gone")
        await services.sweep.run_once()
        assert len(await names(services)) == before - 1, "what was deleted goes from the store where it lay"
        assert (await services.fsck.run()).problems == []
    async with opened(data, store_url=url, default_store="local") as services:
        bucket = await photos(services)
        await put(services, bucket, b"back", b"in the folder again")
        assert await store_of(services, bucket, b"back") == "local"
        assert await read(services, bucket, b"new") == b"in the service"


async def test_a_bucket_may_have_a_store_of_its_own(tmp_path: Path, minio: Minio) -> None:
    data = new_data_folder(tmp_path / "data")
    async with opened(data, store_url=minio.store_url(minio.new_bucket()), default_store="local") as services:
        bucket = await photos(services)
        await put(services, bucket, b"before", b"x")
        await services.buckets.set_store(bucket, "main")
        await services.directory.refresh()
        bucket = await photos(services)
        assert bucket.store == "main"
        await put(services, bucket, b"after", b"y")
        assert await store_of(services, bucket, b"before") == "local"
        assert await store_of(services, bucket, b"after") == "main"
        with pytest.raises(InvalidValue, match="only local, main"):
            await services.buckets.set_store(bucket, "elsewhere")
        await services.buckets.set_store(bucket, None)
        await services.directory.refresh()
        bucket = await photos(services)
        await put(services, bucket, b"again", b"z")
        assert await store_of(services, bucket, b"again") == "local"


async def test_a_store_that_the_settings_name_no_more_is_told(tmp_path: Path, minio: Minio) -> None:
    data = new_data_folder(tmp_path / "data")
    async with opened(data, store_url=minio.store_url(minio.new_bucket())) as services:
        await put(services, await photos(services), b"key", b"x")
    async with opened(data) as services:
        bucket = await photos(services)
        with pytest.raises(StoreUnavailable, match="'main' is not configured"):
            await read(services, bucket, b"key")
        report = await services.fsck.run()
        assert any("'main', which is not configured" in problem for problem in report.problems)
        await services.objects.delete(bucket, b"key")
        # What cannot be reached waits; it is neither forgotten nor in the way.
        await services.sweep.run_once()
        assert (await services.sweep.run_once()) is not None


async def test_a_folder_named_by_its_url(tmp_path: Path) -> None:
    data = new_data_folder(tmp_path / "data")
    (tmp_path / "elsewhere").mkdir()
    async with opened(data, store_url=f"file://{tmp_path}/elsewhere") as services:
        bucket = await photos(services)
        await put(services, bucket, b"key", LARGE)
        assert await read(services, bucket, b"key") == LARGE
        assert await store_of(services, bucket, b"key") == "main"
    assert list((tmp_path / "elsewhere").rglob("*/*/1"))
    assert not (data / "blobs").exists()


def test_the_command_line_sets_a_buckets_store(start_server: StartServer, tmp_path: Path, minio: Minio) -> None:
    data = tmp_path / "data"
    environment_of(data)["PIXGATE_STORE_URL"] = minio.store_url(minio.new_bucket())
    environment_of(data)["PIXGATE_DEFAULT_STORE"] = "local"
    server = start_server(data)
    client = server.client()
    client.create_bucket(Bucket="photos")
    assert "store main" in pixgate("buckets", "set", "photos", "--store", "main", data=data).stdout
    client.put_object(Bucket="photos", Key="key", Body=LARGE)
    assert client.get_object(Bucket="photos", Key="key")["Body"].read() == LARGE
    listed = pixgate("buckets", "list", "--json", data=data).stdout
    assert '"objects": 1' in listed
    assert f'"bytes": {len(LARGE)}' in listed
    refused = pixgate("buckets", "set", "photos", "--store", "nowhere", data=data, check=False)
    assert refused.returncode == 1
    assert "There is no store 'nowhere', only local, main." in refused.stderr
    pixgate("fsck", data=data)


def test_a_folder_that_is_not_there_is_named_until_it_is(tmp_path: Path) -> None:
    data, cold = tmp_path / "data", tmp_path / "cold"
    environment_of(data).update(PIXGATE_STORE_URL=f"file://{cold}", PIXGATE_DEFAULT_STORE="local")
    server = Server(data, workers=1)
    missing = f"The store does not answer. (store main, folder {cold}: it is not there)"
    try:
        server.begin()
        wait_for_log(server, f"not ready: {missing}")

        def states() -> dict[str, tuple[str, str | None]]:
            told = json.loads(pixgate("stores", "list", "--json", data=data).stdout)
            return {one["store"]: (one["status"], one["detail"]) for one in told}

        assert states() == {"local": ("healthy", None), "main": ("degraded", missing)}
        cold.mkdir()
        server.wait()
        assert states() == {"local": ("healthy", None), "main": ("healthy", None)}
        (cold / "deployment").write_text("0123456789abcdef\n")
        status, detail = states()["main"]
        assert status == "unhealthy"
        assert detail is not None
        assert "belongs to the deployment 0123456789abcdef" in detail
    finally:
        server.kill()
