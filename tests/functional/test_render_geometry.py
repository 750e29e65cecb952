"""Geometry in a real decoder: what loads libraries or needs memory works where no file can be opened any more."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from gateway.render.client import RenderClient
from gateway.render.launch import start_broker
from gateway.render.request import RenderRequest
from gateway.render.settings import BrokerSettings
from gateway.render.source import memory_segment
from tests import images
from transforms.epoch import derivative_key
from transforms.errors import OptionError, TooLarge
from transforms.options import parse_compact
from transforms.pipeline import render


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RenderClient]:
    path = str(tmp_path / "render.sock")
    broker = start_broker(BrokerSettings(path, decoders=1))
    client = RenderClient(path, connect_seconds=30)
    yield client
    await client.close()
    broker.terminate()
    broker.wait(30)


def request(data: bytes, options: str) -> RenderRequest:
    canonical = parse_compact(options).canonical()
    return RenderRequest(derivative_key(data, canonical, ""), canonical, "", [memory_segment([data])])


def person() -> bytes:
    """A face at the left of a wide picture."""
    from skimage import data

    image = Image.new("RGB", (1400, 420), (150, 150, 150))
    image.paste(Image.fromarray(data.astronaut()).crop((110, 10, 330, 240)), (40, 100))  # type: ignore[no-untyped-call]
    return images.encoded(image, "JPEG", quality=90)


async def test_a_decoder_renders_what_the_pipeline_does(client: RenderClient) -> None:
    pytest.importorskip("cv2")
    source = person()
    for options in (
        "w:300,h:300,fit:cover,g:face",
        "w:300,h:300,fit:cover,g:smart",
        "w:200,rotate:33,bg:blur,radius:max,f:webp",
        "trim:20,w:200,pad:10,f:png",
        "crop:0.0:0.1:0.3:0.9,ar:1:1,mask:ellipse,f:png",
    ):
        rendition = await client.render(request(source, options))
        expected = render(source, parse_compact(options))
        assert rendition.data == expected.data, options
        assert (rendition.width, rendition.height) == (expected.width, expected.height)
    face = Image.open(io.BytesIO((await client.render(request(source, "w:300,h:300,fit:cover,g:face"))).data))
    # The flat ground is grey in the middle; the person is not.
    assert face.convert("RGB").getpixel((150, 150)) != (150, 150, 150)
    assert (await client.stats())["decoders"]["alive"] == 1


async def test_what_cannot_be_is_told(client: RenderClient) -> None:
    source = images.jpeg((640, 426))
    with pytest.raises(OptionError, match="640 x 426") as wrong:
        await client.render(request(source, "crop:640:0:10:10"))
    assert wrong.value.option == "crop"
    with pytest.raises(TooLarge, match="output_pixels"):
        await client.render(request(source, "w:100,pad:4096"))
