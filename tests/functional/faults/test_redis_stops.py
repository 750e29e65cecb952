"""Redis stands still, dies, is flushed and comes back under renders: every picture arrives, in time and the right one."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.deployment import Deployment
from tests.images import jpeg
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.servers.redis import Redis
from tests.services import Server
from tests.traffic import ask

CLIENTS = 3
WIDTHS = range(40, 60)
BACK_SECONDS = 60


@dataclass
class Viewers:
    """Clients that ask two nodes for renditions; each must be the same bytes whenever and wherever it is asked for."""

    nodes: list[Server]
    known: dict[int, bytes]
    seen: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def looking(self) -> Iterator[None]:
        self._stop.clear()
        with ThreadPoolExecutor(CLIENTS) as threads:
            jobs = [threads.submit(self._look, number) for number in range(CLIENTS)]
            try:
                yield
            finally:
                self._stop.set()
                for job in jobs:
                    job.result()

    def _look(self, number: int) -> None:
        dice = random.Random(number)
        try:
            while not self._stop.is_set():
                width = dice.choice(WIDTHS)
                assert rendition(dice.choice(self.nodes), width) == self.known[width]
                self.seen += 1
        except BaseException:
            self._stop.set()
            raise

    def wait(self, more: int = 25) -> None:
        """Until so many more were seen."""
        due, before = time.monotonic() + 120, self.seen
        while self.seen < before + more and not self._stop.is_set():
            assert time.monotonic() < due, "pictures come too slowly"
            time.sleep(0.02)


def rendition(node: Server, width: int) -> bytes:
    return ask(node, "GET", "photos", "photo", query=[("x-img", f"w:{width}")]).succeeded().body


def _health(node: Server) -> str:
    return str(json.loads(node.fetch("/health")[1])["redis"]["status"])


def _becomes(node: Server, wanted: str) -> None:
    deadline = time.monotonic() + BACK_SECONDS
    while (status := _health(node)) != wanted:
        assert time.monotonic() < deadline, f"{status}, not {wanted}"
        time.sleep(0.1)


def _rounds(deployment: Deployment, redis: Redis, rounds: int) -> None:
    # Without memories of their own the nodes ask Redis each time.
    nodes = deployment.start("a", "b", image_memory_cache_bytes="0", image_worker_cache_bytes="0")
    assert ask(nodes[0], "PUT", "photos").status == 200
    assert ask(nodes[0], "PUT", "photos", "photo", jpeg((320, 240))).status == 200
    viewers = Viewers(nodes, {width: rendition(nodes[0], width) for width in WIDTHS})
    assert len(set(viewers.known.values())) == len(WIDTHS)

    def renders() -> float:
        return sum(node.metric("pixgate_renders_total", result="ok") for node in nodes)

    with viewers.looking():
        viewers.wait()
        hits = sum(node.metric("pixgate_render_cache_hits_total", tier="redis") for node in nodes)
        assert hits > 0, "Redis is not used at all, so that losing it proves nothing"
        # Nothing is rendered that is there; but one whose answer takes a tenth of a second is, on a busy machine.
        for _ in range(10):
            before = renders()
            viewers.wait()
            if not (made := renders() - before):
                break
        assert made == 0, "what is in Redis is rendered again and again"
        for _ in range(rounds):
            for leave, come in ((redis.pause, redis.resume), (redis.kill, redis.start)):
                leave()
                viewers.wait()
                _becomes(nodes[0], "degraded")
                assert nodes[0].fetch("/readyz")[0] == 200
                come()
                _becomes(nodes[0], "healthy")
                viewers.wait()
            redis.flush()
            viewers.wait()
        again = sum(node.metric("pixgate_render_cache_hits_total", tier="redis") for node in nodes)
        assert again > hits, "it is used again when it is back"


def test_redis_stops_dies_and_is_flushed_under_renders(
    tmp_path: Path, postgresql: PostgreSQL, minio: Minio, own_redis: Redis
) -> None:
    deployment = Deployment.new(tmp_path, postgresql, minio, redis_url=own_redis.url)
    try:
        _rounds(deployment, own_redis, 1)
        deployment.check_store()
    finally:
        deployment.kill()


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_redis_stops_dies_and_is_flushed_many_times(
    tmp_path: Path, postgresql: PostgreSQL, minio: Minio, own_redis: Redis
) -> None:
    deployment = Deployment.new(tmp_path, postgresql, minio, redis_url=own_redis.url)
    try:
        _rounds(deployment, own_redis, 30)
        deployment.check_store()
    finally:
        deployment.kill()
