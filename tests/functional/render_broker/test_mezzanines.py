"""Mezzanines: smaller sources of the same picture."""

from __future__ import annotations

import io

import numpy
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from gateway.render.request import RenderRequest
from gateway.render.source import Opened, Reduced, memory_segment
from gateway.render.task import Original
from tests import images
from tests.functional.render_broker.node import Node, request
from transforms.epoch import derivative_key
from transforms.options import parse_compact


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
