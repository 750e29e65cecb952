"""`pixgate metadata`."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import click

from gateway.cli.context import data_options, settings_of
from gateway.errors import GatewayError
from gateway.metadata import leases, transfer
from gateway.metadata.port import Database
from gateway.services.clock import now_ms
from gateway.settings.settings import Settings

T = TypeVar("T")

LIVE_MS = 60_000


@click.group()
def metadata() -> None:
    """Move what the database knows from SQLite to PostgreSQL and back.

    The database is the one that the settings name: a PostgreSQL with PIXGATE_DATABASE_URL, else the SQLite file in the
    data folder. Stored bytes stay where they are.
    """


@metadata.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Also while servers write: what they write meanwhile is not in the file.")
@data_options
def export_metadata(file: Path, force: bool, data: Path | None, config_file: Path | None) -> None:
    """Write everything to FILE, as lines of JSON; compressed where its name ends in .gz, to the output where it is `-`.

    The file holds sealed secrets, which open only with the master key: keep both, apart from each other.
    """
    from migrations import HEAD

    settings = settings_of(config_file, data=data)

    async def work(database: Database) -> dict[str, int]:
        if not force and await leases.renewed_since(database, now_ms() - LIVE_MS):
            raise click.ClickException("a server uses this database; stop it first, or give --force")
        with _writing(file) as out, _bar() as advance:
            return await database.read(
                partial(transfer.export, schema=HEAD, write=out.write, progress=advance), heavy=True
            )

    counts = _with_database(settings, work)
    click.echo(f"{sum(counts.values())} rows of {len(counts)} tables", err=True)


@metadata.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@data_options
def import_metadata(file: Path, data: Path | None, config_file: Path | None) -> None:
    """Fill an empty database from FILE, and check that all is there.

    Cut off in the middle, the same command goes on where it was; until it is through, no server starts on the database.
    """
    from gateway import data_folder
    from migrations import HEAD

    settings = settings_of(config_file, data=data)
    try:
        data_folder.migrate(settings)
    except (GatewayError, RuntimeError, OSError) as error:
        raise click.ClickException(str(error)) from error

    async def work(database: Database) -> dict[str, int]:
        with _reading(file) as lines, _bar() as advance:
            return await transfer.import_lines(database, HEAD, lines, advance)

    counts = _with_database(settings, work)
    click.echo(f"{sum(counts.values())} rows of {len(counts)} tables, read back and compared", err=True)


@contextlib.contextmanager
def _writing(file: Path) -> Iterator[IO[bytes]]:
    """The file that is to be made: it has its name when it is whole."""
    if str(file) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = file.with_name(file.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        if file.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6) as packed:
                yield cast(IO[bytes], packed)
        else:
            yield raw
        raw.flush()
        os.fsync(raw.fileno())
    part.replace(file)


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[Iterator[bytes]]:
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rb") as lines:
        yield _whole(cast(IO[bytes], lines))


def _whole(lines: IO[bytes]) -> Iterator[bytes]:
    """The lines; a compressed file that was cut ends like any other that was."""
    try:
        yield from lines
    except EOFError:
        return
    except (OSError, gzip.BadGzipFile) as error:
        raise click.ClickException(f"the file cannot be read: {error}") from error


@contextlib.contextmanager
def _bar() -> Iterator[transfer.Progress]:
    """A line that tells how far it is, where somebody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda table, done, total: bar.update(task, description=table, completed=done, total=total)


def _with_database(settings: Settings, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    from gateway.backends import backends_of

    async def run() -> T:
        database = await backends_of(settings).open_database()
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except GatewayError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or settings.data}: {error.strerror}") from error
