"""A hot standby of a PostgreSQL server, made as its manual's low-level backup is: no program but `postgres` itself is needed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from tests.servers.keeper import Launch
from tests.servers.postgresql import PostgreSQL

_PRIMARY = "PIXGATE_TEST_STANDBY_OF"
"""What the keeper's process is told: the primary's URL and its folder."""


class Standby(PostgreSQL):
    """It follows a server of ours by streaming. Promoted, it is one that takes writes. Its user is the primary's."""

    kind = "standby"

    @classmethod
    def of(cls, primary: PostgreSQL) -> Standby:
        """A new one, that nobody else uses."""
        os.environ[_PRIMARY] = f"{primary.url} {primary.folder}"
        try:
            return cls.own()
        finally:
            del os.environ[_PRIMARY]

    def ask(self, statement: str) -> Any:
        """The first value of what a statement gives, on the database that is always there."""
        # Whoever asks may stand in a running loop.
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(asyncio.run, _ask(self.url, statement)).result()

    @contextmanager
    def replay_paused(self) -> Iterator[None]:
        """It receives what the primary writes, and shows none of it."""
        self.execute("SELECT pg_wal_replay_pause()")
        while self.ask("SELECT pg_get_wal_replay_pause_state()") != "paused":
            time.sleep(0.01)
        try:
            yield
        finally:
            self.execute("SELECT pg_wal_replay_resume()")

    @staticmethod
    def prepare(folder: Path) -> Launch:
        url, primary = os.environ[_PRIMARY].split(" ", 1)
        source, data = Path(primary) / "data", folder / "data"
        asyncio.run(_copy(url, source, data))
        place = urlsplit(url)
        # Queries soon give way to what is replayed, so that tests can have such conflicts.
        settings = (
            f"primary_conninfo = 'host=127.0.0.1 port={place.port} user={place.username} password={place.password}'\n"
            "max_standby_streaming_delay = 500ms\n"
            "wal_retrieve_retry_interval = 100ms\n"
        )
        with (data / "postgresql.auto.conf").open("a") as file:
            file.write(settings)
        (data / "standby.signal").touch()
        owner = source.stat()
        for path in (data, *data.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        return PostgreSQL.launch(folder, place.password or "")


async def _ask(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url, timeout=60)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def _copy(url: str, source: Path, target: Path) -> None:
    """A base backup over SQL and the file system."""
    connection = await asyncpg.connect(url, timeout=60)
    try:
        await connection.execute("SELECT pg_backup_start('standby', fast => true)")
        # Files of queries and of statistics may go meanwhile; they are of the running server alone.
        unwanted = shutil.ignore_patterns("postmaster.*", "pg_dynshmem", "pgsql_tmp*", "pg_internal.init")

        def left_out(folder: str, names: list[str]) -> set[str]:
            # These must be there, and empty.
            emptied = Path(folder).name in {
                "pg_wal",
                "pg_replslot",
                "pg_notify",
                "pg_serial",
                "pg_snapshots",
                "pg_stat_tmp",
            }
            return set(names) - {"archive_status"} if emptied else unwanted(folder, names)

        await asyncio.to_thread(_copy_files, source, target, left_out)
        label = await connection.fetchval("SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)")
        (target / "backup_label").write_text(label)
    finally:
        await connection.close()


def _copy_files(source: Path, target: Path, left_out: Any) -> None:
    def copy(path: str, to: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(path, to)

    shutil.copytree(source, target, ignore=left_out, symlinks=True, copy_function=copy)
    (target / "pg_dynshmem").mkdir(mode=0o700, exist_ok=True)
