"""Background work by Celery's workers, with a real Redis that is killed, workers that are killed, and Flower that looks on."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psutil
import pytest

from tests import images
from tests.functional.api.client import Api
from tests.functional.beside import set_images
from tests.functional.conftest import StartServer
from tests.functional.imaging import Gallery
from tests.functional.job_worker import DEADLINE, JobWorker, Outcome, backlog, let_claims_end, outcomes, wait_for
from tests.servers.ports import free_port
from tests.servers.redis import Redis
from tests.services import ROOT, Server

ROUNDS = 2
MANY_ROUNDS = 50
PICTURE = images.jpeg((1600, 1200))

StartWorker = Callable[[Server], JobWorker]


def environment(redis_url: str) -> dict[str, str]:
    return {
        "PIXGATE_CELERY_URL": redis_url,
        "PIXGATE_JOB_RETRY_SECONDS": "1",
        "PIXGATE_JOB_RESEND_SECONDS": "1",
    }


@pytest.fixture
def start_worker() -> Iterator[Callable[..., JobWorker]]:
    """Start workers; they end with the test, and their logs are shown where it failed."""
    workers: list[JobWorker] = []

    def start(data: Path, settings: dict[str, str], *, concurrency: int = 1) -> JobWorker:
        worker = JobWorker(data, settings, concurrency=concurrency)
        workers.append(worker)
        worker.start()
        return worker

    yield start
    for worker in workers:
        worker.kill()


def catalogued(server: Server) -> Gallery:
    gallery = Gallery(server, "photos")
    set_images(server.data, "photos", catalogue=True)
    return gallery


def ended(found: list[Outcome], count: int) -> bool:
    return len(found) == count and all(one.status in ("completed", "failed") for one in found)


def check(found: list[Outcome]) -> None:
    """One visible result a job: written once, together with everything that belongs to it; or dead-lettered."""
    for one in found:
        if one.status == "completed":
            assert (one.image_status, one.width, one.pins) == ("completed", 1600, 6), one
            assert [event for event in one.events if event != "image.upload"] == ["image.processed"], one
        else:
            assert (one.status, one.image_status) == ("failed", "failed"), one
            assert one.error, one
            assert one.events.count("image.failed") == 1, one
            assert "image.processed" not in one.events, one


def test_workers_do_what_servers_hand_out_and_flower_looks_on(
    start_server: StartServer, redis_url: str, start_worker: Callable[..., JobWorker], tmp_path: Path
) -> None:
    settings = environment(redis_url)
    server = start_server(workers=1, environment=settings)
    api, gallery = Api(server), catalogued(server)
    assert api.get("health").json["jobs"]["engine"] == "celery"
    gallery.put("a.jpg", PICTURE)
    # Nobody is there to do it: it waits, and not in Redis alone.
    time.sleep(1)
    assert [(kind, attempts) for _, kind, attempts, *_ in backlog(server.data)] == [("rendition", 0)]
    worker = start_worker(server.data, settings, concurrency=2)
    with _flower(redis_url, tmp_path) as ask:
        check(wait_for(lambda: outcomes(server.data), lambda found: ended(found, 1)))
        for number in range(4):
            gallery.put(f"{number}.jpg", PICTURE)
        found = wait_for(lambda: outcomes(server.data), lambda found: ended(found, 5))
        check(found)
        assert all(one.attempts == 1 for one in found)
        assert wait_for(lambda: backlog(server.data), lambda rows: not rows) == []
        seen = wait_for(ask, lambda workers: any(one.get("registered") for one in workers.values()))
    ((name, about),) = seen.items()
    assert name.startswith("pixgate-")
    assert "pixgate.process" in " ".join(map(str, cast("list[object]", about["registered"])))
    # Its processes are killed, and the decoders, and replaced.
    for process in worker.pool():
        with contextlib.suppress(psutil.NoSuchProcess):  # With the first, others may end.
            process.kill()
    gallery.put("last.jpg", PICTURE)

    def look() -> list[Outcome]:
        let_claims_end(server.data)
        return outcomes(server.data)

    check(wait_for(look, lambda found: ended(found, 6)))
    wait_for(lambda: api.get("health").json["jobs"]["workers"], lambda workers: workers == 1)
    worker.stop()
    # It said good-bye, which takes it off the list; who is killed stays on it.
    alone = "no worker lives: jobs wait until `pixgate worker` is started"
    wait_for(lambda: api.with_keys(ROOT).get("health").json["jobs"]["detail"], lambda told: told == alone)


@contextmanager
def _flower(redis_url: str, folder: Path) -> Iterator[Callable[[], dict[str, dict[str, object]]]]:
    """Flower over that Redis; gives what asks it for workers."""
    port = free_port()
    command = [sys.executable, "-m", "celery", f"--broker={redis_url}", "flower", "--inspect_timeout=2000"]
    with (folder / "flower.log").open("wb") as log:
        flower = subprocess.Popen(
            [*command, "--address=127.0.0.1", f"--port={port}"],
            env={"PATH": "", "FLOWER_UNAUTHENTICATED_API": "true", "HOME": str(folder)},
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield lambda: _ask_flower(port)
    finally:
        flower.terminate()
        flower.wait(60)


def _ask_flower(port: int) -> dict[str, dict[str, object]]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/api/workers?refresh=1", timeout=30) as answer:
            found: dict[str, dict[str, object]] = json.loads(answer.read())
            return found
    except urllib.error.HTTPError as error:
        error.close()
        return {}
    except OSError:
        return {}


def test_jobs_wait_while_redis_is_away_and_go_on_afterwards(
    start_server: StartServer, own_redis: Redis, start_worker: Callable[..., JobWorker]
) -> None:
    settings = environment(own_redis.url)
    server = start_server(workers=1, environment=settings)
    api, gallery = Api(server), catalogued(server)
    start_worker(server.data, settings)
    gallery.put("before.jpg", PICTURE)
    check(wait_for(lambda: outcomes(server.data), lambda found: ended(found, 1)))
    own_redis.kill()
    # What is acknowledged is so without Redis.
    for number in range(3):
        gallery.put(f"meanwhile-{number}.jpg", PICTURE)
    told = wait_for(
        lambda: api.get("health").json,
        lambda health: (
            (health["status"], health["jobs"]["status"], health["jobs"]["waiting"]) == ("degraded", "degraded", 3)
        ),
    )
    assert told["jobs"]["detail"] is None
    assert len(outcomes(server.data)) == 1
    own_redis.start()
    found = wait_for(lambda: outcomes(server.data), lambda found: ended(found, 4))
    check(found)
    assert all(one.status == "completed" for one in found)
    assert wait_for(lambda: api.get("health").json, lambda health: health["jobs"]["status"] == "healthy")
    # And Redis may forget what it was told.
    gallery.put("after.jpg", PICTURE)
    own_redis.flush()
    check(wait_for(lambda: outcomes(server.data), lambda found: ended(found, 5)))


def _killed_again_and_again(
    server: Server, kill: Callable[[], None], start: Callable[[], None], rounds: int
) -> Gallery:
    """Put images, and kill whoever is at them at any moment; in the end each has one result. Gives where they are."""
    gallery = catalogued(server)
    chance = random.Random(rounds)
    for number in range(rounds):
        if not server.running:
            start()
        gallery = gallery if number == 0 else _same(server, gallery)
        for which in range(2):
            gallery.put(f"{number}-{which}.jpg", PICTURE)
        # Somebody is at them, or was already.
        wait_for(
            lambda: backlog(server.data),
            lambda rows: not rows or any(claim for *_, claim, _ in rows),
            seconds=DEADLINE,
        )
        time.sleep(chance.uniform(0, 0.6))
        kill()
        let_claims_end(server.data)
        start()
    wait_for(lambda: outcomes(server.data), lambda found: ended(found, 2 * rounds), seconds=DEADLINE + rounds * 5)
    found = outcomes(server.data)
    check(found)
    assert sum(one.status == "completed" for one in found) > rounds, "most are done although others were killed at them"
    return gallery


def _same(server: Server, gallery: Gallery) -> Gallery:
    """The gallery on the server as it runs now: it may have another port."""
    gallery.client = server.client(gallery.keys, signature_version="s3v4")
    return gallery


def _workers_are_killed(
    server: Server, settings: dict[str, str], start_worker: Callable[..., JobWorker], rounds: int
) -> None:
    worker = start_worker(server.data, settings)
    gallery = _killed_again_and_again(server, worker.kill, worker.start, rounds)
    # The last one has started, and works.
    gallery.put("last.jpg", PICTURE)
    wait_for(lambda: outcomes(server.data), lambda found: ended(found, 2 * rounds + 1), seconds=DEADLINE)
    worker.stop()


def test_a_worker_that_is_killed_costs_a_repeat(
    start_server: StartServer, redis_url: str, start_worker: Callable[..., JobWorker]
) -> None:
    settings = environment(redis_url)
    _workers_are_killed(start_server(workers=1, environment=settings), settings, start_worker, ROUNDS)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_worker_that_is_killed_fifty_times_costs_repeats(
    start_server: StartServer, redis_url: str, start_worker: Callable[..., JobWorker]
) -> None:
    settings = environment(redis_url)
    _workers_are_killed(start_server(workers=1, environment=settings), settings, start_worker, MANY_ROUNDS)


def _nodes_are_killed(server: Server, rounds: int) -> None:
    _killed_again_and_again(server, server.kill, server.start, rounds)


def test_a_node_that_is_killed_at_its_own_jobs_costs_a_repeat(start_server: StartServer) -> None:
    _nodes_are_killed(start_server(workers=1, environment={"PIXGATE_JOB_RETRY_SECONDS": "1"}), ROUNDS)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_node_that_is_killed_fifty_times_at_its_own_jobs_costs_repeats(start_server: StartServer) -> None:
    _nodes_are_killed(start_server(workers=1, environment={"PIXGATE_JOB_RETRY_SECONDS": "1"}), MANY_ROUNDS)
