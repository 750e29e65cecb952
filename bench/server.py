"""Servers to measure: ours as a user starts it, and a bare aiohttp server as the limit of what the framework allows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

READY_SECONDS = 30.0
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    host: str
    port: int
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    pid: int = 0
    data: Path = Path()
    ready_seconds: float = 0.0

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def netloc(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.netloc}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cli(data: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """What a command of ours printed."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments, "--data", str(data)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | (environment or {}),
    ).stdout


@contextlib.contextmanager
def pixgate(data: Path, *, workers: int = 2, environment: dict[str, str] | None = None) -> Iterator[Endpoint]:
    """Our server on a free port, with an account of its own. Ends with the block."""
    port = free_port()
    log = (data.parent / f"{data.name}.log").open("ab")
    began = time.perf_counter()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gateway", "serve"),
            *("--listen", f"127.0.0.1:{port}", "--data", str(data), "--workers", str(workers)),
        ],
        stdout=log,
        stderr=log,
        env=os.environ | (environment or {}),
    )
    try:
        _wait_ready(port, process)
        ready = time.perf_counter() - began
        key = json.loads(cli(data, "keys", "create", "--account", "bench", "--json", environment=environment))
        yield Endpoint("127.0.0.1", port, key["access_key"], key["secret_key"], process.pid, data, ready)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def _wait_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    raise RuntimeError("the server was not ready in time")


@contextlib.contextmanager
def bare(body: bytes, *, workers: int = 2) -> Iterator[Endpoint]:
    """A `web.Server` whose only handler returns `body`, in `workers` processes on one socket, on the same event loop."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    children = []
    for _ in range(workers):
        child = os.fork()
        if child == 0:
            try:
                _serve_bare(listening, body)
            finally:
                os._exit(0)
        children.append(child)
    try:
        yield Endpoint("127.0.0.1", int(listening.getsockname()[1]))
    finally:
        listening.close()
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _serve_bare(listening: socket.socket, body: bytes) -> None:
    import uvloop
    from aiohttp import web

    async def handler(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=body)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await loop.create_server(web.Server(handler), sock=listening)
        await asyncio.Event().wait()

    uvloop.run(main())
