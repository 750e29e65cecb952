"""Whose place a store is, and what is told of one that cannot be used."""

from __future__ import annotations

import pytest

from gateway.blobs.upstream.check import StoreCheck, check_store
from gateway.blobs.upstream.store import UpstreamStore
from gateway.errors import InvalidValue, StoreUnavailable, for_operator
from gateway.settings.stores import S3Store, parse_store
from tests.contract.store.place import DEPLOYMENT, Maker
from tests.servers.minio import Minio
from tests.servers.ports import free_port
from tests.servers.rclone import Rclone


async def test_the_place_belongs_to_one_deployment(maker: Maker) -> None:
    await maker("d1").claim(used=False)
    await maker("d1").claim(used=True)
    with pytest.raises(InvalidValue, match="belongs to the deployment d1"):
        await maker("d2").claim(used=False)


async def test_a_used_place_without_its_mark_is_refused(maker: Maker) -> None:
    with pytest.raises(InvalidValue, match="is missing"):
        await maker("d1").claim(used=True)
    await maker("d1").claim(used=False)


async def test_a_missing_bucket_is_made_unless_something_was_stored_in_it(minio: Minio) -> None:
    url = minio.store_url(f"{minio.new_bucket()}-more")
    settings = parse_store(url)
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, DEPLOYMENT)
    with pytest.raises(InvalidValue, match=f"bucket {settings.bucket} on {settings.endpoint} is missing"):
        await store.claim(used=True)
    found = await check_store(settings)
    assert not found.ok
    assert "does not exist" in found.problems[0]
    await store.claim(used=False)
    await store.claim(used=True)
    assert await store.create_bucket() is False
    await store.close()


async def test_a_claim_that_is_refused_says_where_but_only_to_the_operator(minio: Minio) -> None:
    url = minio.store_url(minio.new_bucket()).replace(minio.secret_key, "another-secret")
    settings = parse_store(url, "main")
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, DEPLOYMENT)
    with pytest.raises(StoreUnavailable) as raised:
        await store.claim(used=False)
    await store.close()
    assert str(raised.value) == "The store refused the request."
    said = for_operator(raised.value)
    assert f"(store main, bucket {settings.bucket} on {settings.endpoint}: the keys are wrong" in said
    assert "another-secret" not in said


async def test_a_check_says_what_is_wrong_and_what_is_missing(minio: Minio, rclone_s3: Rclone) -> None:
    async def check(url: str) -> StoreCheck:
        settings = parse_store(url, "s")
        assert isinstance(settings, S3Store)
        return await check_store(settings, timeout=60)

    url = minio.store_url(minio.new_bucket())
    good = await check(url)
    assert (good.name, good.problems, good.missing) == ("s", (), ())
    assert good.clock_difference is not None
    assert abs(good.clock_difference) < 60
    fewer = await check(rclone_s3.store_url(rclone_s3.new_bucket()))
    assert fewer.ok
    assert "checksum headers (CRC32C)" in fewer.missing
    for wrong, text in (
        (url.replace(minio.secret_key, "another-secret"), "keys are wrong"),
        (url.replace(str(minio.port), str(free_port())), "no connection"),
        (url.replace("tls=off", "tls=on"), "no connection"),
    ):
        found = await check(wrong)
        assert not found.ok
        assert text in found.problems[0]
        assert minio.secret_key not in str(found)
