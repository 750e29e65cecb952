"""The SQLite driver besides what `test_database` asks of every driver: turns of processes, batches, the log."""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.backends import DATABASE, HANDOVER
from gateway.errors import DatabaseUnavailable, DiskFull, PreconditionFailed, StoreUnavailable
from gateway.metadata import handover as handover_module
from gateway.metadata import meta
from gateway.metadata.handover import Handover, HandoverServer
from gateway.metadata.port import Reader, Transaction
from gateway.metadata.sqlite import BATCH, SqliteDatabase
from tests.data_folder import new_data_folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return new_data_folder(tmp_path / "data")


@pytest.fixture
async def database(data: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(data / DATABASE, data / HANDOVER)
    yield opened
    await opened.close()


class Server:
    """A hand-over server in a thread, as the supervisor runs it in its loop."""

    def __init__(self, path: Path) -> None:
        self._selector = selectors.DefaultSelector()
        self.server = HandoverServer(path, self._selector)
        self._stop = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop:
            for key, _ in self._selector.select(0.02):
                key.data()

    def close(self) -> None:
        self._stop = True
        self._thread.join()
        self.server.close()
        self._selector.close()


@pytest.fixture
def server(data: Path) -> Iterator[Server]:
    running = Server(data / HANDOVER)
    yield running
    running.close()


async def put(tx: Transaction, name: str, value: bytes = b"") -> None:
    await meta.put(tx, name, value)


async def names(reader: Reader) -> set[str]:
    return {row[0] for row in await reader.all("SELECT name FROM meta")}


async def test_operations_of_one_batch_that_fail_undo_only_themselves(database: SqliteDatabase) -> None:
    async def wrong(tx: Transaction) -> None:
        await put(tx, "undone")
        raise PreconditionFailed("If-Match")

    async def broken_sql(tx: Transaction) -> None:
        await put(tx, "undone")
        await tx.run("INSERT INTO no_such_table VALUES (1)")

    async def unbindable(tx: Transaction) -> None:
        await put(tx, "undone")
        await tx.run("INSERT INTO meta (name, value) VALUES (?, ?)", ("x", 1 << 70))

    async def twice(tx: Transaction) -> None:
        await put(tx, "undone")
        await tx.run("INSERT INTO meta (name, value) VALUES ('undone', x'00')")

    results = await asyncio.gather(
        database.write(lambda tx: put(tx, "first")),
        database.write(wrong),
        database.write(broken_sql),
        database.write(lambda tx: put(tx, "second")),
        database.write(unbindable),
        database.write(twice),
        database.write(lambda tx: put(tx, "third")),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [
        type(None),
        PreconditionFailed,
        sqlite3.OperationalError,
        type(None),
        OverflowError,
        sqlite3.IntegrityError,
        type(None),
    ]
    assert await names(database) == {"first", "second", "third"}


async def test_many_writes_share_few_commits(database: SqliteDatabase, data: Path) -> None:
    watcher = sqlite3.connect(data / DATABASE)
    commits = set()
    count = 3 * BATCH

    async def watched(number: int) -> None:
        await database.write(lambda tx: put(tx, f"{number:05}"))
        commits.add(watcher.execute("PRAGMA data_version").fetchone()[0])

    await asyncio.gather(*(watched(number) for number in range(count)))
    watcher.close()
    assert len(await names(database)) == count
    assert len(commits) <= 4


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a turn that was not given back does so much longer than any machine needs for the rest."""
    monkeypatch.setattr(handover_module, "PATIENCE", 60)


async def test_bytes_that_cannot_be_made_durable_fail_their_own_operation_only(
    patient: None, database: SqliteDatabase, server: Server
) -> None:
    class Broken:
        def __init__(self, error: Exception) -> None:
            self._error = error

        def sync(self) -> None:
            raise self._error

    results = await asyncio.gather(
        database.write(lambda tx: put(tx, "full"), durable=Broken(DiskFull("full"))),
        database.write(lambda tx: put(tx, "lost"), durable=Broken(StoreUnavailable("gone"))),
        database.write(lambda tx: put(tx, "good")),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [DiskFull, StoreUnavailable, type(None)]
    # The turn was given back each time: the next write does not wait for it.
    begin = time.monotonic()
    await database.write(lambda tx: put(tx, "next"))
    assert time.monotonic() - begin < 20
    assert await names(database) == {"good", "next"}


async def test_a_transaction_that_the_engine_ends_fails_its_batch_and_gives_the_turn_back(
    patient: None, database: SqliteDatabase, server: Server
) -> None:
    async def fill(tx: Transaction) -> None:
        await tx.run("PRAGMA max_page_count = 1")
        for number in range(1000):
            await put(tx, f"{number}", bytes(5000))

    results = await asyncio.gather(
        database.write(lambda tx: put(tx, "beside")), database.write(fill), return_exceptions=True
    )
    assert [type(result) for result in results] == [DiskFull, DiskFull]
    assert await names(database) == set()

    async def grow(tx: Transaction) -> None:
        await tx.run("PRAGMA max_page_count = 1000000")
        await put(tx, "after")

    begin = time.monotonic()
    await database.write(grow)
    assert time.monotonic() - begin < 20
    assert await names(database) == {"after"}


async def test_a_locked_database_is_unavailable_and_recovers(
    database: SqliteDatabase, data: Path, server: Server
) -> None:
    database._writing.execute("PRAGMA busy_timeout = 50")
    blocker = sqlite3.connect(data / DATABASE, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable):
        await database.write(lambda tx: put(tx, "refused"))
    blocker.execute("COMMIT")
    blocker.close()
    await database.write(lambda tx: put(tx, "taken"))
    assert await names(database) == {"taken"}


async def test_a_heavy_write_leaves_the_loop_alone(database: SqliteDatabase) -> None:
    where = []

    async def operation(tx: Transaction) -> None:
        where.append(threading.current_thread())
        await put(tx, "heavy")

    await asyncio.gather(database.write(operation, heavy=True), database.write(operation))
    assert where[0] is not threading.main_thread()
    assert where[1] is threading.main_thread()


async def test_a_foreign_commit_moves_the_snapshot(database: SqliteDatabase, data: Path) -> None:
    before = database.snapshot()
    assert database.snapshot() == before
    other = SqliteDatabase(data / DATABASE)
    await other.write(lambda tx: put(tx, "x"))
    await other.close()
    assert database.snapshot() != before


WRITER = """
import asyncio, sys, time
from pathlib import Path
from gateway.metadata import meta
from gateway.metadata.sqlite import SqliteDatabase
async def main():
    database = SqliteDatabase(Path(sys.argv[1]), Path(sys.argv[2]))
    slowest = written = 0
    print("ready", flush=True)
    sys.stdin.readline()
    name, until = sys.argv[3], time.monotonic() + float(sys.argv[4])
    async def writer(part):
        nonlocal slowest, written
        while time.monotonic() < until:
            number, begin = written, time.monotonic()
            written += 1
            await database.write(lambda tx: meta.put(tx, f"{name}-{number}", b""))
            slowest = max(slowest, time.monotonic() - begin)
    await asyncio.gather(*(writer(part) for part in range(4)))
    await database.close()
    print(written, slowest, flush=True)
asyncio.run(main())
"""


def start(data: Path, program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(data / DATABASE), str(data / HANDOVER), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def begin_together(writers: list[subprocess.Popen[str]]) -> None:
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()


async def test_two_processes_write_by_turns_and_nothing_is_lost(
    database: SqliteDatabase, data: Path, server: Server
) -> None:
    rounds: list[list[int]] = []
    # A machine that does much else may hold one of them still for that long; turns would starve it each time.
    while len(rounds) < 3 and not any(min(written) * 10 > max(written) for written in rounds):
        writers = [start(data, WRITER, f"{name}{len(rounds)}", "1.5") for name in ("a", "b")]
        await asyncio.to_thread(begin_together, writers)
        outputs = [(await asyncio.to_thread(writer.communicate, timeout=120))[0] for writer in writers]
        figures = [output.split() for output in outputs]
        rounds.append([int(count) for count, _ in figures])
        assert len(await names(database)) == sum(map(sum, rounds))
        assert max(float(slowest) for _, slowest in figures) < 15
    assert any(min(written) * 10 > max(written) for written in rounds), f"one process starved the other: {rounds}"


HOLDER = """
import sys, time
from pathlib import Path
from gateway.metadata.handover import Handover
from gateway.metadata.sqlite import connect
connection = connect(Path(sys.argv[1]), read_only=False)
handover = Handover(Path(sys.argv[2]))
handover.ask(); handover.wait()
connection.execute("BEGIN IMMEDIATE")
connection.execute("INSERT INTO meta (name, value) VALUES ('half', x'00')")
print("holding", flush=True)
time.sleep(60)
"""


async def test_a_killed_holder_takes_neither_turn_nor_lock_with_it(
    patient: None, database: SqliteDatabase, data: Path, server: Server
) -> None:
    holder = start(data, HOLDER)
    assert holder.stdout is not None
    assert await asyncio.to_thread(holder.stdout.readline) == "holding\n"
    write = asyncio.create_task(database.write(lambda tx: put(tx, "next")))
    await asyncio.sleep(0.2)
    assert not write.done()
    holder.kill()
    begin = time.monotonic()
    await write
    assert time.monotonic() - begin < 20
    holder.communicate()
    assert await names(database) == {"next"}


async def test_a_stopped_server_costs_its_patience_once(
    database: SqliteDatabase, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover_module, "PATIENCE", 1.0)
    # Somebody listens and never answers.
    selector = selectors.DefaultSelector()
    server = HandoverServer(data / HANDOVER, selector)
    begin = time.monotonic()
    await database.write(lambda tx: put(tx, "first"))
    first = time.monotonic() - begin
    # Each by itself: with a wait for each it would take the half of a minute.
    for number in range(30):
        await database.write(lambda tx, n=number: put(tx, str(n)))  # type: ignore[misc]
    rest = time.monotonic() - begin - first
    server.close()
    selector.close()
    assert 1.0 <= first < 20
    assert rest < 25


async def test_without_a_server_and_after_its_restart_writes_go_on(database: SqliteDatabase, data: Path) -> None:
    await database.write(lambda tx: put(tx, "none"))
    for name in ("one", "two"):
        server = Server(data / HANDOVER)
        await database.write(lambda tx, n=name: put(tx, n))  # type: ignore[misc]
        server.close()
    await database.write(lambda tx: put(tx, "gone"))
    assert await names(database) == {"none", "one", "two", "gone"}


def test_turns_come_in_the_order_asked(patient: None, data: Path, server: Server) -> None:
    order: list[int] = []
    first = Handover(data / HANDOVER)
    first.ask()
    first.wait()
    others = [Handover(data / HANDOVER) for _ in range(4)]
    for other in others:
        other.ask()
        time.sleep(0.1)

    def take(number: int) -> None:
        others[number].wait()
        order.append(number)
        others[number].release()

    threads = [threading.Thread(target=take, args=(number,)) for number in (3, 1, 0, 2)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    assert order == []
    first.release()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3]
    for client in (first, *others):
        client.close()


def test_who_goes_while_waiting_loses_its_place_only(patient: None, data: Path, server: Server) -> None:
    first, second, third = (Handover(data / HANDOVER) for _ in range(3))
    for client in (first, second, third):
        client.ask()
        time.sleep(0.1)
    first.wait()
    second.close()
    first.release()
    begin = time.monotonic()
    third.wait()
    assert time.monotonic() - begin < 20
    third.release()
    first.close()
    third.close()


def test_a_socket_path_of_any_length_works(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    running = Server(folder / "handover.sock")
    client = Handover(folder / "handover.sock")
    client.ask()
    client.wait()
    assert client._socket is not None
    client.close()
    running.close()


LOAD = WRITER.replace("def main():", "def main():\n    await asyncio.sleep(0)").replace('b"")', "bytes(3000))")


@pytest.mark.parametrize("seconds", [3])
async def test_the_log_stays_bounded_under_two_writers(
    database: SqliteDatabase, data: Path, server: Server, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.metadata.sqlite.CHECKPOINT_BYTES", 1 << 20)
    monkeypatch.setattr("gateway.metadata.sqlite.RESTART_BYTES", 4 << 20)
    writers = [start(data, LOAD, name, str(seconds)) for name in ("a", "b")]
    largest = 0
    try:
        await asyncio.to_thread(begin_together, writers)
        while any(writer.poll() is None for writer in writers):
            await database.checkpoint()
            await asyncio.sleep(0.1)
            largest = max(largest, database._log_size())
    finally:
        for writer in writers:
            writer.communicate(timeout=120)
    total = (data / DATABASE).stat().st_size
    assert total > 4 << 20, "the load was too small to prove anything"
    # What is written between two looks comes on top of the threshold: more where others keep us from looking.
    assert largest < max(24 << 20, total // 2)


async def test_a_reader_that_stays_does_not_stop_writers_at_a_checkpoint(
    database: SqliteDatabase, data: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.metadata.sqlite.CHECKPOINT_BYTES", 1)
    monkeypatch.setattr("gateway.metadata.sqlite.STRICT_CHECKPOINT_BYTES", 1)
    await database.write(lambda tx: put(tx, "a", bytes(100_000)))
    reader = sqlite3.connect(data / DATABASE, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM meta").fetchone()
    await database.write(lambda tx: put(tx, "b", bytes(100_000)))
    begin = time.monotonic()
    await asyncio.gather(database.checkpoint(), database.write(lambda tx: put(tx, "c")))
    # Whoever waited for the reader would have done so for ten seconds.
    assert time.monotonic() - begin < 9
    reader.close()
    await database.checkpoint()
    assert database._log_size() == 0


async def test_a_stopped_holder_delays_others_no_longer_than_their_patience(
    database: SqliteDatabase, data: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover_module, "PATIENCE", 0.3)
    program = HOLDER.replace('connection.execute("BEGIN IMMEDIATE")', "").replace(
        "connection.execute(\"INSERT INTO meta (name, value) VALUES ('half', x'00')\")", ""
    )
    holder = start(data, program)
    assert holder.stdout is not None
    assert await asyncio.to_thread(holder.stdout.readline) == "holding\n"
    os.kill(holder.pid, signal.SIGSTOP)
    begin = time.monotonic()
    await database.write(lambda tx: put(tx, "next"))
    assert 0.3 <= time.monotonic() - begin < 20
    holder.kill()
    holder.communicate()
