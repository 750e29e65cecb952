"""Workers that Celery tells: that one lives is known, that one is gone is noticed, and that one came back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import pixgate
from gateway.metadata.jobs import KINDS
from tests import images
from tests.functional.api.client import Api
from tests.functional.beside import set_images
from tests.functional.conftest import StartServer
from tests.functional.imaging import Gallery
from tests.functional.job_worker import JobWorker, backlog, wait_for
from tests.servers.redis import Redis
from tests.services import ROOT, Server, environment_of

TIMEOUT = "2"
WORKERS = "pixgate_job_workers"
RENDITION = 'pixgate_jobs_oldest_seconds{kind="rendition"}'


@pytest.fixture
def settings(redis_url: str) -> dict[str, str]:
    return {"PIXGATE_CELERY_URL": redis_url, "PIXGATE_JOB_WORKER_TIMEOUT": TIMEOUT, "PIXGATE_JOB_RESEND_SECONDS": "1"}


@pytest.fixture
def server(start_server: StartServer, settings: dict[str, str]) -> Server:
    return start_server(workers=1, environment=settings)


@pytest.fixture
def worker(server: Server, settings: dict[str, str]) -> Iterator[JobWorker]:
    """Not started yet."""
    worker = JobWorker(server.data, settings)
    yield worker
    worker.kill()


def jobs_of(server: Server) -> dict[str, Any]:
    """The entry of `/health`; where it is degraded the whole is not healthy."""
    found = json.loads(server.fetch("/health")[1])
    entry: dict[str, Any] = found["jobs"]
    assert entry["status"] == "healthy" or found["status"] != "healthy", found
    return entry


def metrics_of(server: Server) -> dict[str, float]:
    """Those of the jobs, by name and labels."""
    text = server.fetch("/metrics")[1].decode()
    return {name: float(value) for name, value in re.findall(r"^(pixgate_job\S+) (\S+)$", text, re.MULTILINE)}


def wait_for_workers(server: Server, count: int) -> dict[str, Any]:
    status = "healthy" if count else "degraded"
    return wait_for(lambda: jobs_of(server), lambda entry: (entry.get("workers"), entry["status"]) == (count, status))


def command(server: Server, settings: dict[str, str], *arguments: str) -> Any:
    """What a command prints as JSON, run in this process."""
    environment = {**environment_of(server.data), **settings, "PIXGATE_DATA": str(server.data)}
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(CliRunner().invoke, pixgate, [*arguments, "--json"], env=environment).result()
    return json.loads(done.stdout)


def test_a_worker_that_is_gone_is_noticed_and_one_that_comes_back_too(
    server: Server, worker: JobWorker, settings: dict[str, str]
) -> None:
    gallery = Gallery(server, "photos")
    set_images(server.data, "photos", catalogue=True)
    detail = wait_for_workers(server, 0)["detail"]
    assert detail == "no worker lives: jobs wait until `pixgate worker` is started"
    gallery.put("a.jpg", images.jpeg((200, 100)))
    wait_for(lambda: metrics_of(server), lambda found: found.get(RENDITION, 0) > 0.5 and found.get(WORKERS) == 0)
    entry = wait_for(lambda: jobs_of(server), lambda entry: entry.get("oldest_seconds", 0) > 0.5)
    assert entry["engine"] == "celery"

    worker.start()
    wait_for_workers(server, 1)
    wait_for(lambda: metrics_of(server), lambda found: found.get(WORKERS) == 1)
    wait_for(lambda: backlog(server.data), lambda rows: not rows)
    assert RENDITION not in metrics_of(server)

    worker.kill()
    detail = wait_for_workers(server, 0)["detail"]
    assert re.fullmatch(r"no worker lives: .*; \S+ was last heard of \d+ s ago", detail), detail
    (finding,) = [one for one in command(server, settings, "doctor") if one["subject"] == "workers"]
    assert finding["verdict"] == "warning"
    assert finding["detail"].startswith("no worker lives: "), finding
    assert command(server, settings, "jobs", "list")["workers"] == []
    api = Api(server)
    public = wait_for(lambda: api.get("health").json["jobs"], lambda entry: entry["workers"] == 0)
    assert (public["status"], public["detail"]) == ("degraded", None)
    wait_for(lambda: api.with_keys(ROOT).get("health").json["jobs"]["detail"], lambda told: "no worker lives" in told)

    worker.start()
    wait_for_workers(server, 1)
    (living,) = wait_for(lambda: command(server, settings, "jobs", "list")["workers"], bool)
    assert (living["kinds"], living["concurrency"]) == (sorted(KINDS), 1)


def test_nobody_waits_long_for_a_redis_that_hangs(start_server: StartServer, own_redis: Redis) -> None:
    server = start_server(workers=1, environment={"PIXGATE_CELERY_URL": own_redis.url})
    wait_for_workers(server, 0)
    own_redis.pause()
    try:
        # Who waits hears of that time; after the driver's 2 s were over it would be another.
        found = wait_for(lambda: jobs_of(server), lambda entry: "within 300 ms" in entry["detail"])
        assert (found["status"], found["engine"]) == ("degraded", "celery")
        assert jobs_of(server)["status"] == "degraded"
    finally:
        own_redis.resume()
    found = wait_for(lambda: jobs_of(server), lambda entry: entry.get("workers") == 0)
    assert found["detail"].startswith("no worker lives: ")
