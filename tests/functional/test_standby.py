"""A read URL that names a real hot standby: what is read from it, how old that may be, and what happens when it fails."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.metadata import postgres, postgres_pool, postgres_replica, postgres_standby_check
from gateway.metadata.port import Reader
from gateway.metadata.postgres import PostgresDatabase
from gateway.metadata.postgres_standby_check import StandbyCheck, check_standby
from migrations import HEAD
from migrations.run import upgrade
from tests.functional.api.client import Api
from tests.functional.api.conftest import ENVIRONMENT
from tests.functional.api.pictures import uploaded
from tests.functional.api.test_gallery import ids
from tests.servers.postgresql import PostgreSQL
from tests.servers.standby import Standby
from tests.services import Server, environment_of, pixgate, running, stand_on

DEADLINE = 60.0
"""Seconds."""


@pytest.fixture(scope="module")
def primary() -> Iterator[PostgreSQL]:
    with PostgreSQL.own() as server:
        # Nothing but tests makes conflicts with recovery.
        server.execute("ALTER SYSTEM SET autovacuum = off")
        server.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture(scope="module")
def url(primary: PostgreSQL) -> str:
    """The deployment's database, with the fact that tells it apart."""
    made = primary.new_database(f"schema_{HEAD}", upgrade)
    rows(made, "INSERT INTO meta (name, value) VALUES ('deployment_id', 'this one')")
    rows(made, "CREATE TABLE held (number bigint)")
    return made


@pytest.fixture(scope="module")
def standby(primary: PostgreSQL, url: str) -> Iterator[Standby]:
    with Standby.of(primary) as server:
        yield server


@pytest.fixture
def read_url(standby: Standby, url: str) -> str:
    return standby.database_url(url.rpartition("/")[2])


@pytest.fixture
async def database(url: str, read_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PostgresDatabase]:
    """It looks often, and reads the standby however far it is behind, and however slow the machine is."""
    for module, name in (
        (postgres_replica, "CALL_SECONDS"),
        (postgres_replica, "ANSWER_SECONDS"),
        (postgres, "CALL_SECONDS"),
        (postgres_pool, "SIGN_SECONDS"),
    ):
        monkeypatch.setattr(module, name, DEADLINE)
    monkeypatch.setattr(postgres_replica, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(postgres_replica, "MOST_BEHIND", 10_000.0)
    opened = PostgresDatabase(url, read_url=read_url)
    yield opened
    await opened.close()


def rows(url: str, statement: str) -> list[Any]:
    async def ask() -> list[Any]:
        connection = await asyncpg.connect(url, timeout=60)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    # Tests that ask may stand in a running loop.
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, ask()).result()


def caught_up(primary: PostgreSQL, standby: Standby) -> None:
    """Return when the standby has all that is committed."""
    there = rows(primary.url, "SELECT pg_current_wal_lsn()::text")[0][0]
    end = time.monotonic() + DEADLINE
    while standby.ask(f"SELECT pg_last_wal_replay_lsn() < '{there}'"):
        assert time.monotonic() < end
        time.sleep(0.02)


async def is_standby(reader: Reader) -> bool:
    """Who answers."""
    row = await reader.one("SELECT pg_is_in_recovery()")
    assert row is not None
    return bool(row[0])


async def noted(reader: Reader) -> set[str]:
    return {row[0] for row in await reader.all("SELECT name FROM meta")}


async def soon(ask: Callable[[], Awaitable[object]], expected: object) -> None:
    end = time.monotonic() + DEADLINE
    while (found := await ask()) != expected:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)


async def note(database: PostgresDatabase, name: str) -> None:
    await database.write(lambda tx: tx.run("INSERT INTO meta (name, value) VALUES (?, ?)", (name, b"1")))


