"""Text and watermarks in real decoders: fonts are read in the sandbox, from their folder and from nowhere else."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy
import pytest
from PIL import Image

from gateway.render.client import RenderClient
from gateway.render.launch import start_broker
from gateway.render.request import RenderRequest
from gateway.render.settings import BrokerSettings
from gateway.render.source import Opened, memory_segment
from tests import images
from transforms.codecs import fonts
from transforms.errors import OptionError
from transforms.fonts import DEFAULT_FOLDER, files
from transforms.limits import Limits
from transforms.options import parse_compact
from transforms.pipeline import render

pytestmark = pytest.mark.skipif(next(files(DEFAULT_FOLDER), None) is None, reason="no fonts on this machine")

Start = Callable[[str], RenderClient]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a broker of one decoder on a folder of fonts, and gives a client of it."""
    clients: list[RenderClient] = []
    processes: list[subprocess.Popen[bytes]] = []

    def begin(folder: str) -> RenderClient:
        path = str(tmp_path / f"{len(clients)}.sock")
        processes.append(start_broker(BrokerSettings(path, decoders=1, fonts=folder)))
        clients.append(RenderClient(path, connect_seconds=30))
        return clients[-1]

    yield begin
    for client in clients:
        await client.close()
    for process in processes:
        process.terminate()
        process.wait(30)


def fonts_in(folder: Path, *names: str) -> str:
    """A folder with some fonts of the machine."""
    folder.mkdir()
    for path in files(DEFAULT_FOLDER):
        if path.name in names:
            shutil.copy(path, folder / path.name)
    return str(folder)


def white() -> bytes:
    return images.encoded(Image.new("RGB", (300, 80), (255, 255, 255)), "PNG")


async def drawn(client: RenderClient, options: str, overlay: bytes | None = None) -> numpy.typing.NDArray[numpy.uint8]:
    canonical = parse_compact(f"{options},f:png").canonical()
    overlays = [] if overlay is None else [[memory_segment([overlay])]]

    async def bring() -> Opened:
        return Opened([memory_segment([white()])], overlays)

    rendition = await client.render(RenderRequest(os.urandom(32), canonical, "", bring, Limits()))
    return numpy.asarray(Image.open(io.BytesIO(rendition.data)))


async def test_text_is_drawn_in_the_sandbox_with_fonts_that_open_late(start: Start) -> None:
    client = start("")
    missing = (await client.stats())["sandbox_missing"]
    if "landlock" in missing:
        pytest.skip("this kernel has no Landlock, so decoders open no files")
    assert fonts.prepare()
    # Where a font cannot be opened, Pango draws empty boxes: so it is compared with what is drawn outside.
    for family in ("sans", "serif bold", "monospace", "sans italic", "serif", "DejaVu Sans Condensed", "sans bold"):
        options = f"text:Hello,text-font:{family},text-size:28"
        seen = await drawn(client, options)
        outside = render(white(), parse_compact(f"{options},f:png"))
        assert numpy.array_equal(seen, numpy.asarray(Image.open(io.BytesIO(outside.data))))
        assert (seen < 128).sum() > 300


async def test_only_the_fonts_of_the_folder_are_there(start: Start, tmp_path: Path) -> None:
    folder = fonts_in(tmp_path / "fonts", "DejaVuSerif.ttf")
    client = start(folder)
    if "landlock" in (await client.stats())["sandbox_missing"]:
        pytest.skip("this kernel has no Landlock, so decoders open no files")
    serif, sans = [await drawn(client, f"text:Quartz,text-font:{name},text-size:30") for name in ("serif", "sans")]
    assert numpy.array_equal(serif, sans)
    everything = start("")
    assert numpy.array_equal(await drawn(everything, "text:Quartz,text-font:serif,text-size:30"), serif)
    assert not numpy.array_equal(await drawn(everything, "text:Quartz,text-font:sans,text-size:30"), sans)


async def test_without_fonts_text_is_a_fact_and_all_else_goes_on(start: Start, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    client = start(str(tmp_path / "none"))
    with pytest.raises(OptionError) as caught:
        await drawn(client, "text:Hello")
    assert caught.value.option == "text"
    assert (await drawn(client, "w:100")).shape == (27, 100, 3)


async def test_a_watermark_travels_with_its_picture(start: Start) -> None:
    overlay = images.encoded(Image.new("RGBA", (40, 20), (255, 0, 0, 128)), "PNG")
    seen = await drawn(start(""), "wm:-,wm-g:se:10:10", overlay)
    assert seen[60, 270].tolist() == [255, 127, 127]
    assert seen[40, 200].tolist() == [255, 255, 255]
