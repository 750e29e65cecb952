"""`pixgate sweep`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import Duration

if TYPE_CHECKING:
    from gateway.services import Services
    from gateway.services.sweep import SweepReport

WAIT_SECONDS = 150.0
"""Longer than a process that died in the middle of its round keeps the others out."""
AGAIN_SECONDS = 0.2


@click.command()
@click.option(
    "--grace",
    type=Duration(),
    default="1d",
    show_default=True,
    help="Leave what was deleted later than so long ago; 0s: free everything now.",
)
@json_option
@data_options
def sweep(grace: int, as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """Remove the bytes of what was deleted, and what broken uploads left, now.

    Servers do so every minute, a day after the deletion, so that a copy of the database still finds its bytes: a shorter
    --grace frees space sooner, and backups made since then may miss some. Works beside running servers.
    """

    async def work(services: Services) -> SweepReport:
        due = time.monotonic() + WAIT_SECONDS
        while (report := await services.sweep.run_once(grace)) is None:
            if time.monotonic() > due:
                raise click.ClickException("other processes sweep all the time")
            await asyncio.sleep(AGAIN_SECONDS)
        return report

    report = with_services(settings_of(config_file, data=data), work)
    if as_json:
        print_json(
            {"contents": report.contents, "blobs": report.blobs, "names": report.names, "waiting": report.waiting}
        )
    else:
        click.echo(f"{report.blobs} blobs removed, and {report.names} names that nothing refers to")
    if report.waiting:
        raise click.ClickException(f"not all could be done: {', '.join(report.waiting)}; run it again")
