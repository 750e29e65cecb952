"""What every database driver must do (`gateway.metadata.port.Database`)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from gateway.errors import DatabaseUnavailable, DiskFull, PreconditionFailed, StoreUnavailable
from gateway.metadata import meta
from gateway.metadata.port import Database, Reader, Transaction

Opened = Callable[[], Database]


async def put(tx: Transaction, name: str, value: bytes = b"") -> None:
    await meta.put(tx, name, value)


async def names(reader: Reader) -> set[str]:
    return {row[0] for row in await reader.all("SELECT name FROM meta")}


async def test_a_write_gives_its_result_and_is_there_for_others(database: Database, opened: Opened) -> None:
    async def operation(tx: Transaction) -> str:
        await put(tx, "a", b"1")
        assert await meta.get(tx, "a") == b"1"
        return "done"

    assert await database.write(operation) == "done"
    assert await meta.get(opened(), "a") == b"1"


async def test_what_statements_give(database: Database) -> None:
    async def operation(tx: Transaction) -> None:
        first = await tx.insert("INSERT INTO orphans (content_id) VALUES (?)", (7,))
        second = await tx.insert("INSERT INTO orphans (content_id) VALUES (?)", (7,))
        assert second > first
        seq = "INSERT INTO versions (bucket_id, key, modified_ms, headers) VALUES (?, ?, ?, ?)"
        assert await tx.insert(seq, (1, b"\x00\xff", 1, "[]")) < await tx.insert(seq, (1, b"other", 1, "[]"))
        await tx.many("INSERT INTO orphans (content_id) VALUES (?)", [(8,), (9,)])
        assert await tx.run("UPDATE orphans SET content_id = 5 WHERE content_id = ?", (7,)) == 2
        assert await tx.run("DELETE FROM orphans WHERE content_id = ?", (99,)) == 0
        assert await tx.one("SELECT 1 FROM orphans WHERE content_id = ?", (99,)) is None
        row = await tx.one("SELECT key, nonce, seq FROM versions WHERE key = ?", (b"\x00\xff",))
        assert row is not None
        key, nonce, _ = row
        assert (key, nonce) == (b"\x00\xff", None)
        assert isinstance(key, bytes)
        rows = await tx.all("SELECT content_id FROM orphans ORDER BY content_id")
        assert [row[0] for row in rows] == [5, 5, 8, 9]
        await tx.many("DELETE FROM orphans WHERE id = ?", [])

    await database.write(operation)


async def test_an_operation_that_fails_undoes_itself_alone(database: Database) -> None:
    async def wrong(tx: Transaction) -> None:
        await put(tx, "undone")
        raise PreconditionFailed("If-Match")

    async def broken_sql(tx: Transaction) -> None:
        await put(tx, "undone")
        await tx.run("INSERT INTO no_such_table VALUES (1)")

    async def unbindable(tx: Transaction) -> None:
        await put(tx, "undone")
        await tx.run("INSERT INTO config (id, generation) VALUES (?, ?)", (2, 1 << 70))

    async def twice(tx: Transaction) -> None:
        await put(tx, "undone")
        await tx.run("INSERT INTO meta (name, value) VALUES (?, ?)", ("undone", b""))

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
    failed = [isinstance(result, Exception) for result in results]
    assert failed == [False, True, True, False, True, True, False]
    assert isinstance(results[1], PreconditionFailed)
    # Mistakes in a statement say nothing of the database.
    assert not any(isinstance(result, DatabaseUnavailable) for result in results)
    assert await names(database) == {"first", "second", "third"}


async def test_an_operation_that_touches_nothing(database: Database) -> None:
    async def nothing(_: Transaction) -> int:
        return 5

    assert await database.write(nothing) == 5

    async def refuse(_: Transaction) -> None:
        raise PreconditionFailed("If-Match")

    with pytest.raises(PreconditionFailed):
        await database.write(refuse)


async def test_a_cancelled_caller_does_not_undo_and_does_not_disturb(database: Database) -> None:
    started = asyncio.Event()
    release = threading.Event()

    class Slow:
        def sync(self) -> None:
            loop.call_soon_threadsafe(started.set)
            release.wait(5)

    loop = asyncio.get_running_loop()
    task = asyncio.create_task(database.write(lambda tx: put(tx, "cancelled"), durable=Slow()))
    other = asyncio.create_task(database.write(lambda tx: put(tx, "other")))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await other
    await database.close()


async def test_what_a_cancelled_caller_began_is_done(database: Database, opened: Opened) -> None:
    task = asyncio.create_task(database.write(lambda tx: put(tx, "cancelled")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.close()
    assert await names(opened()) == {"cancelled"}


async def test_a_failing_write_whose_caller_went_is_not_reported_anywhere(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_tx: Transaction) -> None:
        raise PreconditionFailed("If-Match")

    task = asyncio.create_task(database.write(fail))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await database.write(lambda tx: put(tx, "next"))
    assert not caplog.records


async def test_reads_see_one_snapshot(database: Database) -> None:
    await database.write(lambda tx: put(tx, "a"))
    loop = asyncio.get_running_loop()
    began, written = asyncio.Event(), threading.Event()

    async def write_meanwhile() -> None:
        await began.wait()
        await database.write(lambda tx: put(tx, "b"))
        written.set()

    writing = asyncio.create_task(write_meanwhile())

    async def operation(reader: Reader) -> tuple[set[str], set[str]]:
        before = await names(reader)
        loop.call_soon_threadsafe(began.set)
        if database.engine == "sqlite":
            # In a thread, where nothing is awaited.
            assert written.wait(5)
        else:
            assert await asyncio.to_thread(written.wait, 5)
        return before, await names(reader)

    assert await database.read(operation) == ({"a"}, {"a"})
    await writing
    assert await names(database) == {"a", "b"}


async def test_bytes_are_synced_before_the_commit_that_names_them(database: Database, opened: Opened) -> None:
    other = opened()
    loop = asyncio.get_running_loop()
    seen: list[set[str]] = []

    class Watching:
        def sync(self) -> None:
            seen.append(asyncio.run_coroutine_threadsafe(names(other), loop).result(5))

    await database.write(lambda tx: put(tx, "named"), durable=Watching())
    assert seen == [set()]
    assert await names(database) == {"named"}


async def test_bytes_that_several_operations_share_are_synced_seldom(database: Database) -> None:
    calls = []

    class Counting:
        def sync(self) -> None:
            calls.append(1)

    shared = Counting()
    writes = [database.write(lambda tx, n=n: put(tx, str(n)), durable=shared) for n in range(50)]  # type: ignore[misc]
    await asyncio.gather(*writes)
    assert 1 <= len(calls) <= 3
    await database.write(lambda tx: put(tx, "later"), durable=shared)
    assert len(calls) >= 2, "what came later was synced anew"


async def test_bytes_that_cannot_be_made_durable_fail_their_own_operation_only(database: Database) -> None:
    class Broken:
        def __init__(self, error: Exception) -> None:
            self._error = error

        def sync(self) -> None:
            raise self._error

    results = await asyncio.gather(
        database.write(lambda tx: put(tx, "full"), durable=Broken(DiskFull("full"))),
        database.write(lambda tx: put(tx, "lost"), durable=Broken(StoreUnavailable("gone"))),
        database.write(lambda tx: put(tx, "nospace"), durable=Broken(OSError(28, "No space left on device"))),
        database.write(lambda tx: put(tx, "good")),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [DiskFull, StoreUnavailable, DiskFull, type(None)]
    assert await names(database) == {"good"}


async def test_closing_finishes_what_was_begun_and_takes_nothing_more(database: Database, opened: Opened) -> None:
    tasks = [asyncio.create_task(database.write(lambda tx, n=n: put(tx, str(n)))) for n in range(10)]  # type: ignore[misc]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*tasks)
    with pytest.raises(DatabaseUnavailable):
        await database.write(lambda tx: put(tx, "late"))
    assert len(await names(opened())) == 10


async def test_the_generation_is_of_a_moment_after_it_was_asked_for(database: Database, opened: Opened) -> None:
    other = opened()
    start = await database.generation()
    for expected in range(start + 1, start + 20):
        asking = [asyncio.create_task(database.generation()) for _ in range(3)]
        await asyncio.sleep(0)
        await other.write(meta.bump_generation)
        assert await database.generation() == expected
        assert set(await asyncio.gather(*asking)) <= {expected - 1, expected}


async def test_a_snapshot_moves_with_every_commit_where_there_is_one(database: Database, opened: Opened) -> None:
    before = database.snapshot()
    assert database.snapshot() == before
    assert (before is None) == (database.engine == "postgresql")
    if before is not None:
        await opened().write(lambda tx: put(tx, "x"))
        assert database.snapshot() != before


async def test_the_replica_is_the_database_where_there_is_none(database: Database) -> None:
    await database.write(lambda tx: put(tx, "a", b"1"))
    assert await database.read_replica(lambda reader: meta.get(reader, "a")) == b"1"


async def test_upkeep_changes_nothing(database: Database) -> None:
    await database.write(lambda tx: put(tx, "a"))
    await database.maintain()
    assert await names(database) == {"a"}


async def test_those_who_hold_a_lock_see_what_its_last_holder_did(database: Database, opened: Opened) -> None:
    """The pattern of every write: take the lock, read, decide, write. Without the lock some would overwrite others."""
    databases = [database, opened(), opened()]

    async def count(tx: Transaction) -> None:
        await tx.lock("counter", 1, b"\x00key", "name")
        value = await meta.get(tx, "counter")
        await asyncio.sleep(0) if tx.engine == "postgresql" else None
        await put(tx, "counter", str(int(value or b"0") + 1).encode())

    await asyncio.gather(*(each.write(count) for each in databases for _ in range(20)))
    assert await meta.get(database, "counter") == b"60"
