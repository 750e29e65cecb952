"""Fill a data folder with a million keys, through the functions that a PUT calls, without a million PUTs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from gateway.backends import embedded
from gateway.metadata import versions
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Transaction
from gateway.metadata.versions import NewVersion
from gateway.model.buckets import Bucket, Versioning
from gateway.model.objects import WriteConditions
from gateway.services import Services
from gateway.services.clock import now_ms
from gateway.services.objects import new_content_uid
from gateway.services.secrets import load_master_key

BATCH = 5_000
EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def _batches(keys: Iterable[bytes]) -> Iterator[list[bytes]]:
    iterator = iter(keys)
    while batch := list(islice(iterator, BATCH)):
        yield batch


async def put_all(services: Services, bucket: Bucket, keys: Iterable[bytes]) -> None:
    """Empty objects under these keys."""
    now = now_ms()
    for batch in _batches(keys):

        async def operation(tx: Transaction, batch: list[bytes] = batch) -> None:
            for key in batch:
                content = NewContent(new_content_uid(), 0, EMPTY_MD5)
                await versions.put(tx, NewVersion(bucket.id, key, content, (), (), None, now), WriteConditions())

        await services.database.write(operation, heavy=True)


async def delete_all(services: Services, bucket: Bucket, keys: Iterable[bytes]) -> None:
    """A delete marker on each of these keys."""
    now = now_ms()
    for batch in _batches(keys):

        async def operation(tx: Transaction, batch: list[bytes] = batch) -> None:
            for key in batch:
                await versions.delete(tx, bucket.id, key, None, None, now)

        await services.database.write(operation, heavy=True)


def flat(count: int) -> Iterator[bytes]:
    return (b"k%09d" % number for number in range(count))


def nested(prefixes: int, each: int) -> Iterator[bytes]:
    return (b"p%06d/k%06d" % (prefix, number) for prefix in range(prefixes) for number in range(each))


async def _fill(data: Path, count: int) -> None:
    services = await Services.open(embedded(data), master=load_master_key(data / "master.key"))
    try:
        account = await services.accounts.get("bench")
        flat_bucket = await services.buckets.create("bench-flat", account)
        await put_all(services, flat_bucket, flat(count))
        marked = await services.buckets.create("bench-marked", account)
        await services.buckets.set_versioning(marked, Versioning.ENABLED)
        await put_all(services, marked, (b"a%06d" % number for number in range(500)))
        await delete_all(services, marked, (b"m%09d" % number for number in range(count)))
        await put_all(services, marked, (b"z%06d" % number for number in range(600)))
        nested_bucket = await services.buckets.create("bench-nested", account)
        await put_all(services, nested_bucket, nested(count // 1000, 1000))
    finally:
        await services.close()


def fill(data: Path, count: int) -> None:
    """Three buckets: `bench-flat` (`count` keys), `bench-marked` (as many delete markers between 500 and 600 keys),
    `bench-nested` (a thousand keys below each of `count` / 1,000 prefixes)."""
    asyncio.run(_fill(data, count))
