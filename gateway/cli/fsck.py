"""`pixgate fsck`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import Duration

if TYPE_CHECKING:
    from gateway.services import Services
    from gateway.services.fsck import FsckReport


@click.command()
@click.option("--repair", is_flag=True, help="Count buckets anew, queue lost contents for the sweep.")
@click.option(
    "--delete-unknown",
    is_flag=True,
    help="Remove what no row names: only under this deployment's prefix in its stores.",
)
@click.option(
    "--older-than",
    type=Duration(),
    default="1d",
    show_default=True,
    help="With --delete-unknown: only what was written so long ago.",
)
@click.option("--no-adopted", is_flag=True, help="Do not ask the stores for each adopted object.")
@json_option
@data_options
def fsck(
    repair: bool,
    delete_unknown: bool,
    older_than: int,
    no_adopted: bool,
    as_json: bool,
    data: Path | None,
    config_file: Path | None,
) -> None:
    """Check rows against rows, and rows against the stores, both ways. Works beside running servers.

    Blobs are looked for and measured, not read: a changed byte in one is not seen here. Exits with 1 where something is
    lost or contradicts itself. What no row names costs only space.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    settings = settings_of(config_file, data=data)

    async def work(services: Services) -> FsckReport:
        from gateway.backends import checked_renditions

        renditions = checked_renditions(settings, services.deployment)
        console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.completed} blobs checked"))
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=None)
            try:
                return await services.fsck.run(
                    repair=repair,
                    delete_unknown=delete_unknown,
                    check_adopted=not no_adopted,
                    older_than_ms=older_than,
                    progress=lambda done: bar.update(task, completed=done),
                    renditions=renditions,
                )
            finally:
                for place in renditions:
                    await place.objects.close()

    report = with_services(settings, work)
    if as_json:
        print_json(
            {
                "clean": report.clean,
                "blobs": report.blobs,
                "bytes": report.bytes,
                "problems": report.problems,
                "leftovers": report.leftovers,
                "adopted": report.adopted,
                "adopted_skipped": report.adopted_skipped,
                "changed": report.changed,
                "repaired": report.repaired,
            }
        )
    else:
        for problem in report.problems:
            click.echo(f"problem: {problem}")
        for name in report.leftovers:
            click.echo(f"leftover: {name}")
        for name in report.changed:
            click.echo(f"changed behind the gateway: {name}")
        if report.adopted_skipped:
            click.echo(f"{report.adopted_skipped} adopted objects were not looked at")
        for text in report.repaired:
            click.echo(f"repaired: {text}")
        verdict = "nothing is wrong" if report.clean else f"{len(report.problems)} problems"
        adopted = f"{report.adopted} adopted objects, " if report.adopted else ""
        click.echo(f"{adopted}{report.blobs} blobs, {report.bytes} bytes: {verdict}")
    raise SystemExit(0 if report.clean else 1)
