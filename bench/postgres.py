"""What PostgreSQL costs a request: plain puts by the function and statement by statement, look-ups shared and alone.

`python -m bench.postgres postgresql://...`: fills the database that the URL names, which should be a new one.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop

from gateway.metadata import accounts, buckets, leases, versions
from gateway.metadata.contents import NewBlob, NewContent
from gateway.metadata.postgres import PostgresDatabase
from gateway.metadata.versions import NewVersion
from gateway.model.objects import WriteConditions
from migrations.run import upgrade

REQUESTS = 3000
AT_ONCE = 8
NO_CONDITIONS = WriteConditions()


async def timed(name: str, request: Callable[[int], Awaitable[object]]) -> None:
    async def client(first: int) -> None:
        for number in range(first, REQUESTS, AT_ONCE):
            await request(number)

    processor, begin = time.process_time(), time.perf_counter()
    await asyncio.gather(*(client(first) for first in range(AT_ONCE)))
    processor, took = time.process_time() - processor, time.perf_counter() - begin
    print(f"{name:32} {REQUESTS / took:7,.0f}/s   {processor / REQUESTS * 1e6:5.0f} us of this process's time each")


async def main(url: str) -> None:
    database = PostgresDatabase(url)
    name = f"bench-{secrets.token_hex(4)}"
    account = await database.write(lambda tx: accounts.create(tx, name, secrets.token_hex(16), 1))
    bucket = await database.write(lambda tx: buckets.create(tx, name, account, "us-east-1", 1))
    lease = await database.write(lambda tx: leases.create(tx, "bench", int(time.time() * 1000)))

    def version(number: int) -> NewVersion:
        blob = NewBlob("bench", f"{lease}/{secrets.token_hex(8)}", 0, 4096)
        content = NewContent(secrets.token_bytes(16), 4096, secrets.token_hex(16), blob=blob)
        return NewVersion(bucket.id, b"key-%d" % number, content, (("content-type", "text/plain"),), (), None, 1)

    async def statements(number: int) -> None:
        new = version(number)
        await database.write(lambda tx: versions.put_new(tx, new, NO_CONDITIONS))

    async def function(number: int) -> None:
        await database.put(version(number), NO_CONDITIONS)

    async def shared(number: int) -> None:
        _, row = await database.current(bucket.id, b"key-%d" % number)
        await versions.current_of(database, bucket.id, b"key-%d" % number, row)

    async def alone(number: int) -> None:
        await database.generation()
        await versions.current(database, bucket.id, b"key-%d" % number)

    for _ in range(2):
        await timed("put, statement by statement", statements)
        await timed("put, by the function", function)
        await timed("look-up and generation, alone", alone)
        await timed("look-up and generation, shared", shared)
    await database.close()


if __name__ == "__main__":
    upgrade(sys.argv[1])
    uvloop.run(main(sys.argv[1]))
