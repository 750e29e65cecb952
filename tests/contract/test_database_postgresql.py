"""The PostgreSQL driver besides what `test_database` asks of every driver: servers that hang and go, lost answers, locks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from gateway.errors import DatabaseUnavailable, InvalidValue
from gateway.metadata import meta, postgres_pool
from gateway.metadata.port import Reader, Transaction
from gateway.metadata.postgres import PostgresDatabase
from gateway.metadata.postgres_pool import CALL_SECONDS
from gateway.metadata.postgres_sql import lock_number, translated
from migrations import HEAD
from migrations.run import upgrade
from tests.contract.metadata_rows import new_bucket, plain
from tests.servers.ports import free_port
from tests.servers.postgresql import PostgreSQL

LIMIT = 12.0
"""Seconds within which every call ends, whatever the server does: five, and more for a machine that does much else."""


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[PostgresDatabase]:
    opened = PostgresDatabase(migrated_url)
    yield opened
    await opened.close()


async def note(tx: Transaction, name: str = "noted") -> None:
    await meta.put(tx, name, b"1")


async def noted(reader: Reader) -> set[str]:
    return {row[0] for row in await reader.all("SELECT name FROM meta")}


async def raises_in_time(call: Awaitable[object]) -> float:
    begin = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await call
    return time.monotonic() - begin


async def works_again(database: PostgresDatabase, name: str, within: float = 60.0) -> None:
    until = time.monotonic() + within
    while True:
        try:
            await database.write(lambda tx: note(tx, name))
            break
        except DatabaseUnavailable:
            assert time.monotonic() < until
            await asyncio.sleep(0.1)
    assert name in await noted(database)


async def soon(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    until = time.monotonic() + 60
    while (found := await ask()) != wanted:
        assert time.monotonic() < until, found
        await asyncio.sleep(0.05)


@pytest.fixture
def own_url(own_postgresql: PostgreSQL) -> str:
    return own_postgresql.new_database(f"schema_{HEAD}", upgrade)


async def test_a_server_that_hangs_fails_every_call_in_time_and_is_used_again(
    own_postgresql: PostgreSQL, own_url: str
) -> None:
    database = PostgresDatabase(own_url, size=4)
    bucket, lease = await new_bucket(database)
    await asyncio.gather(*(database.one("SELECT pg_sleep(0.05)") for _ in range(4)))
    own_postgresql.pause()
    calls = [
        database.one("SELECT 1"),
        database.all("SELECT 1"),
        database.generation(),
        database.current(bucket, b"key"),
        database.read(noted),
        database.write(note),
        database.put(*plain(bucket, b"key", lease)),
        # More than there are connections: these wait for one.
        *(database.one("SELECT 1") for _ in range(8)),
    ]
    try:
        took = await asyncio.gather(*(raises_in_time(call) for call in calls))
        assert max(took) < LIMIT
        # Now all connections are gone, and none can be made.
        assert await raises_in_time(database.write(note)) < LIMIT
    finally:
        own_postgresql.resume()
    await works_again(database, "after")
    await database.close()


async def test_a_new_connection_has_the_whole_time_of_a_call(
    own_postgresql: PostgreSQL, own_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.metadata.postgres.CALL_SECONDS", 60.0)
    database = PostgresDatabase(own_url)
    own_postgresql.pause()
    resumed = threading.Timer(2.5, own_postgresql.resume)
    resumed.start()
    try:
        assert await database.one("SELECT 1") == (1,)
    finally:
        await asyncio.to_thread(resumed.join)
    await database.close()


async def test_a_server_that_hangs_fails_heavy_calls_too(own_postgresql: PostgreSQL, own_url: str) -> None:
    database = PostgresDatabase(own_url)
    await database.write(note)
    own_postgresql.pause()
    try:
        assert await raises_in_time(database.write(note, heavy=True)) < 30
    finally:
        own_postgresql.resume()
    await database.close()


async def test_heavy_work_outlives_the_time_of_a_call_on_a_server_that_lives(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Connections that are there already: to make one may take longer than a call here.
    await asyncio.gather(*(database.one("SELECT pg_sleep(0.05)") for _ in range(4)))
    monkeypatch.setattr("gateway.metadata.postgres.CALL_SECONDS", 1.0)
    # The sign of life is a connection too.
    monkeypatch.setattr("gateway.metadata.postgres_pool.SIGN_SECONDS", 60.0)

    async def long(tx: Reader) -> None:
        await tx.one("SELECT pg_sleep(4)")

    async def fails(call: Awaitable[object]) -> None:
        with pytest.raises(DatabaseUnavailable):
            await call

    await asyncio.gather(
        database.write(long, heavy=True),
        database.read(long, heavy=True),
        fails(database.write(long)),
        fails(database.read(long)),
    )
    monkeypatch.undo()
    await works_again(database, "after")


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by our own patience.
    monkeypatch.setattr("gateway.metadata.postgres.CALL_SECONDS", 600)
    database = PostgresDatabase(migrated_url, statement_seconds=0.3)
    with pytest.raises(DatabaseUnavailable):
        await database.one("SELECT pg_sleep(20)")
    with pytest.raises(DatabaseUnavailable):
        await database.write(lambda tx: tx.one("SELECT pg_sleep(20)"))
    await database.write(note)
    await database.close()


@pytest.mark.parametrize("way", ["kill", "restart"])
async def test_a_server_that_goes_and_comes_back_is_survived(
    own_postgresql: PostgreSQL, own_url: str, way: str
) -> None:
    database = PostgresDatabase(own_url)
    await asyncio.gather(*(database.one("SELECT pg_sleep(0.05)") for _ in range(5)))
    if way == "kill":
        await asyncio.to_thread(own_postgresql.kill)
        for call in (database.one("SELECT 1"), database.write(note), database.read(noted)):
            assert await raises_in_time(call) < LIMIT
        await asyncio.to_thread(own_postgresql.start)
    else:
        await asyncio.to_thread(own_postgresql.restart)
    await works_again(database, "after")
    # No dead connection is left that somebody could be given.
    await asyncio.gather(*(database.one("SELECT 1") for _ in range(10)))
    await database.close()


async def test_writes_go_on_while_connections_are_cut(database: PostgresDatabase, migrated_url: str) -> None:
    """What was not told to commit is tried again; what was acknowledged is there."""
    acknowledged: set[str] = set()
    unknown: set[str] = set()
    killer = await asyncpg.connect(migrated_url)
    running = True

    async def cut() -> None:
        while running:
            before = len(acknowledged)
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(0.3)
            # A busy machine needs longer than that to connect.
            while running and len(acknowledged) < before + 2:
                await asyncio.sleep(0.05)

    async def writer(number: int) -> None:
        for turn in range(20):
            name = f"{number}-{turn}"
            try:
                await database.write(lambda tx, name=name: note(tx, name))  # type: ignore[misc]
                acknowledged.add(name)
            except DatabaseUnavailable:
                unknown.add(name)

    cutting = asyncio.create_task(cut())
    await asyncio.gather(*(writer(number) for number in range(4)))
    running = False
    await cutting
    await killer.close()
    found = await noted(database)
    assert acknowledged <= found
    assert found - acknowledged <= unknown
    assert len(acknowledged) > 20


async def test_a_connection_lost_before_the_commit_costs_a_second_try(database: PostgresDatabase) -> None:
    tries = []

    async def operation(tx: Transaction) -> None:
        tries.append(1)
        await note(tx)
        if len(tries) == 1:
            await tx.one("SELECT pg_terminate_backend(pg_backend_pid())")

    await database.write(operation)
    assert len(tries) == 2
    assert await noted(database) == {"noted"}


async def test_reads_are_tried_again_on_another_connection(database: PostgresDatabase) -> None:
    tries = []

    async def operation(reader: Reader) -> set[str]:
        tries.append(1)
        if len(tries) == 1:
            await reader.one("SELECT pg_terminate_backend(pg_backend_pid())")
        return await noted(reader)

    assert await database.read(operation) == set()
    assert len(tries) == 2


async def test_transactions_in_each_others_way_both_succeed(database: PostgresDatabase) -> None:
    both = asyncio.Barrier(2)
    tries = []

    async def operation(tx: Transaction, first: str, second: str) -> None:
        tries.append(first)
        await tx.lock("row", first)
        await tx.one("SELECT 1")
        if len(tries) <= 2:
            await both.wait()
        await tx.lock("row", second)
        await note(tx, first)

    await asyncio.gather(
        database.write(lambda tx: operation(tx, "a", "b")), database.write(lambda tx: operation(tx, "b", "a"))
    )
    assert len(tries) == 3, "one of the two was undone and tried again"
    assert await noted(database) == {"a", "b"}


async def test_what_never_stops_failing_ends_in_time(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.metadata.postgres.CALL_SECONDS", CALL_SECONDS)

    async def operation(tx: Transaction) -> None:
        await note(tx)
        raise asyncpg.SerializationError("could not serialize access")

    assert await raises_in_time(database.write(operation)) < LIMIT
    assert await noted(database) == set()


class Line:
    """A line to the server that breaks when COMMIT (or the function that puts) has gone over it, before the answer."""

    def __init__(self, url: str, cut_at: bytes) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._target = parts.hostname, parts.port
        self._parts = parts
        self._cut_at = cut_at
        self.cuts = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        credentials = self._parts.netloc.rpartition("@")[0]
        return urlunsplit(self._parts._replace(netloc=f"{credentials}@127.0.0.1:{port}", query="sslmode=disable"))

    async def _serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        server, questions = await asyncio.open_connection(*self._target)
        deaf = False

        async def back() -> None:
            while data := await server.read(65536):
                if not deaf:
                    answers.write(data)

        returning = asyncio.create_task(back())
        self._tasks.add(returning)
        try:
            while data := await client.read(65536):
                if self._cut_at in data:
                    deaf = True
                    self.cuts += 1
                questions.write(data)
                if deaf:
                    await asyncio.sleep(0.3)
                    break
        except ConnectionError:
            pass
        questions.close()
        answers.close()
        with contextlib.suppress(ConnectionError):
            await returning

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def test_a_commit_whose_answer_is_lost_is_unknown_and_not_repeated(migrated_url: str) -> None:
    line = Line(migrated_url, b"COMMIT\0")
    database = PostgresDatabase(await line.open())
    tries = []

    async def operation(tx: Transaction) -> None:
        tries.append(1)
        await note(tx)

    with pytest.raises(DatabaseUnavailable, match="not known"):
        await database.write(operation)
    assert (len(tries), line.cuts) == (1, 1)
    direct = PostgresDatabase(migrated_url)
    # The server does it: by now, or in a moment.
    await soon(lambda: noted(direct), {"noted"})
    await database.close()
    await direct.close()
    await line.close()


async def test_a_put_whose_answer_is_lost_is_unknown_and_not_repeated(migrated_url: str) -> None:
    direct = PostgresDatabase(migrated_url)
    bucket, lease = await new_bucket(direct)
    line = Line(migrated_url, b"x" * 32)
    database = PostgresDatabase(await line.open())
    with pytest.raises(DatabaseUnavailable, match="not known"):
        await database.put(*plain(bucket, b"key", lease, etag="x" * 32))
    assert line.cuts == 1
    await soon(lambda: direct.all("SELECT key FROM heads"), [(b"key",)])
    await database.close()
    await direct.close()
    await line.close()


async def test_callers_wait_for_a_connection_and_not_for_ever(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = PostgresDatabase(migrated_url, size=1)
    await database.one("SELECT 1")
    monkeypatch.setattr("gateway.metadata.postgres.CALL_SECONDS", 0.5)
    begun, over = asyncio.Event(), asyncio.Event()

    async def hold(tx: Transaction) -> None:
        await note(tx)
        begun.set()
        await over.wait()

    held = asyncio.create_task(database.write(hold, heavy=True))
    await begun.wait()
    with pytest.raises(DatabaseUnavailable, match="busy"):
        await database.one("SELECT 1")
    over.set()
    await held
    monkeypatch.setattr("gateway.metadata.postgres.CALL_SECONDS", 30)
    # First come, first served, and nobody is forgotten when a caller goes.
    calls = [asyncio.create_task(database.one(f"SELECT pg_sleep({0.01 if n else 0.5})")) for n in range(10)]
    await asyncio.sleep(0.005)
    for call in calls[2:5]:
        call.cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) == 3
    assert sum(isinstance(result, Exception) for result in results) == 0
    await database.close()


async def test_a_read_url_of_no_use_is_left_aside(postgresql: PostgreSQL, migrated_url: str) -> None:
    """What a real standby does is tried in tests/functional/test_standby.py."""
    for other in (
        postgresql.new_database(f"schema_{HEAD}", upgrade),
        postgresql.new_database(),
        "postgresql://nobody:nothing@127.0.0.1:9/none",
    ):
        database = PostgresDatabase(migrated_url, read_url=other)
        await database.write(note)
        for _ in range(2):
            assert await database.read_replica(noted) == {"noted"}
            await database.maintain()
            await asyncio.sleep(0.1)
        await database.close()


async def test_an_old_server_is_refused_with_a_reason(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_pool, "MINIMUM_VERSION", 99)
    database = PostgresDatabase(migrated_url)
    with pytest.raises(InvalidValue, match="99 or later"):
        await database.one("SELECT 1")
    await database.close()


async def test_the_password_is_in_no_message(caplog: pytest.LogCaptureFixture, postgresql: PostgreSQL) -> None:
    caplog.set_level(logging.DEBUG)
    place = postgresql.url.rpartition("@")[2]
    for url in (
        f"postgresql://nobody:geheimnis@{place}",
        "postgresql://nobody:geheimnis@127.0.0.1:9/none",
        f"postgresql://nobody:geheimnis@{place}?sslmode=geheimnis",
    ):
        database = PostgresDatabase(url)
        with pytest.raises(DatabaseUnavailable) as raised:
            await database.one("SELECT 1")
        await database.close()
        assert "geheimnis" not in str(raised.value)
        assert "geheimnis" not in caplog.text
    assert caplog.records


async def test_a_server_that_does_not_wait_for_the_disk_is_told_to(postgresql: PostgreSQL, migrated_url: str) -> None:
    name = urlsplit(migrated_url).path[1:]
    postgresql.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    database = PostgresDatabase(migrated_url)
    assert await database.one("SHOW synchronous_commit") == ("on",)
    await database.close()
    pooled = PostgresDatabase(migrated_url, pgbouncer=True)
    with pytest.raises(InvalidValue, match="synchronous_commit"):
        await pooled.one("SELECT 1")
    await pooled.close()


async def test_a_database_whose_transactions_would_be_stricter_is_used_as_it_needs(
    postgresql: PostgreSQL, migrated_url: str
) -> None:
    """With snapshots that stay, what is behind a lock would not see what the lock waited for."""
    name = urlsplit(migrated_url).path[1:]
    postgresql.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'repeatable read'")
    database = PostgresDatabase(migrated_url)
    bucket, lease = await new_bucket(database)
    await asyncio.gather(*(database.put(*plain(bucket, b"key", lease)) for _ in range(60)))
    assert await database.one("SELECT count(*) FROM versions") == (1,)
    await database.close()


PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@pytest.fixture
async def pooler(migrated_url: str) -> AsyncIterator[str]:
    """A pgbouncer in transaction mode in front of the database, with fewer connections than its clients."""
    if PGBOUNCER is None:
        pytest.skip("no pgbouncer on this machine")
    parts = urlsplit(migrated_url)
    port = free_port()
    # It refuses to run as root, so the folder must be open to others, and what it lies in too.
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    name = parts.path[1:]
    (folder / "users.txt").write_text(f'"{parts.username}" "{parts.password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{name} = host={parts.hostname} port={parts.port} dbname={name} "
        f"user={parts.username} password={parts.password}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = plain\n"
        f"auth_file = {folder}/users.txt\npool_mode = transaction\ndefault_pool_size = 3\n"
        f"logfile = {folder}/log\nunix_socket_dir =\nserver_tls_sslmode = disable\n"
    )
    command = [PGBOUNCER, "-q", str(folder / "pgbouncer.ini")]
    if os.getuid() == 0:
        folder.chmod(0o755)
        shutil.chown(folder, "nobody")
        command[1:1] = ["-u", "nobody"]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    until = time.monotonic() + 60
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        except ConnectionError:
            assert process.returncode is None
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
    yield urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}", query=""))
    process.kill()
    await process.wait()
    shutil.rmtree(folder)


async def test_a_pooler_that_shares_connections(pooler: str) -> None:
    first, second = (PostgresDatabase(pooler, size=6, pgbouncer=True) for _ in range(2))
    bucket, lease = await new_bucket(first)

    async def count(tx: Transaction) -> None:
        await tx.lock("counter")
        value = await meta.get(tx, "counter")
        await meta.put(tx, "counter", str(int(value or b"0") + 1).encode())

    async def use(database: PostgresDatabase, number: int) -> None:
        await database.write(count)
        await database.put(*plain(bucket, b"key-%d" % number, lease))
        generation, row = await database.current(bucket, b"key-%d" % number)
        assert generation == await database.generation()
        assert row is not None
        assert await database.read(lambda reader: meta.get(reader, "counter"))

    await asyncio.gather(*(use(database, number) for number in range(8) for database in (first, second)))
    assert await meta.get(first, "counter") == b"16"
    assert await first.one("SELECT count(*) FROM heads") == (8,)
    # A limit that a session cannot keep is set in each transaction.
    assert await first.write(lambda tx: tx.one("SHOW statement_timeout")) == ("4s",)
    await first.close()
    await second.close()


async def test_without_named_statements_everything_works(migrated_url: str) -> None:
    database = PostgresDatabase(migrated_url, pgbouncer=True)
    bucket, lease = await new_bucket(database)
    for number in range(3):
        await database.put(*plain(bucket, b"key-%d" % number, lease))
    assert await database.one("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''") == (0,)
    await database.close()


def test_parameters_are_numbered_and_locks_are_their_names() -> None:
    assert translated("SELECT ? WHERE a = ? AND b IN (?, ?)") == "SELECT $1 WHERE a = $2 AND b IN ($3, $4)"
    assert lock_number("key", 1, b"a") == lock_number("key", 1, b"a")
    names: list[Callable[[], int]] = [
        lambda: lock_number("key", 1, b"a"),
        lambda: lock_number("key", 1, b"b"),
        lambda: lock_number("key", 11, b"a"),
        lambda: lock_number("key", 1, 1, b"a"),
        lambda: lock_number("key", "1a"),
        lambda: lock_number("keys", 1, b"a"),
    ]
    numbers = {name() for name in names}
    assert len(numbers) == len(names)
    assert all(-(1 << 63) <= number < 1 << 63 for number in numbers)
