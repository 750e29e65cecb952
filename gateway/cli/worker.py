"""`pixgate worker`."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.context import data_options, settings_of
from gateway.metadata import jobs

KINDS = jobs.KINDS


@click.command()
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    help="Jobs at a time, each in a process of its own. Without it: as many as the settings have decoders.",
)
@click.option(
    "--only",
    "kinds",
    multiple=True,
    type=click.Choice(KINDS),
    help="Kinds of work that this worker takes. Repeatable; without it all.",
)
@data_options
def worker(concurrency: int | None, kinds: tuple[str, ...], data: Path | None, config_file: Path | None) -> None:
    """Do background work that servers hand out by Celery, until SIGTERM or Ctrl-C: what was begun is finished.

    It needs the settings of the servers: the database, the stores, the Redis, the master key. Where these are elsewhere it
    runs on a machine of its own.
    """
    settings = settings_of(config_file, data=data)
    if not settings.by_celery:
        raise click.ClickException(
            "the servers do their background work themselves: set PIXGATE_CELERY_URL, for them and for workers"
        )
    from gateway.supervisor.log import configure_supervisor_logging
    from gateway.worker import WorkerHost

    configure_supervisor_logging(settings.log_level)
    raise SystemExit(WorkerHost(settings, kinds or KINDS, concurrency or settings.image_decoders).run())
