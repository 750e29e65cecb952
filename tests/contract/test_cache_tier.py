"""What every tier of renditions does, on each adapter: what is found is what was put there, whole, or nothing is."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway.cache.folder import FolderObjects
from gateway.cache.port import Tier
from gateway.cache.redis import RedisServer, RedisTier
from gateway.cache.sealed import Sealer
from gateway.cache.store import StoreTier
from gateway.cache.upstream import UpstreamObjects
from gateway.redis_address import parse_redis_url
from gateway.render.rendition import Rendition
from gateway.settings.stores import S3Store, parse_store
from tests.servers.redis import Redis
from tests.servers.s3 import S3Server

SECRET = b"s" * 32
LARGEST = 1 << 20


def picture(size: int = 5000, *, made: str = "webp") -> Rendition:
    """A rendition of random bytes."""
    return Rendition(secrets.token_bytes(size), f"image/{made}", made, 300, 200, None, 31.5)


@dataclass
class Place:
    """One place that tiers share: `tier` opens another tier in it, `lies` gives and `lay` sets the raw bytes of a key."""

    name: str
    tier: Callable[..., Tier]
    lies: Callable[[bytes], Awaitable[bytes | None]]
    lay: Callable[[bytes, bytes], Awaitable[None]]


def redis_place(server: Redis, url: str) -> Place:
    def tier(deployment: str = "one", secret: bytes = SECRET) -> Tier:
        connection = RedisServer(parse_redis_url(url), deployment, budget=60)
        return RedisTier(connection, Sealer(secret), item_bytes=LARGEST, max_age=600)

    def run(*command: Any) -> Any:
        import redis

        with redis.Redis.from_url(url) as client:
            return client.execute_command(*command)

    def name(key: bytes) -> str:
        return f"pixgate:one:r:{key.hex()}"

    async def lies(key: bytes) -> bytes | None:
        found: bytes | None = await asyncio.to_thread(run, "GET", name(key))
        return found

    async def lay(key: bytes, data: bytes) -> None:
        await asyncio.to_thread(run, "SET", name(key), data)

    return Place("redis", tier, lies, lay)


def folder_place(root: Path) -> Place:
    def tier(deployment: str = "one", secret: bytes = SECRET) -> Tier:
        return StoreTier(FolderObjects(root / deployment), Sealer(secret), limit=LARGEST * 4)

    def path(key: bytes) -> Path:
        return root / "one" / key.hex()[:2] / key.hex()[2:]

    async def lies(key: bytes) -> bytes | None:
        return path(key).read_bytes() if path(key).exists() else None

    async def lay(key: bytes, data: bytes) -> None:
        path(key).parent.mkdir(parents=True, exist_ok=True)
        path(key).write_bytes(data)

    return Place("store", tier, lies, lay)


def upstream_place(server: S3Server) -> Place:
    bucket = server.new_bucket()
    settings = parse_store(server.store_url(bucket) + "&prefix=shared")
    assert isinstance(settings, S3Store)

    def tier(deployment: str = "one", secret: bytes = SECRET) -> Tier:
        return StoreTier(UpstreamObjects(settings, deployment), Sealer(secret), limit=LARGEST * 4)

    client = server.client()

    def name(key: bytes) -> str:
        return f"shared/cache/one/{key.hex()[:2]}/{key.hex()[2:]}"

    def read(key: bytes, again: int = 5) -> bytes | None:
        try:
            found: bytes = client.get_object(Bucket=bucket, Key=name(key))["Body"].read()
        except client.exceptions.NoSuchKey:
            return None
        except ClientError as error:
            # rclone's answer where the file went while it was being opened.
            if error.response["Error"]["Code"] != "InternalError" or not again:
                raise
            return read(key, again - 1)
        return found

    async def lies(key: bytes) -> bytes | None:
        return await asyncio.to_thread(read, key)

    async def lay(key: bytes, data: bytes) -> None:
        await asyncio.to_thread(client.put_object, Bucket=bucket, Key=name(key), Body=data)

    return Place("store", tier, lies, lay)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a busy machine delays is not what these tests are about."""
    monkeypatch.setattr("gateway.cache.store.BUDGET", 60)
    monkeypatch.setattr("gateway.cache.store.WRITE_BUDGET", 60)


