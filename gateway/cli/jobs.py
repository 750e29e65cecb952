"""`pixgate jobs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import utc
from gateway.services.jobs import state

if TYPE_CHECKING:
    from gateway.jobs.presence import Roll, Worker
    from gateway.metadata.jobs import Job
    from gateway.services import Services
    from gateway.settings.settings import Settings

LISTED = 1_000
_SUBJECTS = ("name", "bucket", "image", "task")
"""What a job is about, by the names in the payloads: the first that is there is shown."""


@click.group()
def jobs() -> None:
    """Background work: the processing of uploaded images, renditions that are made at upload, purges of the CDN.

    A job that fails is tried again, later each time. After its last attempt it has failed for good, and stays in the list
    for 30 days or until it is tried again or deleted.
    """


def described(job: Job) -> dict[str, Any]:
    """A job, for programs."""
    payload = dict(job.payload)
    key = payload.pop("key", None)
    return {
        "id": job.id,
        "kind": job.kind,
        "state": state(job),
        "key": None if key is None else bytes.fromhex(key).decode("utf-8", "backslashreplace"),
        "payload": payload,
        "attempts": job.attempts,
        "created": utc(job.created_ms),
        "due": None if job.run_at_ms is None else utc(job.run_at_ms),
        "error": job.error,
    }


@jobs.command("list")
@click.option("--failed", is_flag=True, help="Those that failed for good; without it those that wait or run.")
@click.option("--scheduled", is_flag=True, help="What is done now and then instead, and when it is due.")
@json_option
@data_options
def list_jobs(failed: bool, scheduled: bool, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """List jobs, the oldest first, and count those of each kind; and say who does them, where Celery tells workers."""
    from gateway.jobs.engine import waiting_seconds
    from gateway.metadata import jobs as rows

    settings = settings_of(config_file, data=data)

    async def work(
        services: Services,
    ) -> tuple[list[Job], dict[str, tuple[int, int]], dict[str, float], Roll | str | None]:
        waits = await waiting_seconds(services.database)
        roll = await _roll(settings, services) if settings.by_celery else None
        if scheduled:
            return await services.database.read(rows.scheduled), {}, waits, roll
        found = await services.database.read(lambda reader: rows.page(reader, failed=failed, after=0, limit=LISTED + 1))
        return found, await services.database.read(rows.backlog), waits, roll

    found, backlog, waits, roll = with_services(settings, work)
    if as_json:
        counts = {kind: {"waiting": waiting, "failed": dead} for kind, (waiting, dead) in backlog.items()}
        oldest = {kind: round(seconds, 1) for kind, seconds in waits.items()}
        document = {"counts": counts, "oldest_seconds": oldest, "jobs": [described(job) for job in found[:LISTED]]}
        if roll is not None:
            document["workers"] = None if isinstance(roll, str) else [_worker(worker) for worker in roll.living]
        print_json(document)
        return
    from gateway.cli.table import print_table

    print_table(
        ("ID", "KIND", "STATE", "OF", "KEY", "ATTEMPTS", "CREATED", "DUE", "ERROR"),
        [
            (
                str(row["id"]),
                row["kind"],
                row["state"],
                next((str(row["payload"][name]) for name in _SUBJECTS if name in row["payload"]), ""),
                row["key"] or "",
                str(row["attempts"]),
                row["created"],
                row["due"] or "",
                row["error"] or "",
            )
            for row in map(described, found[:LISTED])
        ],
    )
    if len(found) > LISTED:
        click.echo(f"and more: these are the oldest {LISTED}", err=True)
    for kind, (waiting, dead) in sorted(backlog.items()):
        since = f", the oldest due for {waits[kind]:.0f} s" if kind in waits else ""
        click.echo(f"{kind}: {waiting} waiting or running{since}, {dead} failed for good", err=True)
    if roll is not None:
        click.echo(_told(roll), err=True)


async def _roll(settings: Settings, services: Services) -> Roll | str:
    """The workers; a text where Redis does not tell."""
    from gateway.cache.port import CacheUnavailable
    from gateway.jobs.engine import presence_of

    presence = presence_of(settings, services.deployment)
    try:
        return await presence.call()
    except CacheUnavailable as error:
        return f"workers: the Redis of Celery: {error}"
    finally:
        await presence.close()


def _told(roll: Roll | str) -> str:
    from gateway.metadata import jobs as rows

    if isinstance(roll, str):
        return roll
    told = [f"{worker.name} ({worker.concurrency} at a time)" for worker in roll.living]
    problem = roll.problem(rows.KINDS)
    return "workers: " + "; ".join(told if problem is None else [*told, problem])


def _worker(worker: Worker) -> dict[str, Any]:
    return {"name": worker.name, "kinds": list(worker.kinds), "concurrency": worker.concurrency}


@jobs.command()
@click.argument("job", type=int, required=False)
@click.option("--all", "every", is_flag=True, help="All that failed for good.")
@data_options
def retry(job: int | None, every: bool, data: Path | None, config_file: Path | None) -> None:
    """Try a job that failed for good again, from its first attempt."""
    _change(job, data, config_file, every=every, delete=False)


@jobs.command()
@click.argument("job", type=int, required=False)
@click.option("--all", "every", is_flag=True, help="All that failed for good.")
@data_options
def delete(job: int | None, every: bool, data: Path | None, config_file: Path | None) -> None:
    """Delete a job that failed for good."""
    _change(job, data, config_file, every=every, delete=True)


def _change(job: int | None, data: Path | None, config_file: Path | None, *, every: bool, delete: bool) -> None:
    from gateway.services import jobs as service
    from gateway.services.audit import CLI

    if (job is None) != every:
        raise click.UsageError("give the id of one job, or --all")

    async def work(services: Services) -> int:
        change = service.delete if delete else service.retry
        return await change(services.database, job, CLI)

    changed = with_services(settings_of(config_file, data=data), work)
    click.echo(f"{changed} {'deleted' if delete else 'to be tried again'}")
