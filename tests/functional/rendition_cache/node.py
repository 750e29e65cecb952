"""A node with two workers and what it knows beyond itself, and what its caches did."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from gateway.cache.tiered import RenditionCache
from gateway.render.client import RenderClient
from gateway.render.launch import start_broker
from gateway.render.rendition import Rendition
from gateway.render.request import RenderRequest
from gateway.render.settings import BrokerSettings
from gateway.render.source import Opened, memory_segment
from tests import images
from transforms.epoch import derivative_key
from transforms.options import parse_compact

SECRET = b"s" * 32
PHOTO = images.jpeg((640, 480))


class Counts:
    """Errors by tier."""

    def __init__(self) -> None:
        self.errors: dict[str, int] = {}

    def render_cache_error(self, tier: str) -> None:
        self.errors[tier] = self.errors.get(tier, 0) + 1


class Node:
    """A broker, two workers' clients, and what both know beyond the node."""

    def __init__(self, folder: Path, caches: list[RenditionCache | None]) -> None:
        # Decoders stand back behind all that a machine does.
        settings = BrokerSettings(str(folder / "render.sock"), decoders=1, job_seconds=120)
        self.broker: subprocess.Popen[bytes] = start_broker(settings)
        self.clients = [RenderClient(folder / "render.sock", connect_seconds=60) for _ in caches]
        self.caches = caches

    async def get(self, options: str, *, source: bytes = PHOTO, worker: int = 0) -> Rendition:
        """A rendition, as one worker gets it."""
        canonical = parse_compact(options).canonical()
        key = derivative_key(source, canonical, "")
        cache = self.caches[worker]

        async def opened() -> Opened:
            return Opened([memory_segment([source])])

        beyond = None if cache is None else cache.flight(key)
        return await self.clients[worker].render(RenderRequest(key, canonical, "", opened, beyond=beyond))

    async def renders(self) -> int:
        """How often this node rendered anything."""
        return int((await self.clients[0].stats())["renders"])

    def forget(self) -> None:
        """Empty the workers' memories, not the broker's."""
        for client in self.clients:
            client.forget()

    async def close(self) -> None:
        for client in self.clients:
            await client.close()
        for cache in self.caches:
            if cache is not None:
                await cache.close()
        self.broker.terminate()
        self.broker.wait(60)


Cluster = Callable[..., list[Node]]


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def health(node: Node, name: str = "redis") -> str:
    cache = node.caches[0]
    assert cache is not None
    return str(cache.health()[name]["status"])


async def settled(node: Node) -> None:
    """Wait until what is done behind the answers is done."""
    for cache in node.caches:
        if cache is not None:
            await until(lambda cache=cache: not (cache._sharing._running or cache._filling._running))  # type: ignore[misc]


async def passed_on(one: Node, other: Node) -> None:
    """Renditions of one are in Redis for the other: the first, or on a busy machine one of the next."""
    for width in range(400, 420):
        await one.get(f"w:{width}")
        await settled(one)
        if (await other.get(f"w:{width}")).tier == "redis":
            return
    raise AssertionError("nothing of one came to the other by Redis")
