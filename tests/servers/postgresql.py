"""PostgreSQL: durable as in production (fsync and the rest at their defaults), small in memory, over TCP with passwords."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import uuid
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.servers.keeper import Launch
from tests.servers.kept import Kept
from tests.servers.ports import free_port
from tests.servers.process import Command
from tests.servers.programs import find_postgresql
from tests.servers.run_folder import UNPRIVILEGED, open_to_all

_USER = "pixgate"
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "max_connections": "200",
    # Segments in the data folder go with it, also after a kill.
    "dynamic_shared_memory_type": "mmap",
}


class PostgreSQL(Kept):
    """A PostgreSQL server. Its user may do anything; that of one that runs already must be able to create databases."""

    kind = "postgresql"
    variable = "PIXGATE_TEST_POSTGRES_URL"

    @property
    def url(self) -> str:
        """Of the database that is always there."""
        return self.details["url"]

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return urlsplit(self.url).port or 5432

    def new_database(self, template: str = "", fill: Callable[[str], object] | None = None) -> str:
        """The URL of a new database.

        With `template` it is a copy of the database of this name, which is made first where it is missing: `fill` gets its
        URL, once for all who use this server, and must leave no connection open. A copy takes a tenth of a second.
        """
        name = f"test_{uuid.uuid4().hex[:16]}"
        _apart(self._create(name, template, fill))
        return self.database_url(name)

    @contextmanager
    def database(self, template: str = "", fill: Callable[[str], object] | None = None) -> Iterator[str]:
        """`new_database`, dropped at the end with all that is connected to it."""
        url = self.new_database(template, fill)
        try:
            yield url
        finally:
            self.drop_database(url)

    def drop_database(self, url: str) -> None:
        """Drop one, with all that is connected to it; nothing where it is gone."""
        self.execute(f'DROP DATABASE IF EXISTS "{urlsplit(url).path[1:]}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """Run one statement on the database that is always there."""

        async def run() -> None:
            connection = await _connect(self.url)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        _apart(run())

    def database_url(self, name: str) -> str:
        """The URL of a database of this server."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    async def _create(self, name: str, template: str, fill: Callable[[str], object] | None) -> None:
        connection = await _connect(self.url)
        try:
            if template:
                await self._make_template(connection, template, fill)
            await connection.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        finally:
            await connection.close()

    async def _make_template(self, connection: Any, template: str, fill: Callable[[str], object] | None) -> None:
        there = "SELECT 1 FROM pg_database WHERE datname = $1"
        if await connection.fetchval(there, template):
            return
        await connection.execute("SELECT pg_advisory_lock(hashtext($1))", template)
        try:
            if await connection.fetchval(there, template):
                return
            # Only a whole one gets the name.
            raw = f"{template}_{uuid.uuid4().hex[:8]}"
            await connection.execute(f'CREATE DATABASE "{raw}"')
            if fill is not None:
                await asyncio.to_thread(fill, self.database_url(raw))
            await connection.execute(f'ALTER DATABASE "{raw}" RENAME TO "{template}"')
        finally:
            await connection.execute("SELECT pg_advisory_unlock(hashtext($1))", template)

    @staticmethod
    def prepare(folder: Path) -> Launch:
        """A new cluster, by initdb. As root all of it belongs to, and runs as, an unprivileged user."""
        user, programs = _programs(folder)
        data, password_file = folder / "data", folder / "password"
        data.mkdir(mode=0o700)
        password = secrets.token_hex(16)
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        if user:
            for path in (data, password_file):
                shutil.chown(path, user)
        cluster = ("-D", str(data), "-U", _USER, "--pwfile", str(password_file), "--auth=scram-sha-256")
        command = (str(programs / "initdb"), *cluster, "--encoding=UTF8", "--locale=C", "--no-sync")
        Command(command, _ENVIRONMENT, user).run(folder)
        return PostgreSQL.launch(folder, password)

    @staticmethod
    def launch(folder: Path, password: str) -> Launch:
        """The cluster that lies in the folder's `data`, on a port of its own."""
        user, programs = _programs(folder)
        data, port = folder / "data", free_port()
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        serve = (str(programs / "postgres"), "-D", str(data), "-p", str(port), *settings)

        def ready(pid: int) -> bool:
            # As pg_ctl asks: the first line is the process, the eighth its state.
            try:
                lines = (data / "postmaster.pid").read_text().splitlines()
            except OSError:
                return False
            return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

        url = f"postgresql://{_USER}:{password}@127.0.0.1:{port}/postgres"
        # SIGINT is its fast shutdown: it does not wait for clients to leave.
        return Launch(Command(serve, _ENVIRONMENT, user, signal.SIGINT), {"url": url}, ready)


def _programs(folder: Path) -> tuple[str | None, Path]:
    """Whom to become, None for nobody else; and the folder of programs that he may run."""
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    return user, _reachable(find_postgresql(), folder) if user else find_postgresql()


def _reachable(programs: Path, folder: Path) -> Path:
    """The folder of programs where the unprivileged user may run them: a copy, where a folder above is private."""
    if (copied := folder / "programs" / programs.relative_to(programs.parents[2])).exists():
        return copied
    if open_to_all(programs / "postgres"):
        return programs
    root = programs.parents[1]
    for part in (root, root.parent / f"{root.name}.libs"):
        if part.exists():
            shutil.copytree(part, folder / "programs" / part.name, symlinks=True)
    return folder / "programs" / programs.relative_to(root.parent)


async def _connect(url: str) -> Any:
    import asyncpg

    return await asyncpg.connect(url, timeout=60)


def _apart(work: Coroutine[Any, Any, None]) -> None:
    """Run it on a loop of its own in another thread: whoever asks may stand in a running loop."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, work).result()
