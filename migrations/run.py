"""Bring a database up to the newest schema. A database is a SQLite file's path or a `postgresql://` URL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from migrations import HEAD
from migrations.newest import make as make_newest
from migrations.private_file import make_private
from migrations.unreachable import Unreachable
from migrations.write_ahead import BUSY_SECONDS, write_ahead

__all__ = ["Unreachable", "current_revision", "needs_upgrade", "upgrade"]


def current_revision(database: Path | str) -> str | None:
    """The revision of a database; None where it is new. Needs no Alembic, so it is cheap at each start.

    Raises RuntimeError where the file is no database that can be read, Unreachable where the server does not answer.
    """
    if isinstance(database, str):
        from migrations import postgresql

        return postgresql.current_revision(database)
    if not database.exists():
        return None
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        try:
            row = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            if row is None:
                return None
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise RuntimeError(f"{database} cannot be read: {error}") from error
        return None if version is None else str(version[0])


def upgrade(database: Path | str, revision: str = "head") -> None:
    """Migrate a database; a SQLite file is made where it is missing, for its owner alone. A second caller waits, then finds it done."""
    if isinstance(database, str):
        from migrations import postgresql

        postgresql.upgrade(database, revision)
        return
    make_private(database)
    if revision != "head" or not make_newest(database):
        upgrade_sqlite(database, revision)


def upgrade_sqlite(path: Path, revision: str = "head") -> None:
    """Take a SQLite file from migration to migration, also from none."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        # The driver must not open transactions of its own: DDL belongs inside ours.
        connection.isolation_level = None
        write_ahead(connection, BUSY_SECONDS)
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: object) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def needs_upgrade(database: Path | str) -> bool:
    """Whether the database is behind. Raises RuntimeError where it is newer than this code, Unreachable."""
    revision = current_revision(database)
    if revision is None:
        return True
    if revision > HEAD:
        raise RuntimeError(f"the database is of schema {revision}, newer than this version of pixgate ({HEAD})")
    return revision != HEAD
