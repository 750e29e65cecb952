"""`pixgate prewarm`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of, with_services
from gateway.errors import BucketNotFound, InvalidValue, Unavailable

if TYPE_CHECKING:
    from gateway.model.buckets import Bucket
    from gateway.services import Services
    from gateway.services.prewarm import PrewarmReport
    from gateway.services.renditions import Recipe, Renditions
    from gateway.settings.settings import Settings

DEFAULT_AT_ONCE = 4


@click.command()
@click.argument("bucket")
@click.option(
    "--preset", "presets", multiple=True, metavar="NAME", help="A preset of the bucket or the server. Repeatable."
)
@click.option("--options", "options", multiple=True, help="Options such as w:800,f:webp. Repeatable.")
@click.option("--prefix", default="", help="Only keys that begin so.")
@click.option("--after", default="", metavar="KEY", help="Only keys behind this one: where a run was stopped.")
@click.option(
    "--at-once",
    type=click.IntRange(1, 256),
    default=DEFAULT_AT_ONCE,
    show_default=True,
    help="Images that are worked at at the same time.",
)
@json_option
@data_options
def prewarm(
    bucket: str,
    presets: tuple[str, ...],
    options: tuple[str, ...],
    prefix: str,
    after: str,
    at_once: int,
    as_json: bool,
    data: Path | None,
    config_file: Path | None,
) -> None:
    """Make renditions of a bucket's images before anybody asks, with the decoders of the server that runs here.

    Without --preset and --options those that the bucket makes at upload. What is made of a preset shows in the bucket's
    view, BUCKET--PRESET over S3, and is not made again: a run that was stopped goes on where it ended.
    """
    settings = settings_of(config_file, data=data)

    async def work(services: Services) -> tuple[PrewarmReport, bool]:
        return await _run(services, settings, bucket, [*(f"p:{name}" for name in presets), *options], how)

    how = {"prefix": _key(prefix), "after": _key(after), "at_once": at_once, "quiet": as_json}
    began = time.monotonic()
    report, stopped = with_services(settings, work)
    last = report.after.decode("utf-8", "surrogateescape")
    if as_json:
        print_json(
            {
                "images": report.images,
                "made": report.made,
                "there": report.there,
                "refused": report.refused,
                "after": last,
                "finished": not stopped,
            }
        )
    else:
        click.echo(
            f"{report.images} images in {time.monotonic() - began:.0f} s: {report.made} renditions made, "
            f"{report.there} there already, {report.refused} images that cannot be shown"
        )
        if stopped:
            click.echo(f"stopped; to go on: --after {last!r}", err=True)
    if stopped:
        raise SystemExit(1)


def _key(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


async def _run(
    services: Services, settings: Settings, name: str, texts: Sequence[str], how: dict[str, Any]
) -> tuple[PrewarmReport, bool]:
    from gateway.app import metrics
    from gateway.backends import rendition_cache
    from gateway.img.limits import limits_of
    from gateway.render.client import RenderClient
    from gateway.render.errors import RenderError
    from gateway.services.derivatives import Derivatives
    from gateway.services.presets import Presets
    from gateway.services.prewarm import Prewarm, PrewarmReport
    from gateway.services.renditions import Renditions

    bucket = await services.directory.bucket(name)
    if bucket is None:
        raise BucketNotFound(f"There is no bucket {name!r}.")
    if not settings.render_socket.exists():
        raise Unavailable("Renditions are made by the decoders of a running server: start `pixgate serve` here first.")
    counts = metrics(1)
    services.cache = rendition_cache(settings, services, counts)
    render = RenderClient(settings.render_socket, hot_bytes=0)
    derivatives = Derivatives(
        services.objects,
        services.stores,
        render,
        limits_of(settings),
        counts,
        services.cache,
        rendering=settings.rendering,
    )
    renditions = Renditions(
        services.database,
        services.directory,
        derivatives,
        Presets(settings.image_presets),
        services.watermarks,
        rendering_tag=settings.rendering.tag,
    )
    report = PrewarmReport(after=how["after"])
    try:
        wanted = await _wanted(renditions, bucket, texts or bucket.images.renditions)
        run = Prewarm(services.objects, services.adopted, renditions).run
        with _progress(quiet=how["quiet"]) as (show, tell):
            task = asyncio.ensure_future(
                run(
                    bucket,
                    wanted,
                    report,
                    prefix=how["prefix"],
                    at_once=how["at_once"],
                    progress=show,
                    refused=lambda key, error: tell(f"{key.decode('utf-8', 'backslashreplace')}: {error}"),
                )
            )
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
            try:
                await task
            except asyncio.CancelledError:
                return report, True
            except RenderError as error:
                raise Unavailable(f"The server's decoders: {error}") from None
        return report, False
    finally:
        await render.close()


async def _wanted(
    renditions: Renditions, bucket: Bucket, texts: Sequence[str]
) -> list[tuple[Recipe, Sequence[str | None]]]:
    from gateway.services.renditions import accept_headers
    from transforms.errors import OptionError

    if not texts:
        raise InvalidValue(f"{bucket.name} makes no renditions at upload: say which, with --preset or --options.")
    wanted: list[tuple[Recipe, Sequence[str | None]]] = []
    for text in texts:
        try:
            recipe = await renditions.recipe(bucket, text)
        except OptionError as error:
            raise InvalidValue(f"{text}: {error}") from None
        wanted.append((recipe, accept_headers(recipe.options)))
    return wanted


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Any:
    """What shows a report, and what says a line beside it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        BarColumn(),
        TextColumn("{task.completed:,} images, {task.fields[made]:,} renditions made"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[key]}"),
    )
    disabled = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disabled) as bar:
        task = bar.add_task("", total=None, made=0, key="")

        def show(report: PrewarmReport) -> None:
            key = report.after.decode(errors="backslashreplace")
            bar.update(task, completed=report.images, made=report.made, key=key[-60:])

        yield show, lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
