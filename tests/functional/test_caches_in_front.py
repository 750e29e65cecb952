"""Real caches in front of the server, with the settings of the CDN guide: hits, never a wrong variant, purges."""

from __future__ import annotations

import http.client
import io
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests import images
from tests.functional.beside import set_images
from tests.functional.conftest import StartServer
from tests.functional.imaging import Gallery
from tests.servers.front import Front
from tests.servers.nginx import Nginx
from tests.servers.ports import free_port
from tests.servers.programs import ProgramMissing, find
from tests.servers.varnish import PURGE_TOKEN, Varnish
from transforms.negotiate import accept_class

FORMATS = {"avif": "AVIF", "webp": "WEBP", "": "JPEG"}
ACCEPTS = (
    "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "IMAGE/AVIF",
    "image/avif ; q=0.001, image/webp;q=0",
    "image/webp,image/apng,image/*,*/*;q=0.8",
    "image/webp,*/*",
    "image/avif;q=0,image/webp",
    "image/avif;q=0.0 , image/webp",
    "image/avif; q=0.000,image/webp; q=0.5",
    "image/*,*/*;q=0.8",
    "*/*",
    "image/png,image/jpeg",
    "image/avif;q=0, image/webp;q=0",
    "image/webp;q=0",
    "",
    None,
)
"""As browsers and others send them, from all three classes."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def hit(self) -> bool:
        return self.headers["x-cache-status"] == "HIT"


class Cached:
    """A gallery behind a cache."""

    def __init__(self, front: Front, gallery: Gallery) -> None:
        self.front = front
        self.gallery = gallery
        self._connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=60)

    def get(self, target: str, accept: str | None = None, method: str = "GET", **headers: str) -> Answer:
        given = dict(headers) | ({} if accept is None else {"Accept": accept})
        self._connection.request(method, target, headers=given)
        answer = self._connection.getresponse()
        body = answer.read()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)

    def close(self) -> None:
        self._connection.close()

    def url(self, key: str, query: str = "w=150&f=auto") -> str:
        return f"/img/{self.gallery.name}/{key}?{query}"

    def wait_for(self, state: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + 60
        while not state():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def _behind(kind: str, folder: Path, start_server: StartServer, stack: ExitStack, **settings: str) -> Cached:
    try:
        find("nginx" if kind == "nginx" else "varnishd")
    except ProgramMissing as missing:
        pytest.skip(str(missing))
    if kind == "xkey" and not Varnish.has_xkey():
        pytest.skip("varnish has no module xkey: Debian's varnish-modules brings it")
    port = free_port()
    environment = {
        "PIXGATE_IMAGE_CACHE_TAGS": "surrogate-key",
        "PIXGATE_PURGE_URL": f"http://127.0.0.1:{port}/",
        "PIXGATE_PURGE_TOKEN": PURGE_TOKEN,
        **{f"PIXGATE_{name.upper()}": value for name, value in settings.items()},
    }
    if kind != "nginx":
        environment["PIXGATE_PURGE_KIND"] = kind
    server = start_server(workers=1, environment=environment)
    gallery = Gallery(server, "shop")
    set_images(server.data, "shop", public=True, purge=True)
    folder.mkdir()
    address = server.url.removeprefix("http://")
    front = Nginx(folder, address, port) if kind == "nginx" else Varnish(folder, address, port, xkey=kind == "xkey")
    stack.enter_context(front.running())
    cached = Cached(front, gallery)
    stack.callback(cached.close)
    return cached


@pytest.fixture(params=["varnish", "xkey"])
def varnish(request: pytest.FixtureRequest, tmp_path: Path, start_server: StartServer) -> Iterator[Cached]:
    with ExitStack() as stack:
        yield _behind(
            request.param, tmp_path / "cache", start_server, stack, image_shared_max_age="3600", purge_again="1"
        )


@pytest.fixture
def nginx(tmp_path: Path, start_server: StartServer) -> Iterator[Cached]:
    with ExitStack() as stack:
        yield _behind("nginx", tmp_path / "cache", start_server, stack, image_key_max_age="2")


def visit(cached: Cached, targets: list[str], rounds: int) -> float:
    """Ask for each target with each Accept header, in any order; the rate of hits. No answer is one for another class."""
    asked = [(target, accept) for target in targets for accept in ACCEPTS] * rounds
    random.Random(1).shuffle(asked)
    hits = 0
    for target, accept in asked:
        answer = cached.get(target, accept)
        assert answer.status == 200, answer.body
        assert Image.open(io.BytesIO(answer.body)).format == FORMATS[accept_class(accept)], (accept, answer.headers)
        assert "accept" in answer.headers["vary"].lower()
        hits += answer.hit
    return hits / len(asked)


def errors_are_not_kept(cached: Cached) -> None:
    missing = cached.url("later.jpg")
    for target, status in ((missing, 404), (cached.url("a.jpg", "w=151"), 403), (cached.url("a.jpg", "w=x"), 400)):
        for _ in range(3):
            answer = cached.get(target)
            assert (answer.status, answer.hit, answer.headers["cache-control"]) == (status, False, "no-store")
    cached.gallery.put("later.jpg", images.jpeg((200, 100), 5))
    assert cached.get(missing).status == 200


def strangers_cannot_purge(cached: Cached, target: str) -> None:
    cached.get(target)
    for method, name in (("BAN", "X-Ban-Tags"), ("PURGE", "X-Key-Purge")):
        answer = cached.get(target, None, method, **{name: ".", "Authorization": "Bearer guess"})
        assert answer.status >= 400, answer
    assert cached.get(target).hit


def test_varnish_with_the_settings_of_the_guide(varnish: Cached) -> None:
    keys = ["a.jpg", "ä b.jpg", "dir/c.jpg"]
    ids = [varnish.gallery.put(key, images.jpeg((200, 100), number)) for number, key in enumerate(keys)]
    targets = [
        varnish.url("a.jpg"),
        varnish.url("%C3%A4%20b.jpg"),
        varnish.url("dir/c.jpg"),
        f"/img/{ids[0]}?w=150&f=auto",
    ]
    # Three renditions of each: everything else is a hit.
    rate = visit(varnish, targets, 2)
    assert rate == pytest.approx(1 - 3 * len(targets) / (2 * len(targets) * len(ACCEPTS)))
    errors_are_not_kept(varnish)
    head = varnish.get(targets[0], method="HEAD")
    assert (head.status, head.hit, head.body) == (200, True, b"")
    part = varnish.get(targets[0], Range="bytes=0-9")
    assert (part.status, part.body) == (206, varnish.get(targets[0]).body[:10])
    etag = varnish.get(targets[0]).headers["etag"]
    assert varnish.get(targets[0], None, "GET", **{"If-None-Match": etag}).status == 304
    assert "surrogate-key" not in head.headers
    strangers_cannot_purge(varnish, targets[0])
    # Overwritten: purged for an hour's worth of age, and nothing else is.
    assert varnish.get(targets[2]).hit
    varnish.gallery.put("a.jpg", images.jpeg((200, 100), 9))
    assert varnish.wait_for(lambda: varnish.get(targets[0]).headers["etag"] != etag)
    assert varnish.get(targets[2]).hit
    assert varnish.wait_for(lambda: varnish.get(targets[3]).status != 200), "the id of a version that is gone"
    varnish.gallery.client.delete_object(Bucket="shop", Key="dir/c.jpg")
    assert varnish.wait_for(lambda: varnish.get(targets[2]).status == 404)
    # Closed: nothing of the bucket is shown any more.
    assert varnish.get(targets[1]).hit
    set_images(varnish.gallery.server.data, "shop", public=False)
    assert varnish.wait_for(lambda: varnish.get(targets[1]).status == 403)


def test_nginx_with_the_settings_of_the_guide(nginx: Cached) -> None:
    ids = [nginx.gallery.put(key, images.jpeg((200, 100), number)) for number, key in enumerate(("a.jpg", "b.jpg"))]
    by_id = [f"/img/{image}?w=150&f=auto" for image in ids]
    rate = visit(nginx, by_id, 2)
    assert rate == pytest.approx(1 - 3 * len(by_id) / (2 * len(by_id) * len(ACCEPTS)))
    errors_are_not_kept(nginx)
    target = nginx.url("a.jpg")
    before = nginx.get(target)
    nginx.gallery.put("a.jpg", images.jpeg((200, 100), 9))
    # What a key means changes, so it is kept for two seconds here.
    assert nginx.wait_for(lambda: nginx.get(target).headers["etag"] != before.headers["etag"])
    visit(nginx, [target], 1)
    assert nginx.get(by_id[1]).hit
    head = nginx.get(by_id[1], method="HEAD")
    assert (head.status, head.body) == (200, b"")
    part = nginx.get(by_id[1], Range="bytes=0-9")
    assert (part.status, part.body) == (206, nginx.get(by_id[1]).body[:10])
    # S3 goes through, too.
    assert nginx.get("/shop/a.jpg").status == 403
