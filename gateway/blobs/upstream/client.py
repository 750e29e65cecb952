"""Requests to one S3 service: signed, pooled, retried where that is safe, and left alone while it is down."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Collection
from dataclasses import dataclass

from gateway.blobs.port import Bytes
from gateway.blobs.upstream.breaker import Breaker
from gateway.blobs.upstream.connection import Connection
from gateway.blobs.upstream.credentials import Credentials, credentials_of
from gateway.blobs.upstream.errors import BadResponse, Broken, Failed, TimedOut, UpstreamError
from gateway.blobs.upstream.head import Head
from gateway.blobs.upstream.pool import Pool
from gateway.blobs.upstream.request import Answer, Request
from gateway.blobs.upstream.retry import is_fault, pause
from gateway.blobs.upstream.signer import KeyPair, Signer
from gateway.blobs.upstream.xml import MAX_BYTES
from gateway.errors import DiskFull
from gateway.settings.stores import S3Store
from signing.canonical import encode_path

PATIENCE = 4.5
"""Seconds until a request that got no answer is given up, tries included: a door has to answer within five."""
STALL_SECONDS = 30.0
"""A body that stands still for so long is given up; so is an answer that has to wait for a long body."""
ERROR_BYTES = 64 * 1024
CONTINUE_SECONDS = 1.0
"""How long a service that never asked for a body may take to; then it is sent unasked. Source: RFC 9110 section 10.1.1."""


class Stream:
    """An answer whose body is still to be read. Close it when done."""

    __slots__ = ("_connection", "_pool", "head")

    def __init__(self, pool: Pool, connection: Connection, head: Head) -> None:
        self._pool = pool
        self._connection: Connection | None = connection
        self.head = head

    async def read(self) -> Bytes:
        """The next piece, empty at the end. Raises Failed."""
        connection = self._connection
        if connection is None:
            return b""
        piece = await connection.read(STALL_SECONDS)
        if not piece:
            self.close()
        return piece

    def close(self) -> None:
        """The connection is kept only where the body was read to its end."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(connection)


class Upload:
    """A request whose body is sent piece by piece."""

    __slots__ = ("_client", "_connection", "_pool", "_request")

    def __init__(self, client: Client, pool: Pool, connection: Connection, request: Request) -> None:
        self._client = client
        self._pool = pool
        self._connection: Connection | None = connection
        self._request = request

    async def write(self, pieces: list[Bytes], *, last: bool = False) -> None:
        """Send more; returns when there is room for more. Raises UpstreamError, DiskFull."""
        connection = self._held()
        try:
            await connection.write(pieces, STALL_SECONDS, last=last)
            early = connection.head
        except BaseException as error:
            self._over(error)
            raise
        if early is not None and not last:
            # It will not take the rest: why, says its answer.
            raise (await self.finish()).error()

    async def finish(self) -> Answer:
        """The answer, whatever it is. Raises Failed."""
        connection = self._held()
        try:
            head = await connection.wait_head(STALL_SECONDS)
            body = await read_all(connection, STALL_SECONDS)
        except BaseException as error:
            self._over(error)
            raise
        self._over(None)
        return Answer(self._request.operation, head.status, head.headers, body)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(connection)

    def _held(self) -> Connection:
        if self._connection is None:
            raise Broken("the upload was given up")
        return self._connection

    def _over(self, error: BaseException | None) -> None:
        self._client.note(error)
        self.close()


@dataclass(slots=True)
class _Tries:
    """How the tries of one request go on."""

    loop: asyncio.AbstractEventLoop
    deadline: float
    count: int = 0
    fresh: bool = False

    @property
    def remaining(self) -> float:
        return max(self.deadline - self.loop.time(), 0.0)


