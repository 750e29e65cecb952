"""Processing of images as apps see it: how far a job is, what came of it, what failed, and the service's health."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psutil
import pytest

from conformance.target import Keys
from tests import images
from tests.functional.api.client import Answer, Api
from tests.functional.beside import set_images
from tests.functional.conftest import StartServer
from tests.functional.imaging import Gallery, fetch
from tests.functional.job_worker import Outcome, outcomes, wait_for
from tests.services import ROOT, Server, pixgate

BROKEN = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + b"no picture at all " * 20
"""What begins as a JPEG does and is none."""
SIZES = {
    "large": (1200, 800),
    "medium": (600, 400),
    "thumbnail": (150, 100),
    "thumbnail-600": (600, 400),
    "thumbnail-300": (300, 200),
    "thumbnail-150": (150, 100),
}


@pytest.fixture(scope="module")
def gallery(api_server: Server) -> Gallery:
    """A bucket whose images apps know, and everybody may see."""
    made = Gallery(api_server, "jobs-photos")
    set_images(api_server.data, "jobs-photos", public=True, catalogue=True)
    return made


def job_of(server: Server, image: str) -> Outcome | None:
    return next((one for one in outcomes(server.data) if one.image == image), None)


def processed(gallery: Gallery, api: Api, key: str, body: bytes) -> dict[str, Any]:
    """Put an image by S3 and wait until its processing has ended; gives its job."""
    image = gallery.put(key, body)
    found = wait_for(lambda: job_of(api.server, image), lambda one: one is not None)
    assert found is not None

    def ask() -> dict[str, Any]:
        answer = api.get(f"images/jobs/{found.job}")
        assert answer.status == 200, answer.body
        return dict(answer.json)

    return wait_for(ask, lambda job: job["status"] in ("completed", "failed"))


def test_what_a_client_of_s3_writes_is_processed_and_known(gallery: Gallery, api: Api) -> None:
    job = processed(gallery, api, "holiday/sea.jpg", images.jpeg((1500, 1000)))
    assert set(job) == {"job_id", "image_id", "status", "attempts", "error", "created_at", "completed_at"}
    assert (job["status"], job["attempts"], job["error"]) == ("completed", 1, None)
    assert job["completed_at"] > job["created_at"]
    found = job_of(api.server, job["image_id"])
    assert found is not None
    assert (found.image_status, found.width, found.pins) == ("completed", 1500, 6)
    assert found.events == ("image.processed",)
    answer = api.get(f"images/jobs/{job['job_id']}/result/")
    assert answer.status == 200, answer.body
    result = answer.json
    assert (result["job_id"], result["image_id"], result["status"]) == (job["job_id"], job["image_id"], "completed")
    assert set(result["variants"]) == set(SIZES)
    for name, made in result["variants"].items():
        assert (made["width"], made["height"]) == SIZES[name]
        assert made["size"] == f"{made['width']}x{made['height']}"
        shown = fetch(api.server, made["url"])
        assert (shown.status, shown.picture.size) == (200, SIZES[name]), (name, shown.body[:200])
        assert (len(shown.body), shown.headers["content-type"]) == (made["bytes"], made["content_type"])


def test_a_version_is_processed_once_whatever_its_client_said_it_is(gallery: Gallery, api: Api) -> None:
    first = processed(gallery, api, "same.jpg", images.png((40, 30)))
    second = processed(gallery, api, "same.jpg", images.png((40, 30), 2))
    assert first["image_id"] != second["image_id"]
    of_both = [one for one in outcomes(api.server.data) if one.image in (first["image_id"], second["image_id"])]
    # The first one's version is gone, and what was known of it is swept some time.
    assert [one.job for one in of_both if one.image == second["image_id"]] == [second["job_id"]]
    gallery.put("no-image.txt", b"just words")
    assert processed(gallery, api, "last.png", images.png((40, 30), 3))["status"] == "completed"


def test_nobody_finds_a_job_that_is_none(api: Api) -> None:
    for path in ("images/jobs/0123456789abcdef0123456789abcdef", "images/jobs/x/result", "images/jobs/%20"):
        answer = api.get(path)
        assert (answer.status, answer.code) == (404, "JOB_NOT_FOUND"), answer.body


def test_a_broken_image_fails_at_once_and_is_shown_all_the_same(gallery: Gallery, api: Api) -> None:
    job = processed(gallery, api, "broken.jpg", BROKEN)
    assert (job["status"], job["attempts"]) == ("failed", 1), "no further attempt would mend it"
    assert job["error"]
    answer = api.get(f"images/jobs/{job['job_id']}/result")
    assert (answer.status, answer.code) == (409, "JOB_NOT_COMPLETED")
    assert answer.json["error"]["details"] == {"status": "failed", "error": job["error"]}
    stored = gallery.client.get_object(Bucket="jobs-photos", Key="broken.jpg")
    with stored["Body"] as body:
        assert body.read() == BROKEN
    found = job_of(api.server, job["image_id"])
    assert found is not None
    assert (found.image_status, found.events) == ("failed", ("image.failed",))
    # Who asks without a login gets numbers and codes.
    failed = api.get("health/failed").json
    row = _row_of(api.with_keys(ROOT), job["job_id"])
    assert {one["id"] for one in failed["jobs"]} >= {row["id"]}
    public = next(one for one in failed["jobs"] if one["id"] == row["id"])
    assert (public["code"], public["error"], public["job_id"], public["image_id"]) == ("HOPELESS", None, None, None)
    assert failed["codes"]["HOPELESS"] >= 1
    assert (row["image_id"], row["attempts"]) == (job["image_id"], 1)
    assert job["error"] in row["error"]


def _row_of(admin: Api, job: str) -> dict[str, Any]:
    """What administrators are told of an image's job that failed."""
    answer = admin.get("health/failed")
    assert answer.status == 200, answer.body
    return next(one for one in answer.json["jobs"] if one["job_id"] == job)


