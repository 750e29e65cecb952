"""The render broker with real processes: what is shared, what fails alone, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import io
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from gateway.render.client import RenderClient
from gateway.render.errors import (
    BrokerUnavailable,
    RenderBusy,
    RenderCrashed,
    RenderTimeout,
    SourceUnreadable,
)
from gateway.render.launch import start_broker
from gateway.render.rendition import Rendition
from gateway.render.request import RenderRequest
from gateway.render.settings import BrokerSettings
from gateway.render.source import Opened, Reduced, Segment, memory_segment
from gateway.render.task import Original
from gateway.render.wire import INLINE_BYTES
from tests import images
from transforms.epoch import codec_epoch, derivative_key
from transforms.errors import DecodeFailed, DrawingTooSlow, NotAnImage, OptionError, TooLarge
from transforms.limits import Limits
from transforms.options import parse_compact

SLOW = "f:gif,w:1400,blur:20"
"""Options that keep a decoder for a second or more with the image `slow_source`; `still` makes it last for certain."""


class Node:
    """One broker and the clients of a test."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "render.sock")
        self.processes: list[subprocess.Popen[bytes]] = []
        self.clients: list[RenderClient] = []

    def start(self, **settings: float) -> subprocess.Popen[bytes]:
        self.processes.append(start_broker(BrokerSettings(self.path, **settings)))  # type: ignore[arg-type]
        return self.processes[-1]

    def client(self, **settings: float) -> RenderClient:
        self.clients.append(RenderClient(self.path, connect_seconds=30, **settings))  # type: ignore[arg-type]
        return self.clients[-1]

    async def stop(self) -> None:
        for client in self.clients:
            await client.close()
        for process in self.processes:
            process.terminate()
            process.wait(30)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path)
    yield node
    await node.stop()


@pytest.fixture(scope="module")
def photo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "photo.jpg"
    path.write_bytes(images.jpeg())
    return path


@pytest.fixture(scope="module")
def slow_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "slow.png"
    path.write_bytes(images.png((1600, 1200)))
    return path


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


