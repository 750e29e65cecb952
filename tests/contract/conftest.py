"""Databases of either engine, migrated and empty, for what every driver and all SQL must do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.metadata import versions
from gateway.metadata.port import Database
from gateway.metadata.postgres import PostgresDatabase
from gateway.metadata.sqlite import SqliteDatabase
from gateway.metadata.versions import NewVersion, Written
from gateway.model.objects import WriteConditions
from migrations import HEAD
from migrations.run import upgrade
from tests.contract.writes import Put
from tests.data_folder import new_data_folder
from tests.servers.postgresql import PostgreSQL

ENGINES = ("sqlite", "postgresql")


@pytest.fixture
def migrated_url(postgresql: PostgreSQL) -> str:
    """An empty PostgreSQL database of the newest schema."""
    return postgresql.new_database(f"schema_{HEAD}", upgrade)


@pytest.fixture(params=ENGINES)
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], Database]]:
    """Opens the test's one database, as often as it is called: as several processes would."""
    databases: list[Database] = []
    if request.param == "sqlite":
        data = new_data_folder(tmp_path / "data")
    else:
        url = request.getfixturevalue("migrated_url")

    def another() -> Database:
        if request.param == "sqlite":
            databases.append(SqliteDatabase(data / "pixgate.sqlite"))
        else:
            databases.append(PostgresDatabase(url))
        return databases[-1]

    yield another
    for database in databases:
        await database.close()


@pytest.fixture
def database(opened: Callable[[], Database]) -> Database:
    return opened()


async def shortest(database: Database, new: NewVersion, conditions: WriteConditions) -> Written:
    return await database.put(new, conditions)


async def generic(database: Database, new: NewVersion, conditions: WriteConditions) -> Written:
    return await database.write(lambda tx: versions.put_new(tx, new, conditions))


@pytest.fixture(params=[shortest, generic])
def put(request: pytest.FixtureRequest) -> Put:
    """The two ways to write a plain version, of which one is a function of the database."""
    found: Put = request.param
    return found