async def test_it_is_read_as_long_as_it_is_not_too_far_behind(
    database: PostgresDatabase, standby: Standby, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert await database.read_replica(is_standby) is False, "nothing is known of it yet, and nobody waits for that"
    await soon(lambda: database.read_replica(is_standby), True)
    with standby.replay_paused():
        await note(database, "late")
        assert "late" not in await database.read_replica(noted)

        async def confirm(reader: Reader, found: set[str]) -> set[str]:
            return found | {f"standby: {await is_standby(reader)}", str("late" in await noted(reader))}

        confirmed = await database.read_replica(noted, confirm=confirm)
        assert confirmed >= {"standby: False", "True"}
        assert "late" not in confirmed
        monkeypatch.setattr(postgres_replica, "MOST_BEHIND", 0.3)
        # Whatever stops the replay: what is older than the limit is told.
        await soon(lambda: database.read_replica(noted), await database.read(noted))
        await soon(lambda: asyncio.sleep(0, "behind (0.0 MB)" in caplog.text), True)
        assert await database.read_replica(is_standby) is False
    monkeypatch.setattr(postgres_replica, "MOST_BEHIND", 10_000.0)
    await soon(lambda: database.read_replica(is_standby), True)
    assert "late" in await database.read_replica(noted)


async def test_a_conflict_with_recovery_costs_one_read(
    database: PostgresDatabase, url: str, standby: Standby, caplog: pytest.LogCaptureFixture
) -> None:
    """What the primary locks or vacuums ends queries on the standby: the primary answers, and the standby goes on."""
    await soon(lambda: database.read_replica(is_standby), True)
    for asleep, answered in ((True, [True, False]), (False, [True, True])):
        asked: list[bool] = []
        holding, go_on = asyncio.Event(), asyncio.Event()

        async def hold(
            reader: Reader,
            asleep: bool = asleep,
            asked: list[bool] = asked,
            holding: asyncio.Event = holding,
            go_on: asyncio.Event = go_on,
        ) -> bool:
            asked.append(await is_standby(reader))
            await reader.all("SELECT number FROM held")
            if not holding.is_set():
                holding.set()
                if not asleep:
                    await go_on.wait()
                await reader.one(f"SELECT pg_sleep({DEADLINE if asleep else 0})")
            return asked[-1]

        reading = asyncio.create_task(database.read_replica(hold, heavy=True))
        await holding.wait()
        state = "state = 'active' AND query LIKE '%pg_sleep(%'" if asleep else "state = 'idle in transaction'"
        there = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pixgate' AND {state}"
        await soon(lambda there=there: asyncio.to_thread(standby.ask, there), 1)  # type: ignore[misc]
        await asyncio.to_thread(rows, url, "TRUNCATE held")
        # A statement is cancelled; a transaction between two of them loses its connection.
        await soon(lambda there=there: asyncio.to_thread(standby.ask, there), 0)  # type: ignore[misc]
        go_on.set()
        assert await reading is answered[-1]
        assert asked == answered
        assert await database.read_replica(is_standby) is True
    assert "left aside" not in caplog.text


async def test_requests_do_not_wait_for_one_that_hangs_or_is_gone(
    database: PostgresDatabase, standby: Standby, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(postgres_replica, "REPLICA_SECONDS", 0.2)
    monkeypatch.setattr(postgres_replica, "CALL_SECONDS", 1.0)
    monkeypatch.setattr(postgres_pool, "SIGN_SECONDS", 2.0)
    for stop, start in ((standby.pause, standby.resume), (standby.kill, standby.start)):
        await soon(lambda: database.read_replica(is_standby), True)
        await asyncio.to_thread(stop)
        try:
            assert await database.read_replica(is_standby) is False
            # A heavy one waits while the server lives: it does not.
            assert await database.read_replica(is_standby, heavy=True) is False
        finally:
            await asyncio.to_thread(start)
    await soon(lambda: database.read_replica(is_standby), True)
    assert "it does not answer" in caplog.text


async def test_a_read_url_of_something_else_is_never_read(
    url: str,
    read_url: str,
    primary: PostgreSQL,
    standby: Standby,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(postgres_replica, "LOOK_SECONDS", 0.05)
    # Another deployment's, on the same standby; an older schema; nobody who may read.
    other, older = (primary.new_database(f"schema_{HEAD}", upgrade) for _ in range(2))
    rows(other, "INSERT INTO meta (name, value) VALUES ('deployment_id', 'another')")
    rows(older, "INSERT INTO meta (name, value) VALUES ('deployment_id', 'this one')")
    rows(older, "UPDATE alembic_version SET version_num = '0001'")
    primary.execute("CREATE ROLE stranger LOGIN PASSWORD 'geheim'")
    user = read_url.partition("//")[2].partition("@")[0]
    caught_up(primary, standby)
    for wrong, why in (
        (standby.database_url(other.rpartition("/")[2]), "it is of another deployment"),
        (standby.database_url(older.rpartition("/")[2]), "its schema is 0001"),
        (standby.database_url("postgres"), "it has not the tables of this version"),
        (read_url.replace(user, "stranger:geheim"), "its user may not read the tables"),
        (read_url.replace(user, "stranger:nicht-geheim"), "it does not answer"),
        (primary.url, "it has not the tables of this version"),
    ):
        caplog.clear()
        database = PostgresDatabase(url, read_url=wrong)
        # A worker tells at its start, before anybody asks for anything.
        await database.maintain()
        await soon(lambda why=why: asyncio.sleep(0, why in caplog.text), True)  # type: ignore[misc]
        assert await database.read_replica(noted) >= {"deployment_id"}
        assert "geheim" not in caplog.text
        await database.close()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, primary: PostgreSQL, standby: Standby) -> Iterator[Server]:
    """A real node whose read URL is the standby."""
    made = primary.new_database(f"schema_{HEAD}", upgrade)
    data = tmp_path_factory.mktemp("standby") / "data"
    name = made.rpartition("/")[2]
    environment = {"PIXGATE_DATABASE_URL": made, "PIXGATE_DATABASE_READ_URL": standby.database_url(name)}
    stand_on(data, environment | {"PIXGATE_MIN_FREE_BYTES": "0"})
    with running(Server(data, workers=1, environment=ENVIRONMENT)) as server:
        yield server


def test_private_things_never_show_and_owners_see_what_they_did(
    node: Server, primary: PostgreSQL, standby: Standby
) -> None:
    api = Api(node)
    owner = api.as_user(api.register())
    made = [uploaded(owner, visibility="public")["id"] for _ in range(4)]
    kept, private, deleted, other = made
    end = time.monotonic() + DEADLINE
    while ids(api.get("images")) != made[::-1]:
        assert time.monotonic() < end
        time.sleep(0.05)
    caught_up(primary, standby)
    with standby.replay_paused():
        assert owner.patch(f"images/{private}", json={"visibility": "private"}).status == 200
        assert owner.patch(f"images/{kept}", json={"tags": ["kept"]}).status == 200
        assert owner.delete(f"images/{deleted}").status == 204
        new = uploaded(owner, visibility="public")["id"]
        assert ids(owner.get("users/me/images")) == [new, other, private, kept]
        assert set(ids(api.get("images"))) <= {new, other, kept}
        (entry,) = [image for image in api.get("images").json["images"] if image["id"] == kept]
        assert entry["tags"] == ["kept"]
        for gone in (private, deleted):
            assert api.get(f"images/{gone}").status in (401, 403, 404)
            assert node.fetch(f"/img/{gone}?w=10")[0] in (401, 403, 404)
        # Replay goes on standing still; within ten seconds the gallery tells of everything again.
        end = time.monotonic() + DEADLINE
        while ids(api.get("images")) != [new, other, kept]:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_nobody_is_refused_while_it_is_away(node: Server, standby: Standby) -> None:
    api = Api(node)
    api = api.as_user(api.register())
    expected = api.get("images").json["images"]
    for stop, start in ((standby.pause, standby.resume), (standby.kill, standby.start)):
        stop()
        try:
            assert api.get("images").json["images"] == expected
            assert api.get("health/stats").status == 200
            assert node.fetch("/metrics")[0] == 200
        finally:
            start()


def doctor(data: Path) -> tuple[str, str]:
    found = json.loads(pixgate("doctor", "--json", data=data, check=False).stdout)
    (one,) = [one for one in found if one["subject"] == "database read URL"]
    return one["verdict"], one["detail"]


def test_the_doctor_tells_a_standby_from_what_is_none(
    node: Server, url: str, primary: PostgreSQL, standby: Standby
) -> None:
    settings = environment_of(node.data)
    right = settings["PIXGATE_DATABASE_READ_URL"]
    caught_up(primary, standby)
    assert doctor(node.data) == ("ok", f"PostgreSQL answers, schema {HEAD}: a standby that keeps up")
    settings["PIXGATE_DATABASE_READ_URL"] = standby.database_url(url.rpartition("/")[2])
    verdict, detail = doctor(node.data)
    assert (verdict, detail.partition(";")[0]) == ("warning", "it is of another deployment")
    settings["PIXGATE_DATABASE_READ_URL"] = right


async def test_one_that_does_not_catch_up_is_told(
    url: str, read_url: str, primary: PostgreSQL, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_standby_check, "CATCH_UP_SECONDS", 0.2)
    with standby.replay_paused():
        primary.execute("CREATE TABLE more AS SELECT generate_series(1, 20000)")
        checked = await check_standby(url, read_url, pgbouncer=False)
    assert "MB behind and does not catch up" in checked.problem
    monkeypatch.setattr(postgres_standby_check, "CATCH_UP_SECONDS", DEADLINE)
    assert await check_standby(url, read_url, pgbouncer=False) == StandbyCheck("", "a standby that keeps up")
    monkeypatch.undo()
    monkeypatch.setattr(postgres_standby_check, "ANSWER_SECONDS", 0.1)
    gone = await check_standby(url, "postgresql://nobody:nothing@127.0.0.1:9/none", pgbouncer=False)
    assert gone == StandbyCheck("it does not answer", "")


async def test_one_that_was_promoted_is_left(
    database: PostgresDatabase,
    url: str,
    read_url: str,
    node: Server,
    standby: Standby,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The last of the file: there is no standby any more."""
    await soon(lambda: database.read_replica(is_standby), True)
    standby.execute("SELECT pg_promote(true)")
    why = "it is neither a standby nor the database itself"
    await soon(lambda: asyncio.sleep(0, why in caplog.text), True)
    await note(database, "afterwards")
    assert "afterwards" in await database.read_replica(noted)
    assert (await check_standby(url, read_url, pgbouncer=False)).problem.startswith(why)
    api = Api(node)
    owner = await asyncio.to_thread(lambda: api.as_user(api.register()))
    new = (await asyncio.to_thread(uploaded, owner, visibility="public"))["id"]

    async def newest() -> str:
        found: str = (await asyncio.to_thread(lambda: ids(api.get("images"))))[0]
        return found

    await soon(newest, new)
    await soon(lambda: asyncio.sleep(0, why in node.log.read_text()), True)
