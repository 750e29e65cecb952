"""Where Redis is: `PIXGATE_REDIS_URL` taken apart.

    redis://[[user]:password@]host[:port][/db]                      one server
    redis+sentinel://[[user]:password@]host[:port],.../service[/db] the master that the sentinels name
    redis+cluster://[[user]:password@]host[:port],...               a cluster, from any of its nodes
    unix:///path/to/redis.sock[?db=0]                               one server, by its socket

`rediss://`, `rediss+sentinel://` and `rediss+cluster://` are the same over TLS. Parameters: `ca` (a PEM file to trust
instead of the system's), `verify=off` (encrypt without looking at the certificate; on loopback only),
`sentinel_user` and `sentinel_password` where the sentinels ask for their own.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

PORT = 6379
SENTINEL_PORT = 26379
_SCHEMES: dict[str, tuple[Literal["single", "sentinel", "cluster"], bool]] = {
    "redis": ("single", False),
    "rediss": ("single", True),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_PARAMETERS = frozenset({"ca", "verify", "sentinel_user", "sentinel_password", "db"})


@dataclass(frozen=True, slots=True, repr=False)
class RedisAddress:
    """A server, a cluster or a master behind sentinels. No repr shows a password."""

    kind: Literal["single", "sentinel", "cluster"]
    hosts: tuple[tuple[str, int], ...]
    """(host, port); of the sentinels where `kind` is sentinel; empty for a Unix socket."""
    socket: str | None = None
    service: str = ""
    """The master's name, as the sentinels know it."""
    database: int = 0
    user: str | None = None
    password: str | None = None
    tls: bool = False
    ca: str | None = None
    verify: bool = True
    sentinel_user: str | None = None
    sentinel_password: str | None = None

    def __str__(self) -> str:
        where = self.socket or ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{where}/{self.service}" if self.service else where

    __repr__ = __str__


def parse_redis_url(url: str) -> RedisAddress:
    """Raises ValueError, whose text never quotes the URL: it may hold a password."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        raise ValueError("is not a URL such as redis://127.0.0.1:6379") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - _PARAMETERS)
    if unknown or parts.fragment:
        raise ValueError(f"has a parameter that is not known: {', '.join(unknown) or '#'} (known: ca, verify, db)")
    if parts.scheme == "unix":
        if not parts.path.startswith("/"):
            raise ValueError("is not a URL such as unix:///run/redis/redis.sock")
        user, password = _credentials(parts.netloc.rpartition("@")[0])
        socket = unquote(parts.path)
        return RedisAddress("single", (), socket, "", _number(options.get("db", "0")), user, password)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"begins with none of {', '.join(f'{scheme}://' for scheme in _SCHEMES)}, unix://")
    kind, tls = _SCHEMES[parts.scheme]
    credentials, _, rest = parts.netloc.rpartition("@")
    user, password = _credentials(credentials)
    hosts = tuple(_host(text, SENTINEL_PORT if kind == "sentinel" else PORT) for text in rest.split(","))
    if kind == "single" and len(hosts) > 1:
        raise ValueError("names several servers: write redis+cluster:// or redis+sentinel://")
    path = [unquote(piece) for piece in parts.path.split("/") if piece]
    service = ""
    if kind == "sentinel":
        if not path:
            raise ValueError("names no service: redis+sentinel://host:26379/mymaster")
        service = path.pop(0)
    if len(path) > 1 or (path and "db" in options):
        raise ValueError("has a path that is more than the number of a database")
    database = _number(path[0] if path else options.get("db", "0"))
    if kind == "cluster" and database:
        raise ValueError("names a database, of which a cluster has only 0")
    verify = options.get("verify", "on")
    if verify not in ("on", "off"):
        raise ValueError("has a parameter verify that is neither on nor off")
    if not tls and ("ca" in options or "verify" in options):
        raise ValueError("has parameters of TLS, which rediss:// begins")
    if verify == "off" and not all(_is_loopback(host) for host, _ in hosts):
        raise ValueError("may say verify=off on loopback only: name the CA with ?ca=/path/ca.pem")
    return RedisAddress(
        kind,
        hosts,
        service=service,
        database=database,
        user=user,
        password=password,
        tls=tls,
        ca=options.get("ca"),
        verify=verify == "on",
        sentinel_user=options.get("sentinel_user"),
        sentinel_password=options.get("sentinel_password"),
    )


def _credentials(text: str) -> tuple[str | None, str | None]:
    user, colon, password = text.partition(":")
    if not colon and user:
        raise ValueError("has a user without a password: redis://user:password@host or redis://:password@host")
    return unquote(user) or None, unquote(password) or None


def _host(text: str, default_port: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or (text.startswith("[") and text.endswith("]")):
        host, port = text, str(default_port)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("needs brackets around an IPv6 address, such as [::1]:6379")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("has a server that is not host:port")
    return host, int(port)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("has a database that is not a number")
    return int(text)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
