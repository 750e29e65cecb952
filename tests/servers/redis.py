"""Redis as a cache: nothing on disk, a small memory limit, a password."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.servers.keeper import Launch
from tests.servers.kept import Kept
from tests.servers.ports import free_port
from tests.servers.process import Command
from tests.servers.programs import find

_DATABASES = 1024


class Redis(Kept):
    """A Redis server. One that runs already must not be used by anybody else: its databases are emptied."""

    kind = "redis"
    variable = "PIXGATE_TEST_REDIS_URL"

    @property
    def url(self) -> str:
        """Of database 0, where the numbers of the others are counted."""
        return self.details["url"]

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        return urlsplit(self.url).port or 6379

    def new_database(self) -> str:
        """The URL of an empty database that nobody else gets, as long as there are enough of them."""
        limit = int(self.command("CONFIG", "GET", "databases")["databases"])
        number = (self.command("INCR", "pixgate-test:databases") - 1) % (limit - 1) + 1
        url = urlunsplit(urlsplit(self.url)._replace(path=f"/{number}"))
        self.flush(url)
        return url

    def flush(self, url: str = "") -> None:
        """Empty the database of `url`, or without it all of them."""
        if url:
            self.command("FLUSHDB", url=url)
        else:
            # The count goes on, so that nobody gets a database that is in use.
            count = self.command("GET", "pixgate-test:databases") or 0
            self.command("FLUSHALL")
            self.command("SET", "pixgate-test:databases", count)

    def command(self, *arguments: Any, url: str = "") -> Any:
        """The answer to one command, on database 0 or on that of `url`."""
        import redis

        with redis.Redis.from_url(url or self.url, socket_timeout=60, decode_responses=True) as client:
            return client.execute_command(*arguments)

    @staticmethod
    def prepare(folder: Path) -> Launch:
        """An empty server of 64 MB, which drops what was used least recently."""
        port, password = free_port(), secrets.token_hex(16)
        (folder / "redis.conf").touch(mode=0o600)
        settings = {
            "bind": "127.0.0.1",
            "port": port,
            "requirepass": password,
            "databases": _DATABASES,
            "save": '""',
            "appendonly": "no",
            "maxmemory": "64mb",
            "maxmemory-policy": "allkeys-lru",
            "dir": folder,
        }
        (folder / "redis.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        command = Command((str(find("redis-server")), str(folder / "redis.conf")), {"PATH": os.defpath, "LC_ALL": "C"})
        return Launch(command, {"url": f"redis://:{password}@127.0.0.1:{port}/0"}, lambda _: _answers(port))


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"-NOAUTH", b"+PONG"))
    except OSError:
        return False
