"""`pixgate adopt`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.cli.duration import Duration
from gateway.errors import InvalidBucketName, InvalidValue, Unavailable

if TYPE_CHECKING:
    from gateway.metadata.attachments import Attachment
    from gateway.services import Services
    from gateway.services.adopt import AdoptReport


@click.command()
@click.option("--store", help="The store whose service has the bucket. May be left out where there is one S3 store.")
@click.option("--bucket", "source", required=True, help="The bucket there.")
@click.option("--as", "name", metavar="NAME", help="What it is called here. Unset: as there.")
@click.option("--prefix", default="", help="Only keys that begin so; they keep their whole names.")
@click.option(
    "--own/--not-own", "own", default=None, help="Whether what is deleted here is deleted there as well, a day later."
)
@click.option("--watch", is_flag=True, help="Look again and again, until stopped.")
@click.option(
    "--every", type=Duration(), default="1m", show_default=True, help="With --watch: how long between two looks."
)
@click.option("--account", default="root", show_default=True, help="Account that will own the bucket, where it is new.")
@json_option
@data_options
def adopt(
    store: str | None,
    source: str,
    name: str | None,
    prefix: str,
    own: bool | None,
    watch: bool,
    every: int,
    account: str,
    as_json: bool,
    data: Path | None,
    config_file: Path | None,
) -> None:
    """Show a bucket that is there already, without copying a byte.

    Rows are made that point at the objects in place. Run it again, or with --watch, to take over what was written there
    since. It works beside running servers, and may be stopped at any time: the next run goes on where it ended.
    """
    settings = settings_of(config_file, data=data)
    remote = [one.name for one in settings.all_stores if one.kind == "s3"]
    if store is None:
        if len(remote) != 1:
            raise click.UsageError(f"say which --store: {', '.join(remote) or 'the settings name no S3 store'}")
        store = remote[0]
    if store not in (one.name for one in settings.all_stores):
        raise click.UsageError(f"there is no store {store!r}; S3 stores are {', '.join(remote) or 'none'}")

    async def work(services: Services) -> None:
        attached = await _attach(services, store, source, name or source, prefix, account, own=own)
        report = await _run(services, attached, quiet=as_json)
        _tell(report, attached, as_json=as_json)
        while watch:
            await asyncio.sleep(every / 1000)
            try:
                report = await _run(services, attached, quiet=True)
            except Unavailable as error:
                click.echo(f"{error} Trying again.", err=True)
                continue
            if any(_counts(report)[what] for what in ("new", "changed", "gone")):
                _tell(report, attached, as_json=as_json)

    with contextlib.suppress(KeyboardInterrupt):
        with_services(settings, work, make=True)


async def _attach(
    services: Services, store: str, source: str, name: str, prefix: str, account: str, *, own: bool | None
) -> Attachment:
    owner = await services.accounts.get(account)
    try:
        _, attached = await services.adoption.attach(
            store, source, name=name, prefix=prefix.encode("utf-8", "surrogateescape"), own=own, account=owner
        )
    except InvalidBucketName:
        raise InvalidBucketName(f"{name!r} is no bucket name here: choose another one with --as.") from None
    except InvalidValue as error:
        raise InvalidValue(f"{name}: {error}.") from None
    return attached


async def _run(services: Services, attached: Attachment, *, quiet: bool) -> AdoptReport:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    began = time.monotonic()
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        TextColumn("{task.completed:,} objects, {task.fields[rate]:,.0f} a second"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[key]}"),
    )
    disabled = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disabled) as bar:
        # How many there are is known from the last time alone.
        task = bar.add_task("", total=attached.objects or None, key="", rate=0.0)

        def show(report: AdoptReport) -> None:
            total = attached.objects if attached.objects >= report.listed else None
            key = report.last.decode(errors="backslashreplace")
            rate = report.listed / max(time.monotonic() - began, 0.001)
            bar.update(task, completed=report.listed, total=total, key=key[-60:], rate=rate)

        return await services.adoption.run(attached.id, show)


def _counts(report: AdoptReport) -> dict[str, Any]:
    changes = report.changes
    return {
        "listed": report.listed,
        "new": changes.new,
        "changed": changes.changed,
        "gone": changes.gone,
        "kept": changes.kept,
        "skipped": report.skipped_count,
    }


def _tell(report: AdoptReport, attached: Attachment, *, as_json: bool) -> None:
    counts = _counts(report)
    if as_json:
        print_json(
            {
                "store": attached.store,
                "bucket": attached.source,
                **counts,
                "reasons": report.skipped,
                "left_out": report.left_out,
            }
        )
        return
    for reason in report.skipped:
        click.echo(f"skipped: {reason}")
    if report.skipped_count > len(report.skipped):
        click.echo(f"and {report.skipped_count - len(report.skipped)} more")
    for mark, count in report.left_out.items():
        click.echo(f"left out: {count} objects that the deployment of {attached.source}/{mark} keeps for itself")
    text = f"{counts['listed']} objects in {attached.source}: {counts['new']} new, {counts['changed']} changed, "
    text += f"{counts['gone']} gone"
    if counts["kept"]:
        text += f", {counts['kept']} left alone because they were written or deleted here"
    click.echo(text)
