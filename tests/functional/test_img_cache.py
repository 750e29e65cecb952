"""What clients see of the memories of renditions: X-Cache, Server-Timing, /health and metrics; and that S3 sees none of it."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests import images
from tests.functional.conftest import StartServer
from tests.functional.imaging import Answer, Gallery, fetch
from tests.servers.redis import Redis
from tests.services import Server

MEMORY_TIMING = 'cache;desc="worker"'
RENDERED = re.compile(r'cache;desc="miss", render;dur=\d+\.\d')


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def told(answer: Answer) -> tuple[str, str]:
    """X-Cache and the memory that Server-Timing names."""
    assert answer.status == 200
    timing = answer.headers["server-timing"]
    found = re.fullmatch(r'cache;desc="(\w+)"(;dur=\d+\.\d)?(, render;dur=\d+\.\d)?', timing)
    assert found, timing
    return answer.headers["x-cache"], found[1]


def entry(server: Server, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(server.fetch("/health")[1])[name]
    return found


def test_rendered_then_from_memory(start_server: StartServer) -> None:
    gallery = Gallery(start_server(workers=1), "img-memory")
    gallery.put("x.jpg", images.jpeg((320, 240)))
    link = gallery.link("/img/img-memory/x.jpg", "w=50")
    first = fetch(gallery.server, link)
    assert told(first) == ("MISS", "miss")
    assert RENDERED.fullmatch(first.headers["server-timing"])
    again = fetch(gallery.server, link)
    assert told(again) == ("HIT", "worker")
    assert again.headers["server-timing"] == MEMORY_TIMING
    assert told(fetch(gallery.server, link, method="HEAD")) == ("HIT", "worker")
    unchanged = fetch(gallery.server, link, {"If-None-Match": first.headers["etag"]})
    assert unchanged.status == 304
    assert "x-cache" not in unchanged.headers
    assert "server-timing" not in unchanged.headers
    assert gallery.server.metric("pixgate_render_cache_hits_total", tier="worker") == 2


def test_the_other_worker_has_it_from_the_broker(start_server: StartServer) -> None:
    gallery = Gallery(start_server(workers=2), "img-broker")
    gallery.put("x.jpg", images.jpeg((320, 240)))
    link = gallery.link("/img/img-broker/x.jpg", "w=50")
    parts, seen = urlsplit(gallery.server.url), set()

    def all_seen() -> bool:
        # The worker that has the idle connection leaves the next one to the other.
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30):
            seen.add(told(fetch(gallery.server, link)))
        seen.add(told(fetch(gallery.server, link)))
        return len(seen) >= 3

    until(all_seen)
    assert seen == {("MISS", "miss"), ("HIT", "broker"), ("HIT", "worker")}


def test_x_img_says_the_same(start_server: StartServer) -> None:
    gallery = Gallery(start_server(workers=1), "img-sdk-cache")
    gallery.put("x.jpg", images.jpeg((320, 240)))
    url = gallery.client.generate_presigned_url("get_object", Params={"Bucket": gallery.name, "Key": "x.jpg"})
    assert "x-img" not in url
    plain = fetch(gallery.server, url.removeprefix(gallery.server.url))
    assert "x-cache" not in plain.headers
    assert "server-timing" not in plain.headers

    def rendered(request: object, **_: object) -> None:
        request.url += ("&" if "?" in request.url else "?") + "x-img=w%3A40"  # type: ignore[attr-defined]

    client = gallery.server.client(gallery.keys, signature_version="s3v4", user_agent_extra="x-img")
    client.meta.events.register_first("before-sign.s3.GetObject", rendered)
    answers = [client.get_object(Bucket=gallery.name, Key="x.jpg")["ResponseMetadata"] for _ in range(2)]
    headers = [answer["HTTPHeaders"] for answer in answers]
    assert [one["x-cache"] for one in headers] == ["MISS", "HIT"]
    assert RENDERED.fullmatch(headers[0]["server-timing"])
    assert headers[1]["server-timing"] == MEMORY_TIMING


def test_without_any_memory_it_says_disabled(start_server: StartServer) -> None:
    none = {"PIXGATE_IMAGE_WORKER_CACHE_BYTES": "0", "PIXGATE_IMAGE_MEMORY_CACHE_BYTES": "0"}
    gallery = Gallery(start_server(workers=1, environment=none), "img-disabled")
    gallery.put("x.jpg", images.jpeg((320, 240)))
    link = gallery.link("/img/img-disabled/x.jpg", "w=50")
    assert [told(fetch(gallery.server, link)) for _ in range(2)] == [("DISABLED", "miss")] * 2
    assert gallery.server.metric("pixgate_renders_total", result="ok") == 2


def test_redis_outlives_the_server(start_server: StartServer, redis_url: str) -> None:
    server = start_server(workers=1, environment={"PIXGATE_REDIS_URL": redis_url})
    gallery = Gallery(server, "img-redis")
    gallery.put("x.jpg", images.jpeg((320, 240)))
    for width in range(50, 55):
        link = gallery.link("/img/img-redis/x.jpg", f"w={width}")
        first = fetch(server, link)
        assert told(first) == ("MISS", "miss")
        until(lambda: entry(server, "redis")["status"] == "healthy")
        server.stop()
        server.start()
        again = fetch(server, link)
        if told(again) == ("HIT", "redis"):
            break
        # Redis has a tenth of a second to take and to give it, in which a busy machine may do nothing at all.
        assert told(again) == ("MISS", "miss")
    assert told(again) == ("HIT", "redis")
    assert again.body == first.body
    assert again.headers["etag"] == first.headers["etag"]
    assert told(fetch(server, link)) == ("HIT", "worker")
    assert server.metric("pixgate_render_cache_hits_total", tier="redis") == 1
    assert server.metric("pixgate_renders_total", result="ok") == 0
    secret = redis_url.partition(":")[2].partition("@")[0].rpartition(":")[2]
    assert secret
    assert secret not in server.log.read_text()
    assert secret not in server.fetch("/health")[1].decode()


def test_a_store_outlives_the_server_and_keeps_to_its_budget(start_server: StartServer) -> None:
    server = start_server(workers=1, environment={"PIXGATE_IMAGE_STORE_CACHE_BYTES": "300000"})
    gallery = Gallery(server, "img-store")
    gallery.put("x.jpg", images.jpeg((640, 480)))
    folder = server.data / "renditions"

    def link(width: int) -> str:
        return gallery.link("/img/img-store/x.jpg", f"w={width}&f=png")

    first = fetch(server, link(100))
    until(lambda: len(list(folder.glob("*/??/*"))) == 1)
    server.stop()
    server.start()
    again = fetch(server, link(100))
    assert told(again) == ("HIT", "store")
    assert again.body == first.body
    assert server.metric("pixgate_render_cache_hits_total", tier="store") == 1

    def used() -> int:
        total = 0
        for path in folder.glob("*/??/*"):
            with contextlib.suppress(FileNotFoundError):  # It may be removed while they are counted.
                total += path.stat().st_size
        return total

    for width in range(101, 131):
        assert fetch(server, link(width)).status == 200
    # They are written behind the answers.
    until(lambda: 100_000 < used() <= 300_000)
    until(lambda: entry(server, "cache_store")["status"] == "healthy")
    assert entry(server, "cache_store")["limit"] == 300_000


def test_a_store_whose_files_are_spoilt_serves_none_of_them(start_server: StartServer) -> None:
    server = start_server(workers=1, environment={"PIXGATE_IMAGE_STORE_CACHE_BYTES": "3000000"})
    gallery = Gallery(server, "img-spoilt")
    gallery.put("x.jpg", images.jpeg((640, 480)))
    link = gallery.link("/img/img-spoilt/x.jpg", "w=100")
    first = fetch(server, link)
    folder = server.data / "renditions"
    until(lambda: len(list(folder.glob("*/??/*"))) == 1)
    server.stop()
    (path,) = folder.glob("*/??/*")
    spoilt = bytearray(path.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    path.write_bytes(spoilt)
    server.start()
    again = fetch(server, link)
    assert told(again) == ("MISS", "miss")
    assert again.body == first.body
    until(lambda: path.exists() and path.read_bytes() != bytes(spoilt))


def test_redis_that_stands_still_holds_up_no_picture_and_nothing_of_s3(
    start_server: StartServer, own_redis: Redis
) -> None:
    server = start_server(workers=1, environment={"PIXGATE_REDIS_URL": own_redis.url})
    gallery = Gallery(server, "img-still")
    gallery.put("x.jpg", images.jpeg((320, 240)))
    assert fetch(server, gallery.link("/img/img-still/x.jpg", "w=30")).status == 200
    until(lambda: entry(server, "redis")["status"] == "healthy")

    def s3() -> None:
        gallery.client.put_object(Bucket=gallery.name, Key="y", Body=b"bytes")
        assert gallery.client.get_object(Bucket=gallery.name, Key="y")["Body"].read() == b"bytes"
        gallery.client.list_objects_v2(Bucket=gallery.name)
        gallery.client.delete_object(Bucket=gallery.name, Key="y")

    def asked() -> int:
        return int(own_redis.command("INFO", "stats")["total_commands_processed"])

    # Reading the count is a connection and some commands by itself; and what is done behind the last answer comes first.
    before, own, counts = asked(), 0, [0]
    while len(counts) < 5 or len(set(counts[-5:])) > 1:
        now = asked()
        before, own = now, now - before
        counts.append(own)
        time.sleep(0.05)
    before = asked()
    for _ in range(10):
        s3()
    assert asked() - before == own
    own_redis.pause()
    try:
        started = time.monotonic()
        s3()
        assert time.monotonic() - started < 10
        for width in range(40, 46):
            started = time.monotonic()
            assert told(fetch(server, gallery.link("/img/img-still/x.jpg", f"w={width}"))) == ("MISS", "miss")
            assert time.monotonic() - started < 10
        status, body = server.fetch("/health")
        assert status == 200
        assert json.loads(body)["status"] == "degraded"
        assert json.loads(body)["redis"]["status"] == "degraded"
        assert server.metric("pixgate_render_cache_errors_total", tier="redis") > 0
    finally:
        own_redis.resume()
    until(lambda: json.loads(server.fetch("/health")[1])["status"] == "healthy")


@pytest.mark.parametrize(
    "setting",
    [
        {"PIXGATE_REDIS_URL": "redis://127.0.0.1:1/0"},
        {"PIXGATE_REDIS_URL": "redis+sentinel://127.0.0.1:1/main"},
        {"PIXGATE_REDIS_URL": "redis+cluster://127.0.0.1:1"},
        {"PIXGATE_IMAGE_STORE_CACHE_BYTES": "1MB", "PIXGATE_IMAGE_STORE_CACHE": "file:///proc/nowhere"},
    ],
    ids=["redis", "sentinel", "cluster", "store"],
)
def test_it_starts_and_works_where_there_is_nothing(start_server: StartServer, setting: dict[str, str]) -> None:
    server = start_server(workers=1, environment=setting)
    gallery = Gallery(server, "img-nowhere")
    gallery.put("x.jpg", images.jpeg((320, 240)))
    for width in range(40, 46):
        assert told(fetch(server, gallery.link("/img/img-nowhere/x.jpg", f"w={width}"))) == ("MISS", "miss")
    until(lambda: json.loads(server.fetch("/health")[1])["status"] == "degraded")
