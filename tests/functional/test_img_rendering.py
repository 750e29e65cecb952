"""Rendering over a real server: never stale, one render for many, and trouble that stays with its own request."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest
from PIL import Image

from tests import images
from tests.functional.imaging import Answer, Gallery, fetch
from tests.functional.render_broker.node import still
from tests.services import Server, running


def colour(name: str) -> bytes:
    return images.encoded(Image.new("RGB", (64, 64), name), "PNG")


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def decoders(server: Server) -> list[int]:
    """Process ids of the decoders: the children of the broker."""
    for child in psutil.Process(server.pid).children():
        if any("gateway.render.broker" in argument for argument in child.cmdline()):
            return [process.pid for process in child.children()]
    return []


def busy(server: Server) -> bool:
    detail = str(json.loads(server.fetch("/health")[1])["renders"]["detail"])
    return detail.startswith(tuple("123456789"))


def test_an_overwritten_key_is_never_stale(http_server: Server) -> None:
    gallery = Gallery(http_server, "img-stale")
    link = gallery.link("/img/img-stale/x", "w=8&f=png")
    etags = []
    for round_, name in enumerate(["red", "blue", "lime", "red", "blue", "white"] * 2):
        gallery.put("x", colour(name))
        expected = Image.new("RGB", (1, 1), name).getpixel((0, 0))
        # New connections meet one worker after the other.
        answers = [fetch(http_server, link) for _ in range(6)]
        assert {answer.picture.convert("RGB").getpixel((4, 4)) for answer in answers} == {expected}, round_
        if etags:
            assert fetch(http_server, link, {"If-None-Match": etags[-1]}).status == 200
        etags.append(answers[0].headers["etag"])
    gallery.client.delete_object(Bucket=gallery.name, Key="x")
    assert {fetch(http_server, link).status for _ in range(6)} == {404}


def test_an_image_id_stays_with_its_version(http_server: Server) -> None:
    gallery = Gallery(http_server, "img-ids")
    gallery.client.put_bucket_versioning(Bucket=gallery.name, VersioningConfiguration={"Status": "Enabled"})
    red = gallery.put("x", colour("red"))
    blue = gallery.put("x", colour("blue"))
    assert red != blue
    assert gallery.get(f"/img/{red}", "f=png").picture.convert("RGB").getpixel((4, 4)) == (255, 0, 0)
    assert gallery.get("/img/img-ids/x", "f=png").picture.convert("RGB").getpixel((4, 4)) == (0, 0, 255)


def test_two_hundred_at_once_are_one_render(http_server: Server) -> None:
    gallery = Gallery(http_server, "img-flight")
    gallery.put("x", images.jpeg((1600, 1000)))
    url = http_server.url + gallery.link("/img/img-flight/x", "w=400&f=avif")

    def rendered() -> float:
        return http_server.metric("pixgate_renders_total", result="ok")

    async def all_at_once() -> list[tuple[int, bytes, str]]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def one() -> tuple[int, bytes, str]:
                async with session.get(url) as response:
                    return response.status, await response.read(), response.headers["X-Cache"]

            return await asyncio.gather(*(one() for _ in range(200)))

    before = rendered()
    answers = asyncio.run(all_at_once())
    assert {status for status, _, _ in answers} == {200}
    assert len({body for _, body, _ in answers}) == 1
    assert rendered() - before == 1
    hits = http_server.metric("pixgate_render_cache_hits_total")
    assert fetch(http_server, url.removeprefix(http_server.url)).headers["x-cache"] == "HIT"
    assert http_server.metric("pixgate_render_cache_hits_total") == hits + 1


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    """A server with one decoder, five seconds a render and a short queue, and a large photo on it."""
    environment = {"PIXGATE_IMAGE_DECODERS": "1", "PIXGATE_IMAGE_TIMEOUT": "5", "PIXGATE_IMAGE_QUEUE": "2"}
    folder = tmp_path_factory.mktemp("slow")
    with running(Server(folder / "data", workers=1, environment=environment)) as server:
        gallery = Gallery(server, "img-slow")
        gallery.put("large.jpg", images.jpeg((4000, 3000)))
        gallery.put("small.jpg", images.jpeg((300, 200)))
        yield gallery


def the_decoder(gallery: Gallery) -> int:
    """The process id of the only decoder, idle."""
    assert gallery.get("/img/img-slow/small.jpg", f"w={time.monotonic_ns() % 300 + 1}").status == 200
    until(lambda: len(decoders(gallery.server)) == 1 and not busy(gallery.server))
    return decoders(gallery.server)[0]


def test_a_crash_costs_that_request_alone(slow: Gallery) -> None:
    server, pid = slow.server, the_decoder(slow)
    link = slow.link("/img/img-slow/large.jpg", "w=700&flip=h&exact=1")
    with ThreadPoolExecutor(4) as pool:
        with still(pid):
            doomed = pool.submit(fetch, server, link)
            until(lambda: busy(server))
            waiting = pool.submit(slow.get, "/img/img-slow/small.jpg", "w=50")
            os.kill(pid, signal.SIGSEGV)
        answer: Answer = doomed.result()
        assert (answer.status, answer.code) == (500, "RenderFailed")
        assert answer.headers["cache-control"] == "no-store"
        assert waiting.result().picture.size == (50, 33)
    assert server.metric("pixgate_renders_total", result="crashed") == 1
    # It is not tried again for a while.
    rendered = server.metric("pixgate_renders_total")
    for _ in range(5):
        answer = fetch(server, link)
        assert (answer.status, answer.code) == (500, "RenderFailed")
    assert server.metric("pixgate_renders_total") == rendered
    assert slow.get("/img/img-slow/large.jpg", "w=64").picture.size == (64, 48)
    slow.client.put_object(Bucket=slow.name, Key="after", Body=b"S3 goes on")


def test_a_hang_costs_that_request_alone(slow: Gallery) -> None:
    server, pid = slow.server, the_decoder(slow)
    assert {slow.get("/img/img-slow/small.jpg", "w=5").status for _ in range(6)} == {200}
    with ThreadPoolExecutor(4) as pool, still(pid):
        hung = pool.submit(slow.get, "/img/img-slow/large.jpg", "w=700&flip=v&exact=1")
        until(lambda: busy(server))
        assert slow.client.get_object(Bucket=slow.name, Key="small.jpg")["Body"].read()
        assert slow.get("/img/img-slow/small.jpg", "w=5").headers["x-cache"] == "HIT"
        # It hangs for five seconds.
        assert not hung.done(), "the others waited for it"
        answer: Answer = hung.result()
    assert (answer.status, answer.code) == (504, "RenderTimeout")
    assert slow.get("/img/img-slow/small.jpg", "w=51").status == 200
    assert server.metric("pixgate_renders_total", result="timeout") == 1


def test_overload_is_said_at_once_and_does_not_hurt_s3(slow: Gallery) -> None:
    server, pid = slow.server, the_decoder(slow)
    with ThreadPoolExecutor(27) as pool, still(pid):
        # One is in the decoder until its time is over, two wait, and there is no place for the others.
        answers = [pool.submit(slow.get, "/img/img-slow/small.jpg", f"f=gif&w={w}&rotate={a}&flip={f}")
                   for w in (90, 91, 92) for a in (0, 90, 180) for f in ("h", "v", "hv")]  # fmt: skip
        until(lambda: server.metric("pixgate_renders_total", result="busy") > 0)
        slow.client.put_object(Bucket=slow.name, Key="x", Body=b"x")
        assert not all(answer.done() for answer in answers), "S3 waits for pictures"
        done = [answer.result() for answer in answers]
    refused = [answer for answer in done if answer.status == 503]
    assert refused
    assert {200} < {answer.status for answer in done} <= {200, 503, 504}
    assert all(answer.code == "SlowDown" and int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert all(answer.headers["cache-control"] == "no-store" for answer in refused)


def test_a_broker_that_dies_is_started_again(slow: Gallery) -> None:
    (broker,) = [
        child
        for child in psutil.Process(slow.server.pid).children()
        if any("gateway.render.broker" in argument for argument in child.cmdline())
    ]
    broker.kill()
    assert slow.client.get_object(Bucket=slow.name, Key="small.jpg")["Body"].read()
    until(lambda: slow.get("/img/img-slow/small.jpg", f"w={time.monotonic_ns() % 299 + 1}").status == 200)


def test_a_large_rendition_arrives_whole_whatever_the_reader(http_server: Server) -> None:
    gallery = Gallery(http_server, "img-large")
    gallery.put("x.png", images.png((1800, 1200)))
    link = gallery.link("/img/img-large/x.png", "f=png")
    whole = fetch(http_server, link)
    assert len(whole.body) > 2_000_000
    assert whole.headers["content-length"] == str(len(whole.body))
    parts = urlsplit(http_server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        slow.sendall(f"GET {link} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        time.sleep(0.3)
        received = b"".join(iter(lambda: slow.recv(65536), b""))
    assert received.partition(b"\r\n\r\n")[2] == whole.body
