"""Redis as a tier of renditions, and as the place of locks among nodes: one server, a cluster, or behind sentinels."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from redis.asyncio import ConnectionPool, Redis, RedisCluster, Sentinel, UnixDomainSocketConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError, ResponseError

from gateway.cache.breaker import PROBE_BUDGET, Breaker
from gateway.cache.port import ALONE, BUSY, CacheFull, CacheUnavailable, Held
from gateway.cache.sealed import Sealer
from gateway.redis_address import RedisAddress
from gateway.render.rendition import Rendition

BUDGET = 0.1
"""Seconds that a command may take."""
CONNECTIONS = 16
"""Commands of a worker that may be under way at the same time."""
LOCK_SECONDS = 5.0
ALONE_SECONDS = 2.0
"""How long others are told that the last holder has nothing to share."""
_POLL_SECONDS = 0.02

# A lock is a token with an end. One without an end is nobody's.
_TAKE = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] and redis.call('PTTL', KEYS[1]) > 0 then
  return held == '-' and 2 or 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
_GIVE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], '-', 'PX', ARGV[2])
return 1
"""


class RedisServer:
    """A connection to Redis for names of one deployment. Nothing is connected until `begin` or the first command."""

    def __init__(self, address: RedisAddress, deployment: str, *, budget: float = BUDGET) -> None:
        self.address = address
        self.prefix = f"pixgate:{deployment}:"
        self._sentinel: Sentinel | None = None
        self._client = self._connect(address)
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._budget = budget
        self.breaker = Breaker(f"Redis at {address}", self.probe, budget=budget)

    def begin(self) -> None:
        self.breaker.begin()

    async def read(self, name: str) -> bytes | None:
        """What lies under a name, if it is text. Raises CacheUnavailable."""
        found: bytes | None = await self.breaker.call(lambda: self._get(name))
        return found

    async def script(self, text: str, name: str, *arguments: Any) -> Any:
        """What a script answers that works on one name. Raises CacheUnavailable."""
        answer = await self.breaker.call(lambda: self._answer(("EVAL", text, 1, name, *arguments)))
        if isinstance(answer, ResponseError):
            # Its memory is full, or scripts are not allowed: no reason to do without the rest.
            raise CacheUnavailable(_text(answer))
        return answer

    async def write(self, *command: Any) -> Any:
        """Raises CacheUnavailable; CacheFull where Redis answers but takes nothing (no memory, no disk, a replica)."""
        return await self.breaker.write(lambda: self._put(command))

    async def probe(self) -> None:
        """Raises CacheUnavailable, CacheFull."""
        await self._put(("SET", self.prefix + "probe", b"1", "PX", 1000))

    async def close(self) -> None:
        await self.breaker.close()
        clients: list[Any] = [self._client]
        if self._sentinel is not None:
            clients += self._sentinel.sentinels
        for client in clients:
            try:
                async with asyncio.timeout(1):
                    await client.aclose()
            except (RedisError, OSError, TimeoutError):
                continue

    async def _get(self, name: str) -> Any:
        answer = await self._answer(("GET", name))
        if not isinstance(answer, ResponseError):
            return answer
        if str(answer).startswith("WRONGTYPE"):
            return None
        raise CacheUnavailable(_text(answer))

    async def _answer(self, command: tuple[Any, ...]) -> Any:
        try:
            return await self._run(command)
        except ResponseError as error:
            return error

    async def _put(self, command: tuple[Any, ...]) -> Any:
        try:
            return await self._run(command)
        except ResponseError as error:
            raise CacheFull(f"refuses writes: {_text(error)}") from error

    async def _run(self, command: tuple[Any, ...]) -> Any:
        async with self._room:
            try:
                return await self._client.execute_command(*command)
            except ResponseError:
                raise
            except (RedisError, RedisClusterException, OSError, TimeoutError) as error:
                raise CacheUnavailable(_text(error)) from error

    def _connect(self, address: RedisAddress) -> Any:
        common: dict[str, Any] = {
            "username": address.user,
            "password": address.password,
            # A connection that died while it was idle is made anew, once.
            "retry": Retry(NoBackoff(), 1),
            "socket_timeout": PROBE_BUDGET,
            "socket_connect_timeout": PROBE_BUDGET,
            "protocol": 2,
            "driver_info": None,
        }
        tls: dict[str, Any] = {}
        if address.tls:
            tls = {
                "ssl": True,
                "ssl_ca_certs": address.ca,
                "ssl_cert_reqs": "required" if address.verify else "none",
                "ssl_check_hostname": address.verify,
            }
        if address.socket is not None:
            common["db"] = address.database
            pool = ConnectionPool(connection_class=UnixDomainSocketConnection, path=address.socket, **common)
            return Redis.from_pool(pool)
        if address.kind == "cluster":
            nodes = [ClusterNode(host, port) for host, port in address.hosts]
            return RedisCluster(startup_nodes=nodes, **common, **tls)
        common["db"] = address.database
        if address.kind == "sentinel":
            asking: dict[str, Any] = {
                "username": address.sentinel_user,
                "password": address.sentinel_password,
                "driver_info": None,
            }
            # One sentinel after the other is asked; none of them is waited for long, or asked twice.
            asking |= {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry": Retry(NoBackoff(), 0)}
            asking |= {"protocol": 2, **tls}
            self._sentinel = Sentinel(address.hosts, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
            return self._sentinel.master_for(address.service, **common, **tls)
        (host, port) = address.hosts[0]
        return Redis(host=host, port=port, **common, **tls)


class RedisTier:
    """Renditions in Redis, sealed, of at most `item_bytes` bytes, for `max_age` seconds."""

    name = "redis"

    def __init__(self, server: RedisServer, sealer: Sealer, *, item_bytes: int, max_age: int) -> None:
        self._server = server
        self._sealer = sealer
        self._item_bytes = item_bytes
        self._max_age = max_age

    async def get(self, key: bytes) -> Rendition | None:
        sealed = await self._server.read(self._place(key))
        return None if sealed is None else self._sealer.open(key, sealed, self.name)

    async def put(self, key: bytes, rendition: Rendition) -> bool:
        if len(rendition.data) > self._item_bytes:
            return False
        sealed = self._sealer.seal(key, rendition)
        await self._server.write("SET", self._place(key), sealed, "EX", self._max_age)
        return True

    async def probe(self) -> None:
        await self._server.probe()

    async def tidy(self) -> None:
        """Redis forgets by itself."""

    async def check(self) -> None:
        await self._server.breaker.check()

    def health(self) -> Mapping[str, Any]:
        return self._server.breaker.health()

    async def close(self) -> None:
        await self._server.close()

    def _place(self, key: bytes) -> str:
        return f"{self._server.prefix}r:{key.hex()}"


class RedisLocks:
    """Locks in Redis."""

    seconds = LOCK_SECONDS
    pause = _POLL_SECONDS

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    async def take(self, key: bytes) -> Held | str:
        lock = _RedisLock(self._server, f"{self._server.prefix}l:{key.hex()}")
        outcome = await lock.take()
        return lock if outcome == 1 else ALONE if outcome == 2 else BUSY

    async def tidy(self) -> None:
        """Redis forgets by itself."""


class _RedisLock:
    def __init__(self, server: RedisServer, place: str) -> None:
        self._server = server
        self._place = place
        self._token = secrets.token_hex(16)

    async def take(self) -> int:
        return int(await self._run(_TAKE, _milliseconds(LOCK_SECONDS)))

    async def renew(self) -> None:
        await self._run(_RENEW, _milliseconds(LOCK_SECONDS))

    async def give(self, *, shared: bool) -> None:
        await self._run(_GIVE, 0 if shared else _milliseconds(ALONE_SECONDS))

    async def _run(self, script: str, argument: int) -> Any:
        return await self._server.script(script, self._place, self._token, argument)


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _text(error: BaseException) -> str:
    """What went wrong, on one line. Redis never repeats a password."""
    text = " ".join(str(error).split())[:200]
    return text or type(error).__name__