def test_administrators_try_again_and_give_up(gallery: Gallery, api: Api) -> None:
    job = processed(gallery, api, "again.jpg", BROKEN + b"!")
    admin = api.with_keys(ROOT)
    number = _row_of(admin, job["job_id"])["id"]
    listed = admin.get("/api/admin/v1/jobs", query={"failed": "true"}).json["items"]
    assert next(one for one in listed if one["id"] == number)["state"] == "failed"
    assert (
        f"{number}\tprocess\tfailed\t{job['image_id']}"
        in pixgate("jobs", "list", "--failed", data=api.server.data).stdout
    )
    answer = admin.post(f"/api/admin/v1/jobs/{number}/retry")
    assert (answer.status, answer.json) == (200, {"retried": 1})
    wait_for(
        lambda: api.get(f"images/jobs/{job['job_id']}").json,
        lambda found: found["status"] == "failed" and found["completed_at"] != job["completed_at"],
    )
    assert admin.delete(f"/api/admin/v1/jobs/{number}").status == 204
    for method, path in (("POST", f"{number}/retry"), ("DELETE", f"{number}"), ("DELETE", "x")):
        gone = admin.ask(method, f"/api/admin/v1/jobs/{path}")
        assert (gone.status, gone.code) == (404, "JOB_NOT_FOUND")
    nobody = api.with_keys(gallery.keys).get("/api/admin/v1/jobs")
    assert (nobody.status, nobody.code) == (403, "FORBIDDEN")
    assert admin.post("/api/admin/v1/jobs/retry").status == 200
    assert admin.get("/api/admin/v1/jobs", query={"cursor": "!"}).status == 400


@pytest.fixture
def lonely(start_server: StartServer) -> Iterator[Api]:
    """A server whose jobs come to nothing, as nobody renders; two at a time."""
    server = start_server(workers=1, environment={"PIXGATE_IMAGE_DECODERS": "1"})
    brokers = _brokers(server)
    for broker in brokers:
        broker.suspend()
    yield Api(server)
    for broker in brokers:
        broker.resume()


def _brokers(server: Server) -> list[psutil.Process]:
    children = psutil.Process(server.pid).children()
    return [child for child in children if any("gateway.render.broker" in argument for argument in child.cmdline())]


def test_a_job_that_waits_is_no_result(lonely: Api) -> None:
    gallery = Gallery(lonely.server, "photos")
    set_images(lonely.server.data, "photos", catalogue=True)
    image = gallery.put("a.jpg", images.jpeg((300, 200)))
    found = wait_for(lambda: job_of(lonely.server, image), lambda one: one is not None and one.status == "processing")
    assert found is not None
    job = lonely.get(f"images/jobs/{found.job}").json
    assert (job["status"], job["attempts"], job["completed_at"]) == ("processing", 1, None)
    answer = lonely.get(f"images/jobs/{found.job}/result")
    assert (answer.status, answer.code) == (409, "JOB_NOT_COMPLETED")
    stats = lonely.get("health/stats").json
    assert stats["queues"]["process"] == {"waiting": 1, "failed": 0}
    assert stats["jobs"] == {"pending": 0, "processing": 1, "completed": 0, "failed": 0}
    assert stats["times"]["24h"] == {"completed": 0, "p50_seconds": None, "p95_seconds": None}


