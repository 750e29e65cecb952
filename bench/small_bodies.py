"""Where small bodies belong: `python -m bench.small_bodies`.

Stores 4 KiB bodies durably, 16 at once, in three ways (a file for each, a shared pack, the database) over the real driver
with its group commits, and reads them back. Prints medians over interleaved rounds. The figures are in docs/adr/0004.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.blobs.folder import Folder
from gateway.blobs.port import Placed
from gateway.metadata.port import Durable, Transaction
from gateway.metadata.sqlite import SqliteDatabase
from gateway.model.contents import Segment
from migrations.run import upgrade

AT_ONCE = 16
BODY = os.urandom(4096)
ROW = "INSERT INTO blobs (store, name, offset, length) VALUES (?, ?, ?, ?)"
BODIES = "CREATE TABLE bodies (id INTEGER PRIMARY KEY, data BLOB NOT NULL)"

Put = Callable[[], Awaitable[None]]
Get = Callable[[int], bytes]


class Place:
    """A fresh database and folder."""

    def __init__(self, folder: Path) -> None:
        path = folder / "database.sqlite"
        upgrade(path)
        self.database = SqliteDatabase(path)
        self.store = Folder(folder, "bench")
        self.store.begin_lease(1)
        self.executor = ThreadPoolExecutor(AT_ONCE)
        self.placed: list[Placed] = []

    async def note(self, placed: Placed, durable: Durable | None) -> None:
        async def operation(tx: Transaction) -> None:
            await tx.insert(ROW, (placed.store, placed.name, placed.offset, placed.length))

        await self.database.write(operation, durable=durable)
        self.placed.append(placed)

    async def file(self) -> None:
        """A file of its own: fdatasync, and an fsync of its folder."""

        def write() -> Placed:
            writer = self.store.create()
            writer.write([BODY])
            return writer.finish()

        await self.note(await asyncio.get_running_loop().run_in_executor(self.executor, write), None)

    async def pack(self) -> None:
        """A pack of this process: one fdatasync for all that wait for the same commit."""
        placed = self.store.append(BODY)
        await self.note(placed, placed.durable)

    async def row(self) -> None:
        """The database itself."""

        async def operation(tx: Transaction) -> int:
            identity = await tx.insert("INSERT INTO bodies (data) VALUES (?)", (BODY,))
            await tx.insert(ROW, ("database", "bodies", identity, len(BODY)))
            return identity

        identity = await self.database.write(operation)
        self.placed.append(Placed("database", "bodies", identity, len(BODY), None))

    def read(self, number: int) -> bytes:
        placed = self.placed[number]
        if placed.store == "database":
            row = self.database.one_now("SELECT data FROM bodies WHERE id = ?", (placed.offset,))
            assert row is not None
            return bytes(row[0])
        reader = self.store.open(Segment(placed.store, placed.name, placed.offset, 0, placed.length))
        try:
            return os.pread(reader.fd, reader.length, reader.offset)
        finally:
            reader.close()

    async def close(self) -> None:
        await self.database.close()
        self.executor.shutdown()
        self.store.close()


async def round_of(way: str, folder: Path, count: int) -> dict[str, float]:
    place = Place(folder)
    await place.database.write(lambda tx: tx.run(BODIES))
    put: Put = getattr(place, way)
    latencies: list[float] = []
    left = iter(range(count))

    async def client() -> None:
        for _ in left:
            begin = time.perf_counter()
            await put()
            latencies.append(time.perf_counter() - begin)

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    elapsed = time.perf_counter() - begin
    latencies.sort()
    begin = time.perf_counter()
    for number in range(count):
        if place.read(number) != BODY:
            raise RuntimeError("other bytes came back")
    reading = time.perf_counter() - begin
    begin = time.perf_counter()
    place.database._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    checkpoint = time.perf_counter() - begin
    stored = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
    await place.close()
    return {
        "PUT/s": count / elapsed,
        "p50 ms": latencies[count // 2] * 1e3,
        "p99 ms": latencies[count * 99 // 100] * 1e3,
        "max ms": latencies[-1] * 1e3,
        "read us": reading / count * 1e6,
        "checkpoint ms": checkpoint * 1e3,
        "KiB a body": stored / count / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=3000, help="bodies a round")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    arguments = parser.parse_args()
    ways = ("file", "pack", "row")
    results: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(arguments.rounds):
        for way in ways:
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                results[way].append(asyncio.run(round_of(way, Path(folder), arguments.count)))
    names = list(results["file"][0])
    print(f"{'':6}" + "".join(f"{name:>15}" for name in names))
    for way in ways:
        medians = [statistics.median(result[name] for result in results[way]) for name in names]
        print(f"{way:6}" + "".join(f"{value:15.1f}" for value in medians))


if __name__ == "__main__":
    main()
