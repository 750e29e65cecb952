"""Background work through a whole server: what was acknowledged is purged and made, also when the server is killed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway.cli.jobs import described
from gateway.metadata import jobs as rows
from gateway.services import Services
from tests import images
from tests.functional.beside import beside, set_images
from tests.functional.conftest import StartServer
from tests.functional.imaging import Gallery, fetch
from tests.services import pixgate

DEADLINE = 90.0


class Hook:
    """Somebody's webhook: what it was told, and what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.told: list[dict[str, Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.status == 200:
                    hook.told.append(json.loads(body))
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/purge"

    @property
    def tags(self) -> list[str]:
        return [tag for one in self.told for tag in one["tags"]]

    def wait_for(self, tag: str, times: int = 1) -> None:
        deadline = time.monotonic() + DEADLINE
        while self.tags.count(tag) < times:
            assert time.monotonic() < deadline, f"{tag} is not among {self.tags}"
            time.sleep(0.05)


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_what_was_acknowledged_is_purged_whatever_is_killed(start_server: StartServer, hook: Hook) -> None:
    server = start_server(
        workers=1,
        environment={
            "PIXGATE_PURGE_URL": hook.url,
            "PIXGATE_PURGE_TOKEN": "s",
            "PIXGATE_PURGE_AGAIN": "0.5",
            "PIXGATE_IMAGE_CACHE_TAGS": "both",
        },
    )
    gallery = Gallery(server, "photos")
    set_images(server.data, "photos", public=True, purge=True)
    gallery.put("a.jpg", images.jpeg((200, 100)))
    answer = fetch(server, "/img/photos/a.jpg?w=150")
    bucket_tag, object_tag = answer.headers["surrogate-key"].split()
    assert answer.headers["cache-tag"] == f"{bucket_tag},{object_tag}"
    # Overwritten: the object's tag twice, the second time for answers that were on their way.
    gallery.put("a.jpg", images.jpeg((200, 100), 2))
    hook.wait_for(object_tag, 2)
    named = {"tag": object_tag, "bucket": "photos", "key": "a.jpg"}
    assert all(one["objects"] == [named] for one in hook.told if object_tag in one["tags"])
    # The webhook is down, and the server is killed.
    hook.status = 503
    hook.told.clear()
    gallery.client.delete_object(Bucket="photos", Key="a.jpg")
    deadline = time.monotonic() + DEADLINE
    while not any(job["error"] for job in _jobs(server.data)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    server.kill()
    hook.status = 200
    server.start()
    hook.wait_for(object_tag, 2)
    # Settings of the bucket: its own tag.
    set_images(server.data, "photos", presets={"card": "w:100"})
    hook.wait_for(bucket_tag, 1)


def test_renditions_are_made_although_the_server_is_killed(start_server: StartServer) -> None:
    server = start_server(workers=1)
    gallery = Gallery(server, "photos")
    set_images(server.data, "photos", presets={"card": "w:50"}, renditions=("p:card", "w:60"))
    # Nothing is rendered from here on.
    (broker,) = (
        child
        for child in psutil.Process(server.pid).children()
        if any("gateway.render.broker" in argument for argument in child.cmdline())
    )
    broker.suspend()
    keys = [f"{number}.jpg" for number in range(6)]
    for key in keys:
        gallery.put(key, images.jpeg((300, 200)))
    deadline = time.monotonic() + DEADLINE
    while not any(job["state"] == "running" for job in _jobs(server.data)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    server.kill()
    assert {job["key"] for job in _jobs(server.data)} == set(keys)
    _let_claims_end(server.data)
    server.start()
    client = server.client(gallery.keys, signature_version="s3v4")
    while True:
        page = client.list_objects_v2(Bucket="photos--card")
        if [entry["Key"] for entry in page.get("Contents", [])] == keys and not _jobs(server.data):
            break
        assert time.monotonic() < deadline + DEADLINE, f"{page['KeyCount']} of {len(keys)}, {_jobs(server.data)}"
        time.sleep(0.5)


def test_jobs_that_fail_are_listed(start_server: StartServer, hook: Hook) -> None:
    server = start_server(workers=1, environment={"PIXGATE_PURGE_URL": hook.url, "PIXGATE_PURGE_AGAIN": "0"})
    gallery = Gallery(server, "photos")
    set_images(server.data, "photos", purge=True)
    hook.status = 500
    gallery.put("a.jpg", images.jpeg((200, 100)))
    gallery.client.delete_object(Bucket="photos", Key="a.jpg")
    deadline = time.monotonic() + DEADLINE
    # It is tried again and again, and running for a moment each time.
    while not (found := [job for job in _jobs(server.data) if job["error"] and job["state"] == "waiting"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (job,) = found
    assert (job["kind"], job["key"]) == ("purge", "a.jpg")
    assert "500" in job["error"]
    server.stop()
    assert pixgate("jobs", "list", data=server.data).stdout.startswith(f"{job['id']}\tpurge\twaiting\tphotos\ta.jpg\t")


def _jobs(data: Path) -> list[dict[str, Any]]:
    """What `pixgate jobs list --json` says."""

    async def work(services: Services) -> list[dict[str, Any]]:
        return [described(job) for job in await rows.page(services.database, failed=False, after=0, limit=1000)]

    return beside(data, work)


def _let_claims_end(data: Path) -> None:
    """As if the time had gone by for which the dead claimed their jobs."""

    async def work(services: Services) -> int:
        return await services.database.write(lambda tx: tx.run("UPDATE jobs SET run_at_ms = 1 WHERE claim <> ''"))

    assert beside(data, work)
