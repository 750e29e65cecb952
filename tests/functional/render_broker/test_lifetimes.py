"""Brokers and decoders from start to end: restarted, recycled, shut in, killed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.render.client import RenderClient
from gateway.render.errors import BrokerUnavailable
from tests import images
from tests.functional.render_broker.node import SLOW, Node, alive, busy, request, until, warmed
from transforms.errors import NotAnImage


async def test_a_restarted_broker_is_found_again(node: Node, photo_file: Path, slow_source: Path) -> None:
    first = node.start(decoders=1)
    client = node.client(hot_bytes=0)
    await warmed(client, 1)
    interrupted = asyncio.create_task(client.render(request(slow_source, SLOW)))
    await busy(client)
    first.kill()
    first.wait()
    node.start(decoders=1)
    assert (await interrupted).width == 1400
    assert (await client.render(request(photo_file))).width == 99


async def test_without_a_broker_it_is_said(tmp_path: Path, photo_file: Path) -> None:
    client = RenderClient(tmp_path / "none.sock", connect_seconds=0.1)
    with pytest.raises(BrokerUnavailable):
        await client.render(request(photo_file))
    with pytest.raises(BrokerUnavailable):
        await client.stats()
    await client.close()


async def test_no_descriptor_is_left_behind(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    client = node.client(hot_bytes=0)
    await client.render(request(photo_file))
    broker = node.processes[0].pid
    (decoder,) = await warmed(client, 1)
    # What the tests before this one left to the collector is no difference of this one.
    gc.collect()
    before = [len(os.listdir(f"/proc/{pid}/fd")) for pid in (os.getpid(), broker, decoder)]
    for number in range(20):
        await client.render(request(photo_file, f"w:{number + 10}"))
        await client.render(request(images.jpeg((60, 40)), "w:20"))
        with pytest.raises(NotAnImage):
            await client.render(request(b"%d no image" % number))
    # The last one's may be closed a moment later.
    for _ in range(600):
        after = [len(os.listdir(f"/proc/{pid}/fd")) for pid in (os.getpid(), broker, decoder)]
        if after == before:
            break
        await asyncio.sleep(0.05)
    assert after == before


async def test_decoders_are_recycled(node: Node, photo_file: Path) -> None:
    node.start(decoders=1, jobs_per_decoder=3)
    client = node.client()
    (first,) = await warmed(client, 1)
    widths = itertools.count(10)

    async def replaced() -> bool:
        # There is always one that works: the old one goes when the new one has come.
        await client.render(request(photo_file, f"w:{next(widths)}"))
        stats = await client.stats()
        assert stats["decoders"]["alive"] >= 1
        return bool(stats["decoders"]["recycled"] >= 2)

    await until(replaced)
    stats = await client.stats()
    assert first not in stats["decoders"]["pids"]
    assert stats["decoders"]["crashed"] == stats["decoders"]["killed"] == 0


async def test_decoders_are_shut_in(node: Node, photo_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXGATE_MASTER_KEY", "a secret of the server")
    node.start(decoders=1)
    client = node.client()
    (pid,) = await warmed(client, 1)
    missing = (await client.stats())["sandbox_missing"]
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert status["NoNewPrivs"].strip() == "1"
    assert (status["Seccomp"].strip() == "2") == ("seccomp" not in missing)
    with contextlib.suppress(PermissionError):
        separate = os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
        assert separate == ("network" not in missing)
    assert os.getpriority(os.PRIO_PROCESS, pid) >= 10
    for process in (pid, node.processes[0].pid):
        with contextlib.suppress(PermissionError):
            assert b"a secret of the server" not in Path(f"/proc/{process}/environ").read_bytes()


async def test_the_broker_ends_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from gateway.render.launch import start_broker\n"
        "from gateway.render.settings import BrokerSettings\n"
        f"print(start_broker(BrokerSettings({str(tmp_path / 's')!r}, decoders=1)).pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    broker = int(parent.stdout.readline())
    client = RenderClient(tmp_path / "s", connect_seconds=30)
    (decoder,) = await warmed(client, 1)
    parent.kill()
    parent.wait()
    parent.stdout.close()

    async def ended() -> bool:
        return not any(alive(pid) for pid in (broker, decoder))

    await until(ended)
    await client.close()


async def test_a_killed_broker_takes_its_decoders_with_it(node: Node, slow_source: Path) -> None:
    node.start(decoders=1)
    client = node.client()
    (pid,) = await warmed(client, 1)
    task = asyncio.create_task(client.render(request(slow_source, SLOW)))
    await busy(client)
    os.kill(pid, signal.SIGSTOP)
    node.processes[0].kill()
    node.processes[0].wait()

    async def ended() -> bool:
        return not alive(pid)

    await until(ended)
    task.cancel()


async def test_strangers_messages_end_their_connection_only(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    client = node.client()
    await client.render(request(photo_file))
    for junk in (b"x", b"\0\0\0\x02{}", b'\0\0\0\x10{"t":"get","id":1}', b'\0\0\0\x12{"t":"stats","id":[]}'):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
            stranger.settimeout(30)
            stranger.connect(node.path)
            stranger.send(junk)
            assert stranger.recv(100) == b""
    assert (await client.render(request(photo_file, "w:50"))).width == 50
    assert oct(os.stat(node.path).st_mode & 0o777) == "0o600"


async def test_an_unfit_installation_is_told_and_does_not_hang(
    node: Node, photo_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyvips.py").write_text("raise ImportError('no libvips here')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    node.start(decoders=1)
    client = node.client()
    with pytest.raises(BrokerUnavailable, match="no libvips here"):
        await client.render(request(photo_file))
    assert "no libvips here" in (await client.stats())["problem"]