@pytest.fixture(params=["redis", "folder", "minio", "rclone"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Redis, and the places that a store can be."""
    if request.param == "minio":
        return upstream_place(request.getfixturevalue("minio"))
    if request.param == "rclone":
        return upstream_place(request.getfixturevalue("rclone_s3"))
    if request.param == "redis":
        server: Redis = request.getfixturevalue("redis_server")
        return redis_place(server, request.getfixturevalue("redis_url"))
    return folder_place(tmp_path)


@pytest.fixture
async def tiers(place: Place) -> AsyncIterator[Callable[..., Tier]]:
    opened: list[Tier] = []

    def another(**differences: Any) -> Tier:
        opened.append(place.tier(**differences))
        return opened[-1]

    yield another
    for tier in opened:
        await tier.close()


Opener = Callable[..., Tier]


async def test_what_one_put_there_another_finds(place: Place, tiers: Opener) -> None:
    one, other, key, made = tiers(), tiers(), os.urandom(32), picture()
    assert await one.get(key) is None
    assert await one.put(key, made)
    found = await other.get(key)
    assert found is not None
    assert found == Rendition(made.data, "image/webp", "webp", 300, 200, place.name, 31.5)
    assert found.cached
    assert await other.get(os.urandom(32)) is None


@pytest.mark.parametrize("size", [1, 100_000, LARGEST])
async def test_sizes(tiers: Opener, size: int) -> None:
    tier, key, made = tiers(), os.urandom(32), picture(size)
    assert await tier.put(key, made)
    found = await tier.get(key)
    assert found is not None
    assert found.data == made.data


async def test_what_is_too_large_is_not_kept(tiers: Opener) -> None:
    tier, key = tiers(), os.urandom(32)
    assert not await tier.put(key, picture(LARGEST + 1))
    assert await tier.get(key) is None


async def test_putting_again_replaces(tiers: Opener) -> None:
    tier, key, newer = tiers(), os.urandom(32), picture(700)
    await tier.put(key, picture())
    await tier.put(key, newer)
    found = await tier.get(key)
    assert found is not None
    assert found.data == newer.data


async def test_nothing_lies_there_in_the_clear(place: Place, tiers: Opener) -> None:
    tier, key = tiers(), os.urandom(32)
    made = Rendition(b"recognisable " * 100, "image/jpeg", "jpeg", 30, 20, None, 1.0)
    await tier.put(key, made)
    raw = await place.lies(key)
    assert raw is not None
    assert b"recognisable" not in raw
    assert b"jpeg" not in raw


async def test_garbage_is_not_there_and_can_be_replaced(place: Place, tiers: Opener) -> None:
    tier, key, made = tiers(), os.urandom(32), picture()
    await tier.put(key, made)
    good = await place.lies(key)
    assert good is not None
    for garbage in (
        b"",
        b"x",
        good[:-1],
        good + b"x",
        good[:9] + bytes([good[9] ^ 1]) + good[10:],
        os.urandom(len(good)),
    ):
        await place.lay(key, garbage)
        assert await tier.get(key) is None
    await place.lay(key, good)
    assert await tier.get(key) is not None


async def test_one_picture_is_never_shown_for_another(place: Place, tiers: Opener) -> None:
    tier, one, other = tiers(), os.urandom(32), os.urandom(32)
    await tier.put(one, picture())
    raw = await place.lies(one)
    assert raw is not None
    await place.lay(other, raw)
    assert await tier.get(other) is None


async def test_two_deployments_never_meet(tiers: Opener) -> None:
    ours, theirs, key = tiers(), tiers(deployment="two"), os.urandom(32)
    mine, yours = picture(), picture()
    await ours.put(key, mine)
    assert await theirs.get(key) is None
    await theirs.put(key, yours)
    for tier, made in ((ours, mine), (theirs, yours)):
        found = await tier.get(key)
        assert found is not None
        assert found.data == made.data


async def test_another_master_key_opens_nothing(tiers: Opener) -> None:
    tier, stranger, key = tiers(), tiers(secret=b"S" * 32), os.urandom(32)
    await tier.put(key, picture())
    assert await stranger.get(key) is None


async def test_many_at_once(tiers: Opener) -> None:
    tier = tiers()
    made = {os.urandom(32): picture(2000) for _ in range(200)}
    assert all(await asyncio.gather(*(tier.put(key, one) for key, one in made.items())))
    found = await asyncio.gather(*(tier.get(key) for key in made))
    assert [one and one.data for one in found] == [one.data for one in made.values()]


@pytest.mark.parametrize("place", ["folder", "minio", "rclone"], indirect=True)
async def test_a_store_keeps_to_its_budget(place: Place, tiers: Opener) -> None:
    tier = tiers()
    assert isinstance(tier, StoreTier)
    keys = [os.urandom(32) for _ in range(10)]
    size = LARGEST // 2
    for key in keys[:6]:
        await tier.put(key, picture(size))
    assert await tier.trim() == 0
    for key in keys[6:]:
        await tier.put(key, picture(size))
    # Whoever writes a part of the budget trims by himself.
    for _ in range(1200):
        kept = sum([await place.lies(key) is not None for key in keys])
        if kept * size <= LARGEST * 4:
            break
        await asyncio.sleep(0.05)
    assert LARGEST * 3 <= kept * size <= LARGEST * 4
    await tier.trim()
    assert await tier.trim() == 0
    assert 0 < tier.health()["bytes"] <= tier.health()["limit"] == LARGEST * 4


async def test_it_is_well(tiers: Opener) -> None:
    tier = tiers()
    await tier.probe()
    await tier.tidy()
    assert tier.health()["status"] == "healthy"
