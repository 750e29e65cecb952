"""Facts and placeholders over a real server, pictures from mezzanines, and S3 beside a storm of renders."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from urllib.parse import urlsplit

import numpy
import psutil
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from conformance.load import LoadError, run
from conformance.target import Keys
from signing.sigv4.sign import Credentials, presign
from tests import images
from tests.functional.conftest import StartServer
from tests.functional.imaging import Gallery, fetch
from tests.services import Server, pixgate


@pytest.fixture(scope="module")
def gallery(http_server: Server) -> Gallery:
    return Gallery(http_server, "img-info")


def _with_place() -> bytes:
    exif = Image.Exif()
    exif[0x0110] = "Camera 7"
    exif[0x0112] = 6
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (47.0, 30.0, 0.0), "E", (8.0, 15.0, 0.0)
    return images.encoded(images.photo(), "JPEG", exif=exif.tobytes())


def _presigned(server: Server, keys: Keys, path: str, now: float = 0.0) -> str:
    url = presign(
        Credentials(keys.access_key, keys.secret_key),
        method="GET",
        url=f"{server.url}{path}",
        now=now or time.time(),
        region="us-east-1",
        expires=3600,
    )
    return url.removeprefix(server.url)


def test_facts_by_id_and_by_key(gallery: Gallery) -> None:
    image_id = gallery.put("folder/info", _with_place())
    answer = gallery.get(f"/img/{image_id}/info")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    facts = json.loads(answer.body)
    assert (facts["width"], facts["height"], facts["orientation"], facts["format"]) == (426, 640, 6, "jpeg")
    assert json.loads(gallery.get("/img/-/info/img-info/folder/info").body) == facts
    etag = answer.headers["etag"]
    assert gallery.get(f"/img/{image_id}/info", headers={"If-None-Match": etag}).status == 304
    assert gallery.get(f"/img/{image_id}/info", "as=json").code == "InvalidOption"
    # A link may be passed on, and places are nobody's business.
    assert "exif" not in facts
    assert "lqip" not in facts


def test_exif_for_its_owner_and_where_the_bucket_says_so(gallery: Gallery) -> None:
    image_id = gallery.put("place.jpg", _with_place())
    mine = fetch(gallery.server, _presigned(gallery.server, gallery.keys, f"/img/{image_id}/info"))
    assert mine.status == 200
    assert mine.headers["cache-control"].startswith("private")
    exif = json.loads(mine.body)["exif"]
    assert exif["Model"] == "Camera 7"
    assert (exif["GPS"]["latitude"], exif["GPS"]["longitude"]) == (47.5, 8.25)
    shown = gallery.get(f"/img/{image_id}/info")
    assert shown.headers["etag"] != mine.headers["etag"]
    pixgate("buckets", "set", gallery.name, "--exif", data=gallery.server.data)
    try:
        assert json.loads(gallery.get(f"/img/{image_id}/info").body)["exif"] == exif
    finally:
        pixgate("buckets", "set", gallery.name, "--no-exif", data=gallery.server.data)
    assert "exif" not in json.loads(gallery.get(f"/img/{image_id}/info").body)


def test_placeholders(gallery: Gallery) -> None:
    image_id = gallery.put("photo.jpg", images.jpeg((640, 426)))
    answer = gallery.get(f"/img/{image_id}/placeholder")
    found = json.loads(answer.body)
    assert (found["width"], found["height"]) == (640, 426)
    tiny = Image.open(io.BytesIO(base64.b64decode(found["lqip"].removeprefix("data:image/webp;base64,"))))
    assert tiny.size == (24, 16)
    assert found["blur"].startswith("data:image/svg+xml,")
    assert "feGaussianBlur" in found["blur"]
    for form, name in (("lqip", "lqip"), ("blur", "blur"), ("blurhash", "blurhash"), ("color", "dominant_color")):
        text = gallery.get(f"/img/{image_id}/placeholder", f"as={form}")
        assert text.headers["content-type"] == "text/plain; charset=utf-8"
        assert text.body.decode() == found[name]
        assert text.headers["etag"] != answer.headers["etag"]
    assert gallery.get(f"/img/{image_id}/placeholder", "as=other").code == "InvalidOption"
    assert gallery.get("/img/-/placeholder/img-info/none").status == 404


def test_from_a_mezzanine_and_from_the_original(gallery: Gallery) -> None:
    gallery.put("large.jpg", images.jpeg((2040, 1356)))
    before = _renders(gallery.server)
    pictures = {}
    for query in ("w=300&q=95", "w=300&q=95&exact=1", "w=310&q=95"):
        answer = gallery.get("/img/img-info/large.jpg", query)
        assert answer.status == 200
        pictures[query] = numpy.asarray(answer.picture.convert("L"))
    # The mezzanine was made once; each rendition once, too.
    after = _renders(gallery.server)
    assert {name: after[name] - before[name] for name in before} == {"renders": 3, "mezzanines": 1}
    one, other, _ = pictures.values()
    assert one.shape == other.shape
    assert structural_similarity(one, other, data_range=255) >= 0.985


def _renders(server: Server) -> dict[str, int]:
    import asyncio

    from gateway.render.client import RenderClient

    async def ask() -> dict[str, int]:
        client = RenderClient(server.data / "run" / "render.sock")
        try:
            stats = await client.stats()
            return {name: int(stats[name]) for name in ("renders", "mezzanines")}
        finally:
            await client.close()

    return asyncio.run(ask())


def test_a_stored_focal_point(gallery: Gallery) -> None:
    picture = images.encoded(images.corners((300, 300)), "PNG")
    gallery.client.put_object(Bucket=gallery.name, Key="focused.png", Body=picture, Metadata={"focal-point": "1,1"})
    square = "w=20&h=60&fit=cover&f=png"
    seen = gallery.get("/img/img-info/focused.png", square).picture.convert("RGB")
    # White is at the bottom right, blue at the bottom left.
    assert seen.getpixel((10, 55)) == (255, 255, 255)
    left = gallery.get("/img/img-info/focused.png", f"{square}&g=w").picture.convert("RGB")
    assert left.getpixel((5, 55)) == (0, 0, 255)


def _address(server: Server) -> tuple[str, int]:
    parts = urlsplit(server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


@pytest.fixture
def storm(start_server: StartServer) -> tuple[Server, Gallery]:
    server = start_server(workers=1, environment={"PIXGATE_IMAGE_DECODERS": "2"})
    gallery = Gallery(server, "storm")
    gallery.put("large.jpg", images.jpeg((2040, 1356)))
    gallery.put("small", b"x" * 4096)
    return server, gallery


def test_s3_is_answered_beside_a_storm_of_renders(storm: tuple[Server, Gallery]) -> None:
    server, gallery = storm
    address = _address(server)
    target = _presigned(server, gallery.keys, "/storm/small")
    gets = [f"GET {target} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n\r\n".encode()] * 400
    run(address, gets, connections=2)
    idle = run(address, gets, connections=2).percentile(99)
    stop = threading.Event()
    rendered = threading.Event()
    failed: list[LoadError] = []

    def render(start: int) -> None:
        widths = iter(range(start, start + 400))
        try:
            while not stop.is_set():
                link = gallery.link("/img/storm/large.jpg", f"w={next(widths)}&f=webp&exact=1")
                run(address, [f"GET {link} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n\r\n".encode()])
                rendered.set()
        except LoadError as error:
            failed.append(error)

    threads = [threading.Thread(target=render, args=(400 + 400 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        assert rendered.wait(60)
        beside = run(address, gets, connections=2).percentile(99)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
    # Thrice is aimed at, and measured by the benchmark; a machine that does other things shows less, and may have begun
    # to do them after the first look.
    if beside >= max(0.25, 15 * idle):
        idle = run(address, gets, connections=2).percentile(99)
    assert beside < max(0.25, 15 * idle)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_memory_stays_flat_over_twenty_thousand_renders(start_server: StartServer) -> None:
    # Small renditions are kept in the processes' own memory: room for few of them is soon full, and what grows then leaks.
    room = {"PIXGATE_IMAGE_MEMORY_CACHE_BYTES": "1MB", "PIXGATE_IMAGE_WORKER_CACHE_BYTES": "1MB"}
    server = start_server(workers=1, environment={"PIXGATE_IMAGE_DECODERS": "2", **room})
    gallery = Gallery(server, "storm")
    address = _address(server)
    gallery.put("photo.jpg", images.jpeg((640, 426)))

    def batch(number: int) -> None:
        links = [
            gallery.link("/img/storm/photo.jpg", f"w={60 + width}&h={40 + number}&fit=fill&f={name}")
            for width in range(250)
            for name in ("jpeg", "webp")
        ]
        requests = [f"GET {link} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n\r\n".encode() for link in links]
        run(address, requests, connections=4)

    def memory() -> dict[str, int]:
        """Resident bytes of server, worker and broker, by kind."""
        found: dict[str, int] = {}
        for process in [psutil.Process(server.pid), *psutil.Process(server.pid).children()]:
            line = " ".join(process.cmdline())
            kind = "broker" if "render.broker" in line else "server"
            found[kind] = max(found.get(kind, 0), process.memory_info().rss)
        return found

    # By then what is remembered of links and options is full, too.
    for number in range(10):
        batch(number)
    before = memory()
    for number in range(10, 50):
        batch(number)
    after = memory()
    # A leak of 1 kB a render is more than this.
    for kind, size in before.items():
        assert after[kind] < size + 16e6, (before, after)
