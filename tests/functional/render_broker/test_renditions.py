"""Renditions and their ways back: shared by all who ask, and the same from every broker."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from gateway.render.request import RenderRequest
from gateway.render.source import Opened, Segment, memory_segment
from gateway.render.wire import INLINE_BYTES
from tests import images
from tests.functional.render_broker.node import Node, request, until, warmed
from tests.functional.render_broker.test_mezzanines import _exif
from transforms.epoch import codec_epoch
from transforms.errors import DecodeFailed, NotAnImage, OptionError, TooLarge
from transforms.limits import Limits


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
    node.start(decoders=2, source_seconds=120)
    clients = [node.client() for _ in range(4)]
    opened = 0

    async def all_asked() -> bool:
        return bool((await clients[0].stats())["joined"] == 3)

    async def source() -> Opened:
        nonlocal opened
        opened += 1
        await until(all_asked)
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
