"""How two processes share one SQLite file for writing: `python -m bench.handover`.

Each of two processes keeps eight small durable writes going, gathered into group commits, for some seconds. Compared:
SQLite's busy handler alone, `flock` around each commit, our hand-over, and one process that writes for both and takes
the operations over a Unix socket. Prints medians over interleaved rounds. The figures are in docs/adr/0003.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import selectors
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from gateway.metadata.handover import Handover, HandoverServer
from gateway.metadata.port import Transaction
from gateway.metadata.sqlite import SqliteDatabase
from migrations.run import upgrade

CLIENTS = 8
VALUE = bytes(300)
SQL = "INSERT INTO blobs (store, name, offset, length) VALUES ('x', ?, ?, 1)"
WAYS = ("busy handler", "flock", "hand-over", "one writer")


class Flock(Handover):
    """`flock` in the place of the hand-over."""

    def __init__(self, path: Path) -> None:
        super().__init__(None)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def wait(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def release(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)


def opened(folder: Path, way: str) -> SqliteDatabase:
    socket = folder / "handover.sock"
    database = SqliteDatabase(folder / "database.sqlite", socket if way == "hand-over" else None)
    if way == "flock":
        database._handover = Flock(folder / "lock")
    return database


async def insert(database: SqliteDatabase, name: str, number: int) -> None:
    async def operation(tx: Transaction) -> None:
        # About what a PUT of a small body writes: a row into each of a few tables.
        await tx.insert(SQL, (name, number))
        await tx.run("INSERT INTO meta (name, value) VALUES (?, ?)", (f"{name}{number}", VALUE))
        await tx.run("UPDATE config SET generation = generation + 1")

    await database.write(operation)


async def client(folder: Path, way: str, name: str, seconds: float) -> None:
    """The program of a process: writes until the time is over and prints its latencies as JSON."""
    latencies: list[float] = []
    number = 0
    database = None if way == "one writer" else opened(folder, way)
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.perf_counter() + seconds

    async def work() -> None:
        nonlocal number
        streams = None
        if database is None:
            streams = await asyncio.open_unix_connection(folder / "writer.sock")
        while time.perf_counter() < until:
            number += 1
            begin = time.perf_counter()
            if database is not None:
                await insert(database, name, number)
            elif streams is not None:
                streams[1].write(f"{name} {number}\n".encode())
                await streams[0].readline()
            latencies.append(time.perf_counter() - begin)
        if streams is not None:
            streams[1].close()

    async def checkpoint() -> None:
        while database is not None:
            await asyncio.sleep(1)
            await database.checkpoint()

    background = asyncio.create_task(checkpoint())
    await asyncio.gather(*(work() for _ in range(CLIENTS)))
    background.cancel()
    if database is not None:
        await database.close()
    print(json.dumps(latencies))


async def writer(folder: Path) -> None:
    """The program of the process that writes for the others."""
    database = SqliteDatabase(folder / "database.sqlite")

    async def serve(reader: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            name, number = line.split()
            await insert(database, name.decode(), int(number))
            answers.write(b"\n")
        answers.close()

    server = await asyncio.start_unix_server(serve, folder / "writer.sock")
    print("ready", flush=True)
    async with server:
        while True:
            await asyncio.sleep(1)
            await database.checkpoint()


def start(*arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.handover", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


@contextlib.contextmanager
def served(folder: Path):
    """A hand-over server, as the supervisor has it."""
    selector = selectors.DefaultSelector()
    server = HandoverServer(folder / "handover.sock", selector)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            for key, _ in selector.select(0.1):
                key.data()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        server.close()


def round_of(way: str, folder: Path, seconds: float) -> dict[str, float]:
    upgrade(folder / "database.sqlite")
    with contextlib.ExitStack() as stack:
        if way == "hand-over":
            stack.enter_context(served(folder))
        if way == "one writer":
            for_both = start("--writer", str(folder))
            stack.callback(for_both.wait)
            stack.callback(for_both.terminate)
        clients = [start("--client", way, str(folder), name, str(seconds)) for name in ("a", "b")]
        for process in clients:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        latencies = [json.loads(process.communicate()[0]) for process in clients]
    both = sorted(latencies[0] + latencies[1])
    count = len(both)
    return {
        "writes/s": count / seconds,
        "p50 ms": both[count // 2] * 1e3,
        "p99 ms": both[count * 99 // 100] * 1e3,
        "p99.9 ms": both[count * 999 // 1000] * 1e3,
        "max ms": both[-1] * 1e3,
        "less : more": min(map(len, latencies)) / max(map(len, latencies)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    parser.add_argument("--client", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--writer", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        way, folder, name, seconds = arguments.client
        asyncio.run(client(Path(folder), way, name, float(seconds)))
        return
    if arguments.writer:
        asyncio.run(writer(arguments.writer))
        return
    results: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(arguments.rounds):
        for way in WAYS:
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                results[way].append(round_of(way, Path(folder), arguments.seconds))
    names = list(results[WAYS[0]][0])
    print(f"{'':14}" + "".join(f"{name:>13}" for name in names))
    for way in WAYS:
        medians = [statistics.median(result[name] for result in results[way]) for name in names]
        print(f"{way:14}" + "".join(f"{value:13.2f}" for value in medians))


if __name__ == "__main__":
    main()
