"""One broker with its clients, what they ask for, and what its decoders do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from gateway.render.client import RenderClient
from gateway.render.launch import start_broker
from gateway.render.request import RenderRequest
from gateway.render.settings import BrokerSettings
from gateway.render.source import Segment, memory_segment
from transforms.epoch import derivative_key
from transforms.limits import Limits
from transforms.options import parse_compact

SLOW = "f:gif,w:1400,blur:20"
"""Options that keep a decoder for a second or more with the image `slow_source`; `still` makes it last for certain."""

PATIENCE = 120.0
"""Seconds that a render may last where a test says nothing else: decoders stand back behind all that a machine does."""


class Node:
    """One broker and the clients of a test."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "render.sock")
        self.processes: list[subprocess.Popen[bytes]] = []
        self.clients: list[RenderClient] = []

    def start(self, **settings: float) -> subprocess.Popen[bytes]:
        wanted = {"job_seconds": PATIENCE, **settings}
        self.processes.append(start_broker(BrokerSettings(self.path, **wanted)))  # type: ignore[arg-type]
        return self.processes[-1]

    def client(self, **settings: float) -> RenderClient:
        self.clients.append(RenderClient(self.path, connect_seconds=60, **settings))  # type: ignore[arg-type]
        return self.clients[-1]

    async def stop(self) -> None:
        for client in self.clients:
            await client.close()
        for process in self.processes:
            process.terminate()
            process.wait(60)


def request(source: Path | bytes, options: str = "w:99", *, limits: Limits | None = None) -> RenderRequest:
    canonical = parse_compact(options).canonical()
    content = source if isinstance(source, bytes) else str(source).encode()
    segments = [memory_segment([source])] if isinstance(source, bytes) else [Segment(source, 0, source.stat().st_size)]
    return RenderRequest(derivative_key(content, canonical, ""), canonical, "", segments, limits or Limits())


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def warmed(client: RenderClient, decoders: int) -> list[int]:
    """Process ids once that many decoders are ready."""

    async def ready() -> bool:
        return bool((await client.stats())["decoders"]["alive"] == decoders)

    await until(ready)
    return list((await client.stats())["decoders"]["pids"])


async def busy(client: RenderClient, decoders: int = 1) -> None:
    async def working() -> bool:
        return bool((await client.stats())["decoders"]["busy"] == decoders)

    await until(working)


@contextlib.contextmanager
def still(pid: int) -> Iterator[None]:
    """A decoder that makes no step, however fast the machine is."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def alive(pid: int) -> bool:
    # Nobody may be there to collect an orphan, so one that has ended counts as gone.
    try:
        return state(pid) != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