async def test_a_rendition_and_its_ways_back(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    one, other = node.client(), node.client()
    first = await one.render(request(photo_file))
    assert (first.media_type, first.format, first.width, first.height) == ("image/jpeg", "jpeg", 99, 66)
    assert not first.cached
    assert first.render_ms > 0
    assert one.cached(request(photo_file).key) == replace(first, tier="worker")
    from_broker = await other.render(request(photo_file))
    assert from_broker.cached
    assert from_broker.data == first.data
    stats = await one.stats()
    assert (stats["renders"], stats["hits"]) == (1, 1)
    assert stats["epoch"] == codec_epoch()
    assert stats["worker"]["hits"] == 1


async def test_large_renditions_travel_as_memfds(node: Node) -> None:
    node.start(decoders=1)
    data = images.png((500, 400))
    rendition = await node.client().render(request(data, "f:png"))
    assert len(rendition.data) > INLINE_BYTES
    again = await node.client().render(request(data, "f:png"))
    assert again.cached
    assert again.data == rendition.data
    broker = node.processes[0].pid
    memfds = [name for name in os.listdir(f"/proc/{broker}/fd") if "memfd" in os.readlink(f"/proc/{broker}/fd/{name}")]
    assert len(memfds) == 1


async def test_two_hundred_at_once_are_one_render(node: Node, photo_file: Path) -> None:
    node.start(decoders=2)
    clients = [node.client() for _ in range(4)]
    opened = 0

    async def all_asked() -> bool:
        return bool((await clients[0].stats())["joined"] == 3)

    async def source() -> Opened:
        nonlocal opened
        opened += 1
        await until(all_asked, 10)
        return Opened([Segment(photo_file, 0, photo_file.stat().st_size)])

    plain = request(photo_file, "w:200,f:webp")
    wanted = RenderRequest(plain.key, plain.options, "", source)
    results = await asyncio.gather(*(clients[number % 4].render(wanted) for number in range(200)))
    assert len({result.data for result in results}) == 1
    stats = await clients[0].stats()
    assert stats["renders"] == 1
    assert stats["joined"] == 3
    assert stats["worker"]["joined"] == 49
    assert opened == 1


async def test_segments_of_several_files_are_one_image(node: Node, tmp_path: Path, photo_file: Path) -> None:
    node.start(decoders=1)
    data = photo_file.read_bytes()
    (tmp_path / "a").write_bytes(b"###" + data[:5000] + b"###")
    (tmp_path / "b").write_bytes(data[9000:] + data[5000:9000])
    tail = len(data) - 9000
    parts = [
        Segment(tmp_path / "a", 3, 5000), Segment(tmp_path / "b", tail, 4000), Segment(tmp_path / "b", 0, tail)
    ]  # fmt: skip
    client = node.client()
    whole = await client.render(request(photo_file))
    assert (await client.render(RenderRequest(b"1" * 32, "w:99", "", parts))).data == whole.data
    for number in range(200):
        (tmp_path / f"piece{number}").write_bytes(data[number * 300 : (number + 1) * 300])
    many = [Segment(path, 0, path.stat().st_size) for path in (tmp_path / f"piece{number}" for number in range(200))]
    assert (await client.render(RenderRequest(b"2" * 32, "w:99", "", many))).data == whole.data


async def test_facts_about_the_image_arrive_as_they_are(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    client = node.client()
    with pytest.raises(NotAnImage):
        await client.render(request(b"<html><body>hello</body></html>"))
    with pytest.raises(DecodeFailed):
        await client.render(request(images.jpeg()[:9000]))
    with pytest.raises(TooLarge, match="source_bytes"):
        await client.render(request(photo_file, limits=Limits(source_bytes=100)))
    with pytest.raises(OptionError):
        await client.render(RenderRequest(b"3" * 32, "w:x", "", [Segment(photo_file, 0, 9000)]))
    assert (await client.render(request(photo_file))).width == 99


async def test_a_bomb_never_reaches_a_decoder(node: Node) -> None:
    node.start(decoders=1)
    client = node.client()
    with pytest.raises(TooLarge, match="source_pixels"):
        await client.render(request(images.png_bomb((12_000, 12_000))))
    for name, make in images.CLAIMING.items():
        with pytest.raises(TooLarge):
            await client.render(request(make((16_000, 16_000)), f"w:9,q:{len(name)}"))
    stats = await client.stats()
    assert stats["decoders"]["killed"] == stats["decoders"]["crashed"] == stats["renders"] == 0


async def test_a_broken_image_is_decoded_once_for_a_while(node: Node) -> None:
    node.start(decoders=1, failure_seconds=2.0)
    client = node.client()
    broken = images.jpeg()[:20_000]
    for _ in range(3):
        with pytest.raises(DecodeFailed):
            await client.render(request(broken))
    assert (await client.stats())["failures"] == {"DecodeFailed": 1}
    await asyncio.sleep(2.1)
    with pytest.raises(DecodeFailed):
        await client.render(request(broken))
    assert (await client.stats())["failures"] == {"DecodeFailed": 2}


async def test_a_file_shorter_than_its_segment(node: Node, photo_file: Path, tmp_path: Path) -> None:
    node.start(decoders=1)
    client = node.client()
    size = photo_file.stat().st_size
    with pytest.raises(SourceUnreadable):
        await client.render(RenderRequest(b"4" * 32, "w:9", "", [Segment(photo_file, 10, size)]))
    with pytest.raises(FileNotFoundError):
        await client.render(RenderRequest(b"5" * 32, "w:9", "", [Segment(tmp_path / "none", 0, 9)]))
    good = request(photo_file, "w:9")
    assert (await client.render(RenderRequest(b"4" * 32, "w:9", "", good.source))).width == 9


async def test_who_cannot_open_the_source_hands_the_task_on(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    good = request(photo_file)
    asked = asyncio.Event()

    async def failing() -> Opened:
        asked.set()
        await asyncio.sleep(0.3)
        raise ConnectionError("the store is away")

    one, other = node.client(), node.client()
    lost = asyncio.create_task(one.render(RenderRequest(good.key, good.options, "", failing)))
    await asked.wait()
    rendition = await other.render(good)
    assert rendition.width == 99
    with pytest.raises(ConnectionError):
        await lost


async def test_a_crash_costs_that_request_alone(node: Node, photo_file: Path, slow_source: Path) -> None:
    node.start(decoders=1)
    client = node.client()
    (pid,) = await warmed(client, 1)
    with still(pid):
        doomed = asyncio.create_task(client.render(request(slow_source, SLOW)))
        await busy(client)
        waiting = asyncio.create_task(client.render(request(photo_file)))
        os.kill(pid, signal.SIGSEGV)
    with pytest.raises(RenderCrashed):
        await doomed
    assert (await waiting).width == 99
    stats = await client.stats()
    assert stats["failures"] == {"RenderCrashed": 1}
    assert stats["decoders"]["crashed"] == 1
    assert stats["decoders"]["pids"] != [pid]
    assert stats["queue"]["cost_ms"] == 0
    assert (await client.render(request(slow_source, "w:50"))).width == 50


async def test_a_hang_costs_that_request_alone(node: Node, photo_file: Path, slow_source: Path) -> None:
    node.start(decoders=2, job_seconds=3)
    client = node.client()
    pids = await warmed(client, 2)
    # The first in the list gets the job.
    os.kill(pids[0], signal.SIGSTOP)
    hung = asyncio.create_task(client.render(request(slow_source, SLOW)))
    await busy(client)
    assert (await client.render(request(photo_file))).width == 99
    assert not hung.done()
    with pytest.raises(RenderTimeout):
        await hung
    after = await warmed(client, 2)
    assert after == [pids[1], after[1]] != pids
    assert (await client.stats())["decoders"]["killed"] == 1

    async def collected() -> bool:
        return not os.path.exists(f"/proc/{pids[0]}")

    await until(collected)


@pytest.mark.parametrize(("drawn", "fact"), [(False, RenderTimeout), (True, DrawingTooSlow)])
async def test_what_uses_up_its_processor_time_took_too_long_by_any_clock(
    node: Node, photo_file: Path, drawn: bool, fact: type[Exception]
) -> None:
    node.start(decoders=1)
    client = node.client()
    (pid,) = await warmed(client, 1)
    with still(pid):
        doomed = asyncio.create_task(client.render(request(images.svg() if drawn else photo_file)))
        await busy(client)
        # What the kernel sends; here long before the time is over.
        os.kill(pid, signal.SIGXCPU)
    with pytest.raises(fact):
        await doomed
    decoders = (await client.stats())["decoders"]
    assert (decoders["killed"], decoders["crashed"]) == (1, 0)
    assert (await client.render(request(photo_file, "w:40"))).width == 40


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def test_memory_beyond_the_limit_costs_that_request_alone(node: Node, photo_file: Path) -> None:
    node.start(decoders=1, memory_bytes=96 << 20)
    client = node.client()
    large = images.encoded(Image.new("RGB", (6000, 6000), (9, 99, 9)), "JPEG")
    with pytest.raises(RenderCrashed):
        await client.render(request(large, "rotate:90,f:png"))
    assert (await client.render(request(photo_file, "w:40"))).width == 40


async def test_a_full_queue_says_so_at_once(node: Node, slow_source: Path, photo_file: Path) -> None:
    node.start(decoders=1, queue_jobs=2)
    client = node.client()
    (pid,) = await warmed(client, 1)
    with still(pid):
        running = [asyncio.create_task(client.render(request(slow_source, f"{SLOW},q:{q}"))) for q in (1, 2, 3)]
        different = [
            asyncio.create_task(client.render(request(slow_source, f"{SLOW},rotate:{angle}")))
            for angle in (90, 180, 270)
        ]

        async def full() -> bool:
            return bool((await client.stats())["queue"]["jobs"] >= 2)

        await until(full, 15)
        started = time.monotonic()
        with pytest.raises(RenderBusy) as caught:
            await client.render(request(photo_file))
        # A job may take twenty seconds, and none ends here before that.
        assert time.monotonic() - started < 5
        assert caught.value.retry_after >= 1
        assert (await client.stats())["busy"] >= 1
        for task in (*running, *different):
            task.cancel()


async def test_work_is_admitted_by_its_cost(node: Node, slow_source: Path, photo_file: Path) -> None:
    node.start(decoders=1, queue_ms=1500)
    client = node.client()
    (pid,) = await warmed(client, 1)
    with still(pid):
        tasks = [asyncio.create_task(client.render(request(slow_source, f"{SLOW},rotate:{a}"))) for a in (0, 90)]

        async def queued() -> bool:
            return bool((await client.stats())["queue"]["jobs"] == 1)

        await until(queued, 15)
        with pytest.raises(RenderBusy):
            await client.render(request(slow_source, f"{SLOW},rotate:180"))
        for task in tasks:
            task.cancel()


async def test_leaving_does_not_end_the_render_for_others(node: Node, slow_source: Path) -> None:
    node.start(decoders=1)
    leaving, staying = node.client(), node.client()
    (pid,) = await warmed(staying, 1)

    async def joined() -> bool:
        return bool((await staying.stats())["joined"] == 1)

    with still(pid):
        first = asyncio.create_task(leaving.render(request(slow_source, SLOW)))
        await busy(staying)
        second = asyncio.create_task(staying.render(request(slow_source, SLOW)))
        await until(joined, 15)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        await leaving.close()
    assert (await second).width == 1400
    assert (await staying.stats())["renders"] == 1


async def test_queued_work_of_a_worker_that_left_is_dropped(node: Node, slow_source: Path, photo_file: Path) -> None:
    node.start(decoders=1)
    leaving, staying = node.client(), node.client()
    (pid,) = await warmed(staying, 1)

    async def waits() -> bool:
        return bool((await staying.stats())["queue"]["jobs"] == 1)

    async def gone() -> bool:
        return bool((await staying.stats())["queue"]["jobs"] == 0)

    with still(pid):
        running = asyncio.create_task(staying.render(request(slow_source, SLOW)))
        await busy(staying)
        queued = asyncio.create_task(leaving.render(request(photo_file)))
        await until(waits, 15)
        await leaving.close()
        with pytest.raises(BrokerUnavailable):
            await queued
        # While the job before it stands still: nobody took it.
        await until(gone, 10)
    await running
    assert (await staying.stats())["renders"] == 1


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
        return not any(_alive(pid) for pid in (broker, decoder))

    await until(ended)
    await client.close()


def _alive(pid: int) -> bool:
    # Nobody may be there to collect an orphan, so one that has ended counts as gone.
    try:
        return _state(pid) != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


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
        return not _alive(pid)

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


async def test_two_fresh_brokers_render_two_hundred_keys_to_the_same_bytes(tmp_path: Path) -> None:
    sources = [make() for make in images.ORDINARY.values()]
    sources += [images.png_alpha(), images.jpeg_cmyk(), images.png_16bit(), images.jpeg_oriented(6)]
    options = [
        "", "w:50", "w:50,f:webp", "w:50,f:avif", "w:40,h:40,fit:cover,f:jpeg", "w:40,h:40,fit:contain,bg:f00,f:png",
        "h:33,f:gif", "w:60,blur:1.5,f:webp", "w:60,rotate:90,f:avif", "w:60,flip:hv,f:jpeg",
        "w:30,h:80,fit:fill,f:png", "w:30,h:20,fit:outside,q:40,f:jpeg", "w:30,q:90,f:webp", "w:20,q:30,f:avif",
        "w:25,dpr:2,f:png", "w:60,rotate:180,f:gif", "w:40,h:60,fit:contain,f:webp", "w:70,bg:0f08,f:png",
        "w:35,blur:5,f:jpeg", "w:45,f:png,flip:h",
    ]  # fmt: skip
    runs = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        node = Node(tmp_path / str(number))
        node.start(decoders=2)
        client = node.client(hot_bytes=0)
        runs.append(await asyncio.gather(*(client.render(request(data, text)) for data in sources for text in options)))
        await node.stop()
    assert len(runs[0]) == 200
    assert [one.data for one in runs[0]] == [other.data for other in runs[1]]
    assert not any(rendition.cached for run in runs for rendition in run)


# Looking beyond the node


class Shelf:
    """A memory beyond the node: what `look` gives, or raises, after a gate opens; and what it was told in the end."""

    def __init__(self, found: Rendition | Exception | None = None) -> None:
        self.found = found
        self.gate = asyncio.Event()
        self.gate.set()
        self.looks = 0
        self.outcomes: list[Rendition | None] = []

    async def look(self) -> Rendition | None:
        self.looks += 1
        await self.gate.wait()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def settled(self, rendition: Rendition | None) -> None:
        self.outcomes.append(rendition)


def beyond(photo_file: Path, shelf: Shelf, options: str = "w:99", *, source: Path | None = None) -> RenderRequest:
    plain = request(photo_file, options)
    segments = plain.source if source is None else [Segment(source, 0, 10)]
    return RenderRequest(plain.key, plain.options, "", segments, beyond=shelf)


FOUND = Rendition(b"found elsewhere", "image/webp", "webp", 30, 20, "store", 7.5)


async def test_what_is_found_beyond_is_looked_for_once_and_opens_no_source(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    clients, shelf = [node.client() for _ in range(3)], Shelf(FOUND)
    nowhere = photo_file.with_name("is not there")
    answers = await asyncio.gather(
        *(clients[n % 3].render(beyond(photo_file, shelf, source=nowhere)) for n in range(60))
    )
    # Who connects late finds it in the broker.
    assert {answer.tier for answer in answers} <= {"store", "broker"}
    assert {answer.data for answer in answers} == {FOUND.data}
    assert shelf.looks == 1
    assert shelf.outcomes == [FOUND]
    assert (await clients[0].render(beyond(photo_file, shelf))).tier == "worker"
    clients[0].forget()
    assert (await clients[0].render(beyond(photo_file, shelf))).tier == "broker"
    stats = await clients[0].stats()
    assert (stats["found"], stats["renders"], shelf.looks) == (1, 0, 1)


async def test_what_is_not_found_is_rendered_and_told(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    shelf = Shelf(None)
    made = await node.client().render(beyond(photo_file, shelf))
    assert made.tier is None
    assert shelf.outcomes == [made]
    failing = Shelf(None)
    with pytest.raises(NotAnImage):
        await node.client().render(
            RenderRequest(b"4" * 32, "w:99", "", [memory_segment([b"no image at all"])], beyond=failing)
        )
    assert failing.outcomes == [None]


async def test_a_look_that_fails_is_its_own_request_s_trouble(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    bad, good = Shelf(ConnectionResetError("no")), Shelf(FOUND)
    bad.gate.clear()
    first = asyncio.create_task(node.client().render(beyond(photo_file, bad)))
    while not bad.looks:
        await asyncio.sleep(0.01)
    second = asyncio.create_task(node.client().render(beyond(photo_file, good)))
    await asyncio.sleep(0.1)
    assert good.looks == 0
    bad.gate.set()
    with pytest.raises(ConnectionResetError):
        await first
    assert await second == FOUND
    assert (bad.outcomes, good.outcomes) == ([None], [FOUND])


async def test_a_worker_that_dies_while_it_looks_is_followed_by_another(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    stuck, good = Shelf(None), Shelf(FOUND)
    stuck.gate.clear()
    dying = node.client()
    first = asyncio.create_task(dying.render(beyond(photo_file, stuck)))
    while not stuck.looks:
        await asyncio.sleep(0.01)
    second = asyncio.create_task(node.client().render(beyond(photo_file, good)))
    await asyncio.sleep(0.1)
    assert dying._endpoint is not None
    dying._closed = True
    dying._endpoint.close()
    assert await second == FOUND
    stuck.gate.set()
    with pytest.raises(BrokerUnavailable):
        await first


async def test_a_look_that_takes_too_long_is_given_up(node: Node, photo_file: Path) -> None:
    node.start(decoders=1, source_seconds=1.5)
    stuck, good = Shelf(None), Shelf(None)
    stuck.gate.clear()
    first = asyncio.create_task(node.client().render(beyond(photo_file, stuck)))
    while not stuck.looks:
        await asyncio.sleep(0.01)
    second = await node.client().render(beyond(photo_file, good))
    assert (second.tier, second.width) == (None, 99)
    stuck.gate.set()
    with pytest.raises(SourceUnreadable):
        await first
    assert stuck.outcomes == [None]


async def test_garbage_instead_of_a_rendition_costs_that_worker_alone(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    broken = Shelf(Rendition(b"x", "image/x", "no such format", 0, 0, "redis", 1.0))
    outcomes = await asyncio.gather(
        node.client().render(beyond(photo_file, broken)),
        node.client().render(request(photo_file)),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], BrokerUnavailable | Rendition)
    assert isinstance(outcomes[1], Rendition)
    assert outcomes[1].width == 99


async def test_a_picture_that_costs_decoders_is_not_tried_again(node: Node, slow_source: Path) -> None:
    node.start(decoders=1)
    client, other = node.client(), node.client()
    for quality in range(1, 4):
        (pid,) = await warmed(client, 1)
        with still(pid):
            doomed = asyncio.create_task(
                client.render(replace(request(slow_source, f"w:99,q:{quality}"), content="photo"))
            )
            await busy(client)
            os.kill(pid, signal.SIGSEGV)
        with pytest.raises(RenderCrashed):
            await doomed
    (pid,) = await warmed(client, 1)
    for again in ("w:99,q:1", "w:50,f:webp"):
        with pytest.raises(RenderCrashed):
            # Another worker, the same node.
            await other.render(replace(request(slow_source, again), content="photo"))
    assert (await client.stats())["decoders"]["crashed"] == 3
    assert (await other.render(replace(request(slow_source, "w:50,f:webp"), content="another"))).width == 50


async def test_a_thousand_at_once_are_one_render(node: Node, photo_file: Path) -> None:
    node.start(decoders=2)
    clients = [node.client() for _ in range(4)]
    await warmed(clients[0], 2)
    results = await asyncio.gather(
        *(clients[number % 4].render(request(photo_file, "w:123")) for number in range(1000))
    )
    assert len({result.data for result in results}) == 1
    assert sum(result.first for result in results) == 1
    assert (await clients[0].stats())["renders"] == 1


@pytest.fixture(scope="module")
def large_photo() -> bytes:
    return images.jpeg((2040, 1356))


def mezzanine_of(source: bytes, rung: int) -> RenderRequest:
    box = f"h:{rung},w:{rung}"
    return RenderRequest(
        derivative_key(source[:64], f"mezzanine:{rung}", ""), box, "", [memory_segment([source])], kind="mezzanine"
    )


async def test_a_mezzanine_is_a_smaller_source_of_the_same_picture(node: Node, large_photo: bytes) -> None:
    node.start(decoders=1)
    client = node.client()
    wanted = mezzanine_of(large_photo, 640)
    smaller = await client.render(wanted)
    assert (smaller.format, smaller.width, smaller.height) == ("jpeg", 640, 425)
    cut = "crop:0.25:0.25:0.5:0.5,w:150"
    for options in ("w:300", "w:200,h:200,fit:cover,f:png", "w:120,rotate:90", cut):
        canonical = parse_compact(options).canonical()
        exact = await client.render(request(large_photo, f"{options},exact:1"))
        opened: list[int] = []

        async def source(opened: list[int] = opened) -> Opened:
            opened.append(1)
            return Opened([memory_segment([smaller.data])], original=Original(2040, 1356, "jpeg"))

        key = derivative_key(large_photo[:64], canonical, "")
        reduced = Reduced(wanted.key, Original(2040, 1356, "jpeg"))
        # The broker has it: nobody is asked for it.
        one = await client.render(RenderRequest(key, canonical, "", source, reduced=reduced))
        assert opened == []
        assert one.first
        assert (one.width, one.height) == (exact.width, exact.height)
        # And what a worker sends instead gives the very same bytes.
        other = await client.render(RenderRequest(bytes(reversed(key)), canonical, "", source))
        assert opened == [1]
        assert other.data == one.data
        ours, theirs = (numpy.asarray(Image.open(io.BytesIO(found.data)).convert("L")) for found in (one, exact))
        assert structural_similarity(ours, theirs, data_range=255) >= 0.985
    stats = await client.stats()
    assert (stats["mezzanines"], stats["renders"]) == (1, 12)


async def test_a_mezzanine_keeps_what_decides_the_format(node: Node) -> None:
    node.start(decoders=1)
    client = node.client()
    transparent = images.png_alpha((800, 600))
    smaller = await client.render(mezzanine_of(transparent, 640))
    assert smaller.format == "webp"

    async def source() -> Opened:
        return Opened([memory_segment([smaller.data])], original=Original(800, 600, "png"))

    rendition = await client.render(RenderRequest(b"6" * 32, "w:300", "", source))
    assert (rendition.format, rendition.width, rendition.height) == ("png", 300, 225)
    assert Image.open(io.BytesIO(rendition.data)).mode == "RGBA"


async def test_a_mezzanine_keeps_the_orientation(node: Node) -> None:
    node.start(decoders=1)
    client = node.client()
    turned = images.encoded(images.corners((800, 600)), "JPEG", quality=95, exif=_exif(orientation=6))
    smaller = await client.render(mezzanine_of(turned, 640))
    assert (smaller.width, smaller.height) == (640, 480)

    async def source() -> Opened:
        return Opened([memory_segment([smaller.data])], original=Original(800, 600, "jpeg"))

    rendition = await client.render(RenderRequest(b"7" * 32, "f:png,w:60", "", source))
    picture = Image.open(io.BytesIO(rendition.data)).convert("RGB")
    assert picture.size == (60, 80)
    # Turned clockwise by a quarter: blue and red above, white and green below.
    seen = [tuple(value > 128 for value in picture.getpixel(place)) for place in ((5, 5), (54, 5), (5, 74), (54, 74))]
    assert seen == [(False, False, True), (True, False, False), (True, True, True), (False, True, False)]


def _exif(*, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


async def test_facts_about_a_picture(node: Node) -> None:
    node.start(decoders=1)
    turned = images.encoded(images.photo(), "JPEG", exif=_exif(orientation=6))
    wanted = RenderRequest(b"8" * 32, "f:png,h:96,still:1,w:96", "", [memory_segment([turned])], kind="info")
    found = await node.client().render(wanted)
    assert (found.media_type, found.width, found.height) == ("application/json", 426, 640)
    facts = json.loads(found.data)
    assert (facts["format"], facts["width"], facts["height"], facts["orientation"]) == ("jpeg", 426, 640, 6)
    assert (facts["bytes"], facts["pages"], facts["animated"], facts["alpha"]) == (len(turned), 1, False, False)
    assert facts["exif"] == {"Orientation": 6}
    assert facts["dominant_color"] == facts["palette"][0]["color"]
    assert len(facts["phash"]) == 16
    tiny = Image.open(io.BytesIO(base64.b64decode(facts["lqip"].removeprefix("data:image/webp;base64,"))))
    assert tiny.size == (16, 24)
