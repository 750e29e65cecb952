"""The processing of images in rows, on both engines: how far a job is, in step with its image, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.errors import JobNotFound
from gateway.jobs.carrier import Carrier
from gateway.jobs.image_watch import ImageWatch
from gateway.jobs.kind import Effect, Hopeless, Kind, Postponed
from gateway.metadata import audit, image_jobs, images, job_statistics, jobs
from gateway.metadata.audit import Actor, Wanted
from gateway.metadata.image_jobs import ImageJob
from gateway.metadata.jobs import Job
from gateway.metadata.port import Database, Transaction
from gateway.model.images import ImageRow, JobStatus
from gateway.services import image_jobs as service
from gateway.services import jobs as job_service
from tests.contract.image_rows import put_image
from tests.contract.metadata_rows import new_bucket


async def uploaded(database: Database) -> tuple[str, str]:
    """An image with its job, as an upload leaves them: the id of the job, and of the image."""
    bucket, lease = await new_bucket(database)
    row = await put_image(database, bucket, lease, status=JobStatus.PENDING)

    async def work(tx: Transaction) -> str:
        job = await service.add(tx, row.image_id, 100)
        await tx.run("UPDATE images SET job_id = ? WHERE image_id = ?", (job, row.image_id))
        return job

    return await database.write(work), row.image_id


async def state(database: Database, job: str, image: str) -> tuple[ImageJob, ImageRow]:
    found, row = await service.get(database, job), await images.get(database, image)
    assert found is not None
    assert row is not None
    return found, row


async def work_at(database: Database, outcome: Exception | None, *, attempts: int = 3) -> int:
    """Carry out what is due, as `outcome` says; how many jobs there were."""

    async def work(claimed: Sequence[Job]) -> Effect | None:
        (job,) = claimed
        if outcome is not None:
            raise outcome

        async def end(tx: Transaction) -> None:
            await image_jobs.complete(tx, job.payload["job"], job.attempts, {"variants": [{"name": "medium"}]}, 9_000)

        return end

    kind = Kind(jobs.PROCESS, work, attempts=attempts, watch=ImageWatch(), deaths_count=True)
    return await Carrier(database).run_once(kind)


async def make_due(database: Database) -> None:
    await database.write(lambda tx: tx.run("UPDATE jobs SET run_at_ms = 0 WHERE run_at_ms IS NOT NULL"))


async def test_a_job_and_its_image_say_the_same_at_each_step(database: Database) -> None:
    job, image = await uploaded(database)
    assert len(job) == 32
    found, row = await state(database, job, image)
    assert (found.status, found.attempts, found.image_id, found.created_ms) == (JobStatus.PENDING, 0, image, 100)
    assert row.job_id == job

    seen: list[tuple[JobStatus, JobStatus]] = []

    async def work(claimed: Sequence[Job]) -> Effect | None:
        during, its = await state(database, job, image)
        seen.append((during.status, its.status))
        assert during.attempts == 1
        assert during.started_ms is not None
        raise ValueError("odd")

    kind = Kind(jobs.PROCESS, work, attempts=2, watch=ImageWatch())
    assert await Carrier(database).run_once(kind) == 1
    assert seen == [(JobStatus.PROCESSING, JobStatus.PROCESSING)]
    found, row = await state(database, job, image)
    assert (found.status, row.status, found.attempts) == (JobStatus.PENDING, JobStatus.PENDING, 1)
    assert found.error == "Something went wrong here.", "what nobody foresaw is told to nobody"
    (waiting,) = await jobs.page(database, failed=False, after=0, limit=9)
    assert waiting.error == "ValueError: odd"
    await make_due(database)
    assert await work_at(database, None) == 1
    found, _ = await state(database, job, image)
    assert (found.status, found.attempts, found.error, found.completed_ms) == (JobStatus.COMPLETED, 2, None, 9_000)
    assert found.result == {"variants": [{"name": "medium"}]}
    assert await jobs.backlog(database) == {}


async def test_what_is_postponed_is_no_attempt(database: Database) -> None:
    job, image = await uploaded(database)
    assert await work_at(database, Postponed("The renderer is busy.", 5)) == 1
    found, row = await state(database, job, image)
    assert (found.status, found.attempts, found.error) == (JobStatus.PENDING, 0, "The renderer is busy.")
    assert row.status is JobStatus.PENDING


@pytest.mark.parametrize(("error", "attempts"), [(Hopeless("No picture."), 1), (ValueError("odd"), 3)])
async def test_what_fails_for_good_is_listed_noted_and_can_be_tried_again(
    database: Database, error: Exception, attempts: int
) -> None:
    job, image = await uploaded(database)
    for _ in range(attempts):
        await make_due(database)
        assert await work_at(database, error) == 1
    found, row = await state(database, job, image)
    assert (found.status, row.status, found.attempts) == (JobStatus.FAILED, JobStatus.FAILED, attempts)
    assert found.completed_ms is not None
    assert found.error == ("No picture." if isinstance(error, Hopeless) else "Something went wrong here.")
    (dead,) = await job_service.page(database, failed=True)
    assert (dead.kind, dead.run_at_ms, dead.payload) == (jobs.PROCESS, None, {"job": job, "image": image})
    assert await job_statistics.failures(database) == {(jobs.PROCESS, type(error).__name__): 1}
    assert [one.id for one in await jobs.newest_failed(database, 5)] == [dead.id]
    events = await audit.page(database, Wanted(), before=None, limit=10)
    assert [(event.action, event.target) for event in events] == [("image.failed", image)]

    with pytest.raises(JobNotFound):
        await job_service.retry(database, dead.id + 1, Actor("cli"))
    assert await job_service.retry(database, None, Actor("cli")) == 1
    found, row = await state(database, job, image)
    assert (found.status, row.status, found.attempts, found.error) == (JobStatus.PENDING, JobStatus.PENDING, 0, None)
    assert await work_at(database, None) == 1
    found, _ = await state(database, job, image)
    assert (found.status, found.attempts) == (JobStatus.COMPLETED, 1)
    events = await audit.page(database, Wanted(), before=None, limit=10)
    assert events[0].action == "job.retry"


async def test_an_attempt_whose_process_died_is_one(database: Database) -> None:
    job, image = await uploaded(database)
    for _ in range(2):
        await database.write(lambda tx: jobs.claim(tx, jobs.PROCESS, "dead", 10**13, 10**13, 1))
        await make_due(database)
    assert await work_at(database, ValueError("never begun"), attempts=2) == 1
    found, row = await state(database, job, image)
    assert (found.status, row.status, found.attempts) == (JobStatus.FAILED, JobStatus.FAILED, 2)
    assert found.error == "the process ended 2 times before the job did"
    (dead,) = await job_service.page(database, failed=True)
    with pytest.raises(JobNotFound):
        await job_service.delete(database, dead.id + 1, Actor("cli"))
    assert await job_service.delete(database, dead.id, Actor("cli")) == 1
    found, _ = await state(database, job, image)
    assert found.status is JobStatus.FAILED
    assert await job_service.delete(database, None, Actor("cli")) == 0


async def test_who_lost_a_job_says_nothing_of_it(database: Database) -> None:
    job, image = await uploaded(database)

    async def work(claimed: Sequence[Job]) -> Effect | None:
        await database.write(lambda tx: tx.run("UPDATE jobs SET claim = 'another'"))
        raise Hopeless("not mine")

    await Carrier(database).run_once(Kind(jobs.PROCESS, work, watch=ImageWatch()))
    found, row = await state(database, job, image)
    assert (found.status, row.status, found.error) == (JobStatus.PROCESSING, JobStatus.PROCESSING, None)
    assert await job_service.page(database, failed=True) == []


async def test_another_job_of_an_image_leaves_its_status_alone(database: Database) -> None:
    job, image = await uploaded(database)
    other = await database.write(lambda tx: service.add(tx, image, 200))
    await database.write(lambda tx: image_jobs.fail(tx, other, image, 1, "no", 300))
    found, row = await state(database, job, image)
    assert (found.status, row.status) == (JobStatus.PENDING, JobStatus.PENDING)


async def test_numbers_of_jobs(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        for number in range(1, 101):
            await image_jobs.insert(tx, f"{number}", "i", 1_000)
            await image_jobs.complete(tx, f"{number}", 1, {}, 1_000 + number)
        await image_jobs.insert(tx, "waits", "i", 1_000)
        await image_jobs.insert(tx, "failed", "i", 1_000)
        await image_jobs.fail(tx, "failed", "i", 3, "no", 99_000)
        for deleted in ("gone", "gone too"):
            await image_jobs.insert(tx, deleted, "i", 1_000)
            await image_jobs.fail(tx, deleted, "i", 1, image_jobs.GONE, 99_000)

    await database.write(work)
    counts = await job_statistics.by_status(database)
    assert {status.value: count for status, count in counts.items()} == {
        "pending": 1,
        "processing": 0,
        "completed": 100,
        "failed": 1,
    }
    times = await job_statistics.times_since(database, 0)
    assert (times.count, times.p50_ms, times.p95_ms) == (100, 51, 96)
    assert (await job_statistics.times_since(database, 1_100)).count == 1
    assert (await job_statistics.times_since(database, 50_000)).p50_ms is None


async def test_old_outcomes_and_images_of_gone_versions_are_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_jobs, "FORGOTTEN", 2)
    bucket, lease = await new_bucket(database)
    kept = [await put_image(database, bucket, lease, tags=("a",)) for _ in range(3)]
    gone = [await put_image(database, bucket, lease, tags=("a",)) for _ in range(3)]

    async def lose(tx: Any) -> None:
        for row in gone:
            await tx.run("DELETE FROM heads WHERE seq = ?", (row.seq,))
            await tx.run("DELETE FROM versions WHERE seq = ?", (row.seq,))
        for number in range(5):
            await image_jobs.insert(tx, f"{number}", "i", 1)
            if number:
                await image_jobs.fail(tx, f"{number}", "i", 1, "no", number * 10)

    await database.write(lose)
    after: str | None = ""
    while after is not None:
        after = await database.write(lambda tx, after=after: image_jobs.forget_images(tx, after))  # type: ignore[misc]
    left = {row[0] for row in await database.all("SELECT image_id FROM images")}
    assert left == {row.image_id for row in kept}
    assert {row[0] for row in await database.all("SELECT image_id FROM image_tags")} == left
    counts = [await database.write(lambda tx: image_jobs.forget_old(tx, 40)) for _ in range(3)]
    assert counts == [2, 1, 0]
    assert {row[0] for row in await database.all("SELECT id FROM image_jobs")} == {"0", "4"}, (
        "one that has not ended stays"
    )
