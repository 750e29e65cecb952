"""What is swept and kept, and how often: the tasks of the schedule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from gateway.jobs.schedule import DAY, HOUR, MINUTE, Scheduled
from gateway.metadata import image_jobs, jobs, renditions, sessions, shares, upload_windows
from gateway.metadata.port import Database, Transaction
from gateway.services import Services, resumable
from gateway.services.clock import now_ms
from gateway.services.variants import Variants
from gateway.settings.settings import Settings

DAY_MS = 24 * 3600 * 1000
FAILED_KEPT_MS = 30 * DAY_MS
FAILED_KEPT = 10_000
WINDOWS_KEPT_MS = 2 * 3600 * 1000
ENDED_LINKS_KEPT_MS = 30 * DAY_MS


def tasks(settings: Settings, services: Services, variants: Variants) -> list[Scheduled]:
    """All of them. What the settings want kept for ever has none."""
    database = services.database
    found = [
        Scheduled("failed jobs", 10 * MINUTE, partial(forget_failed_jobs, database)),
        Scheduled("stale renditions", 10 * MINUTE, partial(forget_stale_renditions, database)),
        Scheduled("images of gone versions", HOUR, partial(forget_gone_images, database)),
        Scheduled("upload counts", HOUR, partial(forget_upload_windows, database)),
        Scheduled(
            "abandoned uploads",
            10 * MINUTE,
            partial(resumable.forget_abandoned, database, settings.upload_resume_time * 1000),
        ),
        Scheduled("sessions", HOUR, partial(forget_sessions, database)),
        Scheduled("ended links", DAY, partial(forget_shares, database)),
        Scheduled("variants", MINUTE, variants.sweep),
        Scheduled("unnoted variants", DAY, variants.sweep_unnoted),
    ]
    if settings.jobs_kept_days:
        kept = settings.jobs_kept_days * DAY_MS
        found.append(Scheduled("image jobs", HOUR, partial(forget_image_jobs, database, kept)))
    if settings.audit_retention_days:
        kept = settings.audit_retention_days * DAY_MS
        found.append(Scheduled("audit log", HOUR, partial(services.audit.forget, kept)))
    return found


async def forget_failed_jobs(database: Database) -> int:
    """What failed for good, after a month; how many."""
    before = now_ms() - FAILED_KEPT_MS
    return await database.write(lambda tx: jobs.forget_failed(tx, before, FAILED_KEPT))


async def forget_stale_renditions(database: Database) -> None:
    """Rows of views whose version is not the current one any more."""
    after: renditions.Place | None = None
    while True:
        after = await database.write(lambda tx, after=after: renditions.forget_stale(tx, after), heavy=True)  # type: ignore[misc]
        if after is None:
            return


async def forget_gone_images(database: Database) -> None:
    """What is known of images whose version is gone: it means nothing any more."""
    after: str | None = ""
    while after is not None:
        after = await database.write(partial(image_jobs.forget_images, after=after), heavy=True)


async def forget_upload_windows(database: Database) -> int:
    before = now_ms() - WINDOWS_KEPT_MS
    return await database.write(lambda tx: upload_windows.forget(tx, before))


async def forget_sessions(database: Database) -> int:
    """What has expired: sessions, refresh tokens, password resets, tokens that were logged out."""
    moment = now_ms()
    return await _all(database, lambda tx: sessions.forget_expired(tx, moment))


async def forget_shares(database: Database) -> int:
    """Links that ended long ago, and are of no use but to be looked at."""
    before = now_ms() - ENDED_LINKS_KEPT_MS
    return await _all(database, lambda tx: shares.forget_ended(tx, before))


async def forget_image_jobs(database: Database, kept_ms: int) -> int:
    """Outcomes that are older than that."""
    before = now_ms() - kept_ms
    return await _all(database, lambda tx: image_jobs.forget_old(tx, before))


async def _all(database: Database, some: Callable[[Transaction], Awaitable[int]]) -> int:
    """Do it until nothing is left; how many in all."""
    total = 0
    while count := await database.write(some, heavy=True):
        total += count
    return total
