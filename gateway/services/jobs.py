"""Jobs as administrators see them: what waits, what failed for good, trying that again, giving it up."""

from __future__ import annotations

from gateway.errors import JobNotFound
from gateway.metadata import image_jobs, jobs
from gateway.metadata.jobs import Job
from gateway.metadata.port import Database, Transaction
from gateway.services.audit import Action, Actor, Event, note
from gateway.services.clock import now_ms

RETRIED = 500
"""Jobs that one transaction tries again at most."""


async def page(database: Database, *, failed: bool, after: int = 0, limit: int = 100) -> list[Job]:
    """Jobs by number behind `after`: those that failed for good, or those that wait or are worked at."""
    return await database.read(lambda reader: jobs.page(reader, failed=failed, after=after, limit=limit))


def state(job: Job) -> str:
    """waiting, running, or failed: for good."""
    if job.run_at_ms is None:
        return "failed"
    return "waiting" if job.claim is None else "running"


async def retry(database: Database, identity: int | None, actor: Actor) -> int:
    """Try one that failed for good again, or all of them, from the first attempt; how many. Raises JobNotFound."""
    if identity is not None:
        count = await database.write(lambda tx: _retry(tx, (identity,), actor))
        if not count:
            raise JobNotFound(identity)
        return count
    total, after = 0, 0
    while found := await page(database, failed=True, after=after, limit=RETRIED):
        chosen = [job.id for job in found]
        total += await database.write(lambda tx, chosen=chosen: _retry(tx, chosen, actor))  # type: ignore[misc]
        after = chosen[-1]
    return total


async def _retry(tx: Transaction, identities: list[int] | tuple[int, ...], actor: Actor) -> int:
    moment, count = now_ms(), 0
    for identity in identities:
        job = await jobs.find(tx, identity)
        if job is None or not await jobs.retry(tx, identity, moment):
            continue
        count += 1
        if job.kind == jobs.PROCESS:
            await image_jobs.wait(tx, job.payload["job"], job.payload["image"], 0, None)
        await note(tx, Event(Action.JOB_RETRY, actor, moment, target=str(identity), detail={"kind": job.kind}))
    return count


async def delete(database: Database, identity: int | None, actor: Actor) -> int:
    """Give one up that failed for good, or all of them; how many. Raises JobNotFound."""

    async def work(tx: Transaction) -> int:
        count = await jobs.delete_failed(tx, identity)
        if count:
            target = "all" if identity is None else str(identity)
            await note(tx, Event(Action.JOB_DELETE, actor, now_ms(), target=target, detail={"jobs": count}))
        return count

    count = await database.write(work)
    if identity is not None and not count:
        raise JobNotFound(identity)
    return count