class Client:
    """For one event loop; close it there."""

    def __init__(self, settings: S3Store, *, credentials: Credentials | None = None) -> None:
        self._settings = settings
        self._credentials = credentials or credentials_of(settings)
        self._signer = Signer(settings.effective_region)
        self._virtual = settings.effective_style == "virtual"
        self._tls: ssl.SSLContext | None = None
        self._pools: dict[str, Pool] = {}
        self._asks = False
        self._host = settings.host
        self._host_header = _host_header(settings)
        self.breaker = Breaker(time.monotonic)

    async def call(
        self,
        request: Request,
        *,
        accept: Collection[int] = (),
        timeout: float = PATIENCE,
        limit: int = MAX_BYTES,
        again: bool = True,
    ) -> Answer:
        """Ask, and give the whole answer where it is a success or its status is in `accept`.

        `timeout` is for all tries, in seconds; `again` says whether there may be several. Raises UpstreamError, DiskFull.
        """
        tries = self._tries(timeout)
        while True:
            self.breaker.check()
            try:
                pool, connection, head = await self._exchange(request, tries)
                try:
                    body = await read_all(connection, tries.remaining, limit)
                finally:
                    pool.give_back(connection)
                answer = Answer(request.operation, head.status, head.headers, body)
                if not answer.ok and head.status not in accept:
                    raise answer.error()
            except Failed as error:
                await self._again(error, tries, again=again)
                continue
            except (UpstreamError, DiskFull):
                self.breaker.success()
                raise
            self.breaker.success()
            return answer

    async def stream(self, request: Request) -> Stream:
        """Ask for a body to be read piece by piece. Gives only successes. Raises UpstreamError."""
        tries = self._tries(PATIENCE)
        while True:
            self.breaker.check()
            try:
                pool, connection, head = await self._exchange(request, tries)
                if 200 <= head.status < 300:
                    self.breaker.success()
                    return Stream(pool, connection, head)
                try:
                    body = await read_all(connection, tries.remaining, ERROR_BYTES)
                finally:
                    pool.give_back(connection)
                raise Answer(request.operation, head.status, head.headers, body).error()
            except Failed as error:
                await self._again(error, tries, again=True)
            except (UpstreamError, DiskFull):
                self.breaker.success()
                raise

    async def upload(self, request: Request, length: int) -> Upload:
        """Begin a request whose body of `length` bytes follows. Raises UpstreamError, DiskFull.

        The service is asked first whether it wants the body (Expect: 100-continue): until it does nothing is lost, so
        that much may be tried again.
        """
        tries = self._tries(PATIENCE)
        headers = (*request.headers, ("expect", "100-continue"))
        while True:
            self.breaker.check()
            pool = self._pool(request.bucket)
            connection: Connection | None = None
            try:
                data = await self._head(request, headers, length)
                connection = await pool.take(tries.remaining, fresh=tries.fresh)
                connection.begin(request.method, data, whole=False)
                asked = await connection.wait_continue(tries.remaining if self._asks else CONTINUE_SECONDS)
                self._asks = self._asks or connection.continued
                if not asked and self._asks:
                    raise TimedOut(f"{request.operation}: it did not ask for the body, as it did before")
                if connection.head is None:
                    return Upload(self, pool, connection, request)
                head = connection.head
                body = await read_all(connection, tries.remaining, ERROR_BYTES)
                pool.give_back(connection)
                answer = Answer(request.operation, head.status, head.headers, body)
                if answer.ok:
                    raise BadResponse(f"{request.operation}: it answered before it had the body")
                raise answer.error()
            except Failed as error:
                if connection is not None:
                    pool.give_back(connection)
                await self._again(error, tries, again=True)
            except BaseException as error:
                if connection is not None:
                    pool.give_back(connection)
                if isinstance(error, UpstreamError | DiskFull):
                    self.breaker.success()
                raise

    def note(self, error: BaseException | None) -> None:
        """Tell the breaker how something ended that it does not see itself."""
        if error is None:
            self.breaker.success()
        elif isinstance(error, Failed) and is_fault(error):
            self.breaker.failure()

    def release_idle(self) -> None:
        for pool in self._pools.values():
            pool.release_idle()

    async def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        # Transports end in the next turns of the loop.
        await asyncio.sleep(0)

    def _tries(self, timeout: float) -> _Tries:
        loop = asyncio.get_running_loop()
        return _Tries(loop, loop.time() + timeout)

    async def _exchange(self, request: Request, tries: _Tries) -> tuple[Pool, Connection, Head]:
        pool = self._pool(request.bucket)
        body = request.body
        length = len(body) if body or request.method in ("PUT", "POST") else None
        data = await self._head(request, request.headers, length)
        connection = await pool.take(tries.remaining, fresh=tries.fresh)
        try:
            connection.begin(request.method, data + body if body else data, whole=True)
            return pool, connection, await connection.wait_head(tries.remaining)
        except BaseException:
            pool.give_back(connection)
            raise

    async def _again(self, error: Failed, tries: _Tries, *, again: bool) -> None:
        """Wait for the next try, or raise the error where there is none."""
        if is_fault(error):
            self.breaker.failure()
        tries.count += 1
        wait = pause(error, tries.count, tries.remaining) if again else None
        if wait is None:
            raise error
        tries.fresh = isinstance(error, Broken) and error.reused
        if wait:
            await asyncio.sleep(wait)

    async def _keys(self) -> KeyPair:
        return self._credentials.current() or await self._credentials.load()

    async def _head(self, request: Request, headers: tuple[tuple[str, str], ...], length: int | None) -> bytes:
        pair = self._credentials.current() or await self._keys()
        path = encode_path(request.key)
        if self._virtual and request.bucket:
            host, path = f"{request.bucket}.{self._host_header}", f"/{path}"
        else:
            host, path = self._host_header, f"/{request.bucket}/{path}" if path else f"/{request.bucket}"
        return self._signer.request(
            pair, request.method, host, path, request.query, headers, payload=request.payload, length=length
        )

    def _pool(self, bucket: str) -> Pool:
        host = f"{bucket}.{self._host}" if self._virtual and bucket else self._host
        pool = self._pools.get(host)
        if pool is None:
            if self._settings.tls and self._tls is None:
                self._tls = _tls_context(self._settings)
            pool = self._pools[host] = Pool(host, self._settings.port, self._tls, self._settings.connections)
        return pool


async def read_all(connection: Connection, timeout: float, limit: int = MAX_BYTES) -> bytes:
    """The rest of an answer's body. Raises Failed; a body beyond `limit` bytes is a BadResponse."""
    pieces: list[Bytes] = []
    size = 0
    while piece := await connection.read(timeout):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise BadResponse("the answer is too long")
    return bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)


def _host_header(settings: S3Store) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return host if settings.port == (443 if settings.tls else 80) else f"{host}:{settings.port}"


def _tls_context(settings: S3Store) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if settings.ca is None else str(settings.ca))
    except (OSError, ssl.SSLError) as error:
        raise UpstreamError(f"the CA file {settings.ca} cannot be used: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