def test_health_tells_numbers_to_all_and_words_to_administrators(gallery: Gallery, api: Api) -> None:
    processed(gallery, api, "healthy.jpg", images.jpeg((200, 100)))
    health = api.get("health")
    assert health.status == 200
    told = health.json
    assert told["status"] == "healthy", told
    assert told["jobs"]["engine"] == "in-process"
    assert isinstance(told["jobs"]["waiting"], int)
    assert told["jobs"]["oldest_seconds"] >= 0
    assert told["jobs"]["workers"] is None, "the servers do the work themselves"
    active, limit = told["upload_slots"].split("/")
    assert (active.isdigit(), int(limit) > 0) == (True, True)
    assert {told[name]["status"] for name in ("database", "store", "cache")} == {"healthy"}
    assert told["cache"]["detail"] is None
    assert "renditions" in api.with_keys(ROOT).get("health").json["cache"]["detail"]
    stats = api.get("health/stats").json
    assert stats["jobs"]["completed"] >= 1
    for window in ("1h", "24h"):
        times = stats["times"][window]
        assert times["completed"] >= 1
        assert 0 < times["p50_seconds"] <= times["p95_seconds"]
    assert stats["storage"]["objects"] >= 1
    assert stats["storage"]["bytes"] > 0
    assert stats["near_limit"]["users"] is None
    assert api.with_keys(ROOT).get("health/stats").json["near_limit"]["users"] == []
    wrong = api.with_keys(Keys(ROOT.access_key, "wrong" * 8))
    assert _status(wrong.get("health")) == (401, "UNAUTHORIZED"), "credentials that are given must be valid"


def _status(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code


def test_the_schedule_is_listed_and_is_no_backlog(api: Api) -> None:
    told = json.loads(pixgate("jobs", "list", "--scheduled", "--json", data=api.server.data).stdout)
    assert {job["payload"]["task"] for job in told["jobs"]} >= {"variants", "sessions", "audit log", "image jobs"}
    assert all(job["state"] in ("waiting", "running") for job in told["jobs"])


def test_apps_keys_do_not_name_strangers_jobs(api: Api, gallery: Gallery) -> None:
    stranger = replace(api, keys=gallery.keys)
    assert all(job["image_id"] is None for job in stranger.get("health/failed").json["jobs"])


def test_an_upload_has_one_job_that_fills_in_what_is_known_of_it(api: Api) -> None:
    user = api.app_user()
    uploaded = user.upload(images.jpeg((1500, 1000), 4))
    assert uploaded.status == 201, uploaded.body
    image = uploaded.json
    assert (image["dominant_color"], image["blurhash"], image["thumbnail_ready"]) == (None, None, False)
    wait_for(lambda: api.get(f"images/jobs/{image['job_id']}").json["status"], lambda status: status == "completed")
    known = user.get(f"images/{image['id']}").json
    assert known["thumbnail_ready"] is True
    assert known["dominant_color"].startswith("#")
    assert (known["width"], known["height"], known["status"]) == (1500, 1000, "completed")
    assert known["blurhash"]
    jobs = [one for one in outcomes(api.server.data) if one.image == image["id"]]
    assert [one.job for one in jobs] == [image["job_id"]], "the bucket's own look at it found it known"
    result = api.get(f"images/jobs/{image['job_id']}/result").json
    assert result["image_id"] == image["id"]


def test_what_was_deleted_while_it_waited_is_no_failure(lonely: Api) -> None:
    gallery = Gallery(lonely.server, "photos")
    set_images(lonely.server.data, "photos", catalogue=True)
    for number in range(2):
        image = gallery.put(f"{number}.jpg", images.jpeg((300, 200), number))
        wait_for(
            lambda image=image: job_of(lonely.server, image),  # type: ignore[misc]
            lambda one: one is not None and one.status == "processing",
        )
    last = gallery.put("last.jpg", images.jpeg((300, 200), 9))
    found = wait_for(lambda: job_of(lonely.server, last), lambda one: one is not None)
    assert found is not None
    assert found.status == "pending"
    gallery.client.delete_object(Bucket="photos", Key="last.jpg")
    for broker in _brokers(lonely.server):
        broker.resume()
    job = wait_for(lambda: lonely.get(f"images/jobs/{found.job}").json, lambda job: job["status"] == "failed")
    assert job["error"] == "The image was deleted."
    assert lonely.get("health/stats").json["jobs"]["failed"] == 0
    assert lonely.get("health/failed").json["total"] == 0, "nothing is to be tried again"
