"""What fails, fails alone: bombs, broken files, crashes, hangs, memory."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from gateway.render.errors import RenderCrashed, RenderTimeout, SourceUnreadable
from gateway.render.request import RenderRequest
from gateway.render.source import Opened, Segment
from tests import images
from tests.functional.render_broker.node import SLOW, Node, busy, request, still, until, warmed
from transforms.errors import DecodeFailed, DrawingTooSlow, TooLarge


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
    node.start(decoders=2, job_seconds=8)
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


async def test_memory_beyond_the_limit_costs_that_request_alone(node: Node, photo_file: Path) -> None:
    node.start(decoders=1, memory_bytes=96 << 20)
    client = node.client()
    large = images.encoded(Image.new("RGB", (6000, 6000), (9, 99, 9)), "JPEG")
    with pytest.raises(RenderCrashed):
        await client.render(request(large, "rotate:90,f:png"))
    assert (await client.render(request(photo_file, "w:40"))).width == 40


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
