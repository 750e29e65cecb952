"""Cached objects in a bucket of an S3 service, below `<prefix>/cache/<deployment id>/`, apart from blobs and leases.

Pinned ones lie below `<prefix>/variants/<deployment id>/`.

The connections are of its own, and so is the judgement whether the service is down: renditions never cost the blobs a
connection, or their store its good name.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.blobs.port import PROBES_KEPT_MS, Entry
from gateway.blobs.upstream.client import Client
from gateway.blobs.upstream.errors import Refused, UpstreamError
from gateway.blobs.upstream.features import Features
from gateway.blobs.upstream.listing import list_objects
from gateway.blobs.upstream.names import is_probe
from gateway.blobs.upstream.probes import Probes
from gateway.blobs.upstream.put import put_whole
from gateway.blobs.upstream.removal import remove_objects
from gateway.blobs.upstream.request import Request
from gateway.cache.objects import OBJECT_BYTES
from gateway.cache.port import CacheFull, CacheUnavailable
from gateway.errors import DiskFull, StoreUnavailable
from gateway.settings.stores import S3Store

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS = 16
CLOSE_SECONDS = 2.0
PROBE_BODY = b"pixgate"
_FEATURES = Features(content_md5=True)
"""What every service has: it compares Content-MD5, or ignores it; what is read is authenticated anyway."""


class UpstreamObjects:
    """Objects of a deployment beside the blobs of a store, `folder` being `cache` or `variants`. Made and used on one
    event loop."""

    def __init__(self, settings: S3Store, deployment: str, folder: str = "cache") -> None:
        self._client = Client(settings.model_copy(update={"connections": CONNECTIONS}))
        self._bucket = settings.bucket
        root = f"{settings.prefix}/" if settings.prefix else ""
        self._base = f"{root}{folder}/{deployment}/".encode()
        self._probes = Probes(self._client, self._bucket, self._base)
        self._headers = () if settings.sse is None else (("x-amz-server-side-encryption", settings.sse),)

    async def get(self, name: str) -> bytes | None:
        request = Request("GetObject", "GET", self._bucket, self._base + name.encode())
        with _facts():
            answer = await self._client.call(request, accept=(404,), limit=OBJECT_BYTES, again=False)
            if answer.ok:
                return answer.body
            error = answer.error()
            if isinstance(error, Refused) and error.code in ("NoSuchKey", ""):
                return None
            raise error

    async def put(self, name: str, data: bytes) -> None:
        with _facts():
            key = self._base + name.encode()
            try:
                await put_whole(self._client, _FEATURES, self._bucket, key, data, self._headers)
            except Refused as error:
                # It may still be read.
                raise CacheFull(f"{error} ({error.detail})") from error

    async def remove(self, names: Sequence[str]) -> None:
        with _facts():
            await remove_objects(self._client, self._bucket, [self._base + name.encode() for name in names])

    async def entries(self) -> AsyncIterator[list[Entry]]:
        start = len(self._base)
        with _facts():
            before_ms = round(time.time() * 1000) - PROBES_KEPT_MS
            async for page in list_objects(self._client, self._bucket, self._base):
                await self._probes.remove_old_of(page, before_ms)
                found = [one for one in page if not is_probe(one.key, self._base)]
                if found:
                    yield [Entry(one.key[start:].decode(), one.size, one.modified_ms) for one in found]

    async def probe(self) -> None:
        async def write_and_read(key: bytes) -> bytes | None:
            name = key.removeprefix(self._base).decode()
            await self.put(name, PROBE_BODY)
            try:
                return await self.get(name)
            finally:
                await self.remove([name])

        if await self._probes.run(write_and_read) != PROBE_BODY:
            raise CacheUnavailable("gave back other bytes than it was given")

    async def close(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._probes.settle()
        await self._client.close()
        self._probes.cancel()


@contextmanager
def _facts() -> Iterator[None]:
    """What goes wrong with a store, as what goes wrong with a cache."""
    try:
        yield
    except DiskFull as error:
        raise CacheFull(str(error)) from error
    except UpstreamError as error:
        raise CacheUnavailable(f"{error} ({error.detail})") from error
    except StoreUnavailable as error:
        raise CacheUnavailable(str(error)) from error
