"""`pixgate doctor`."""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from gateway.cli.context import data_options, json_option, print_json, settings_of
from gateway.errors import GatewayError
from gateway.settings.settings import LOCAL_STORE, Settings
from gateway.settings.stores import S3Store

if TYPE_CHECKING:
    from gateway.blobs.upstream.check import StoreCheck

Verdict = Literal["ok", "warning", "failed"]
LEAST_VIPS = (8, 18, 3)
LEAST_DESCRIPTORS = 4096
SLOW_SYNC_MS = 30.0
REDIS_SECONDS = 3.0
EXTRAS = {
    "heif": ("pillow_heif", "HEIC"),
    "jxl": ("pillow_jxl", "JPEG XL"),
    "pdf": ("pypdfium2", "PDF"),
    "faces": ("cv2", "the gravity `face`"),
}
"""For each extra its module and what is not there without it."""
_MARKS = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    subject: str
    detail: str


@click.command()
@json_option
@data_options
def doctor(as_json: bool, data: Path | None, config_file: Path | None) -> None:
    """Check what the server stands on: libraries, limits, disk, data folder, database. Changes nothing.

    Exits with 1 where something failed.
    """
    settings = settings_of(config_file, data=data)
    findings = list(examine(settings))
    if as_json:
        print_json([{"verdict": one.verdict, "subject": one.subject, "detail": one.detail} for one in findings])
    else:
        for one in findings:
            click.echo(f"{_MARKS[one.verdict]}  {one.subject}: {one.detail}")
    raise SystemExit(1 if any(one.verdict == "failed" for one in findings) else 0)


def examine(settings: Settings) -> Iterator[Finding]:
    """One finding a check; a check that fails by itself is a finding, too."""
    checks: tuple[Callable[[Settings], Finding], ...] = (
        _libvips,
        _extras,
        _sandbox,
        _descriptors,
        _folder,
        _disk,
        _sync,
        _master_key,
        _database,
        _server,
    )
    for check in checks:
        try:
            yield check(settings)
        except (OSError, ValueError, RuntimeError, sqlite3.Error, subprocess.SubprocessError) as error:
            yield Finding("failed", check.__name__.strip("_").replace("_", " "), str(error))
    if settings.database_read_url is not None:
        yield _read_url(settings, settings.database_read_url)
    yield from _stores(settings)
    try:
        yield from asyncio.run(_deployment(settings))
    except (GatewayError, OSError, ValueError, RuntimeError, sqlite3.Error) as error:
        yield Finding("failed", "deployment", str(error))
    if settings.redis_url is not None:
        yield _redis(settings.redis_url)
    if settings.by_celery:
        try:
            yield from asyncio.run(_workers(settings))
        except (GatewayError, OSError, ValueError, RuntimeError, sqlite3.Error) as error:
            yield Finding("failed", "workers", str(error))


def _libvips(_settings: Settings) -> Finding:
    """In a process of its own: a broken library must not end the doctor."""
    code = (
        "import json, pyvips; "
        "print(json.dumps([[pyvips.version(i) for i in range(3)], bool(getattr(pyvips, 'API_mode', False)),"
        " __import__('importlib.util').util.find_spec('_libvips') is not None]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    if done.returncode != 0:
        return Finding("failed", "libvips", (done.stderr.strip().splitlines() or ["it does not load"])[-1])
    version, _, _ = json.loads(done.stdout)
    text = ".".join(map(str, version))
    if tuple(version) < LEAST_VIPS:
        return Finding(
            "failed",
            "libvips",
            f"{text} is the system's, older than {'.'.join(map(str, LEAST_VIPS))}: "
            "pyvips was built against it; install pyvips-binary and a pyvips wheel (see the operator's guide)",
        )
    return Finding("ok", "libvips", text)


def _extras(_settings: Settings) -> Finding:
    from importlib.util import find_spec

    absent = [f"{what} (pixgate[{extra}])" for extra, (module, what) in EXTRAS.items() if find_spec(module) is None]
    if absent:
        return Finding("ok", "extras", "not installed: " + ", ".join(absent))
    return Finding("ok", "extras", "all installed")


def _sandbox(_settings: Settings) -> Finding:
    from gateway.render.confinement import lacking, probe

    layers = probe()
    if layers:
        return Finding("warning", "sandbox", lacking(layers))
    return Finding("ok", "sandbox", "decoders have no network, no files and few system calls")


def _descriptors(_settings: Settings) -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < LEAST_DESCRIPTORS:
        return Finding("warning", "open files", f"at most {hard} a process: raise it (LimitNOFILE=, ulimit -n)")
    return Finding("ok", "open files", "no limit" if hard == resource.RLIM_INFINITY else f"{hard} a process")


def _folder(settings: Settings) -> Finding:
    folder = settings.data
    if not folder.exists():
        return Finding("warning", "data folder", f"{folder} is not there yet: the first start makes it")
    mode = folder.stat().st_mode & 0o777
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding("failed", "data folder", f"{folder} cannot be written")
    if mode & 0o077:
        return Finding("warning", "data folder", f"{folder} is open to others (mode {mode:03o}): chmod 700 it")
    return Finding("ok", "data folder", str(folder))


def _existing(folder: Path) -> Path:
    path = folder.absolute()
    while not path.exists():
        path = path.parent
    return path


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(_existing(settings.data)).free
    text = f"{free / 1e9:.1f} GB free"
    if free < settings.min_free_bytes:
        return Finding("failed", "disk", f"{text}, below PIXGATE_MIN_FREE_BYTES: PUTs are refused")
    return Finding("ok" if free > 4 * settings.min_free_bytes else "warning", "disk", text)


def _sync(settings: Settings) -> Finding:
    """What a durable PUT waits for."""
    with tempfile.NamedTemporaryFile(dir=_existing(settings.data), prefix=".doctor-") as file:
        times = []
        for _ in range(20):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    median = sorted(times)[len(times) // 2]
    return Finding(
        "ok" if median < SLOW_SYNC_MS else "warning", "fdatasync", f"{median:.2f} ms, median of {len(times)}"
    )


def _master_key(settings: Settings) -> Finding:
    from gateway.data_folder import master_key_path

    if settings.master_key is not None:
        return Finding("ok", "master key", "from PIXGATE_MASTER_KEY")
    path = master_key_path(settings)
    if not path.exists():
        return Finding("warning", "master key", f"{path} is not there yet: the first start makes it")
    if path.stat().st_mode & 0o077:
        return Finding("failed", "master key", f"{path} can be read by others: chmod 600 it")
    return Finding("ok", "master key", f"{path}; keep a copy apart from the data: without it no secret opens")


def _database(settings: Settings) -> Finding:
    from gateway.data_folder import database_place
    from migrations import HEAD
    from migrations.run import current_revision

    place = database_place(settings)
    revision = current_revision(place)
    shown = place if isinstance(place, Path) else "PostgreSQL"
    if revision is None:
        return Finding("warning", "database", f"the schema is not in {shown} yet: the first start makes it")
    if revision != HEAD:
        return Finding("warning", "database", f"schema {revision}, newest {HEAD}: run pixgate migrate")
    if not isinstance(place, Path):
        return Finding("ok", "database", f"{shown} answers, schema {revision}")
    with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=10)) as connection:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return Finding("ok" if found == "ok" else "failed", "database", f"schema {revision}, quick check: {found}")


def _read_url(settings: Settings, url: str) -> Finding:
    """Whether it is a standby of the database; the server reads from the primary where it is not."""
    from migrations import HEAD
    from migrations.run import current_revision

    subject, instead = "database read URL", "; galleries and statistics are read from the primary"
    if settings.database_url is None:
        return Finding("warning", subject, "without a database URL it is not used")
    try:
        revision = current_revision(url)
    except (OSError, ValueError, RuntimeError) as error:
        return Finding("warning", subject, f"{error}{instead}")
    if revision != HEAD:
        found = "no schema" if revision is None else f"schema {revision}"
        return Finding("warning", subject, f"{found}, newest {HEAD}: is it a replica of the database?")
    from gateway.metadata.postgres_standby_check import check_standby

    checked = asyncio.run(check_standby(settings.database_url, url, pgbouncer=settings.database_pgbouncer))
    if checked.problem:
        return Finding("warning", subject, f"{checked.problem}{instead}")
    return Finding("ok", subject, f"PostgreSQL answers, schema {revision}: {checked.found}")


def _stores(settings: Settings) -> Iterator[Finding]:
    """Whether each store that the settings name can be used, and what it lacks."""
    for store in settings.all_stores:
        subject = f"store {store.name}"
        if not isinstance(store, S3Store):
            there = store.path.is_dir() and os.access(store.path, os.R_OK | os.W_OK | os.X_OK)
            yield Finding(
                "ok" if there else "failed", subject, f"{store.path}" + ("" if there else " cannot be written")
            )
            continue
        found = asyncio.run(_check_store(store))
        if not found.ok:
            yield Finding("failed", subject, "; ".join(found.problems))
            continue
        lacks = f"it lacks: {', '.join(found.missing)}" if found.missing else "it can do everything that is made use of"
        yield Finding("warning" if found.warnings else "ok", subject, "; ".join((*found.warnings, lacks)))


async def _deployment(settings: Settings) -> list[Finding]:
    """Whether the master key is the database's, and whether these settings name every store that it needs."""
    from gateway.backends import backends_of
    from gateway.data_folder import database_place, master_key, master_key_path
    from gateway.metadata import meta, sweep
    from gateway.services.secrets import CHECK_NAME
    from migrations import HEAD
    from migrations.run import current_revision

    if await asyncio.to_thread(current_revision, database_place(settings)) != HEAD:
        return []
    backends = backends_of(settings)
    database = await backends.open_database()
    try:
        check = await meta.get(database, CHECK_NAME)
        named = await database.read(sweep.blobs_by_store, heavy=True)
    finally:
        await database.close()
    findings = []
    if check is not None and (settings.master_key is not None or master_key_path(settings).exists()):
        fits = hmac.compare_digest(check, master_key(settings).check_value())
        findings.append(
            Finding("ok", "master key", "it is the database's")
            if fits
            else Finding("failed", "master key", "it is not the one that this database was made with: no secret opens")
        )
    known = {LOCAL_STORE, *(store.name for store in settings.all_stores)}
    findings += [
        Finding("failed", f"store {name}", f"{count} blobs lie in it, and these settings do not name it")
        for name, count in sorted(named.items())
        if name not in known
    ]
    return findings


async def _check_store(store: S3Store) -> StoreCheck:
    from gateway.blobs.upstream.check import check_store

    return await check_store(store)


def _redis(url: str) -> Finding:
    """Whether Redis takes and gives; the server works without it."""
    from gateway.cache.port import CacheUnavailable
    from gateway.cache.redis import RedisServer
    from gateway.redis_address import parse_redis_url

    address = parse_redis_url(url)

    async def probe() -> None:
        server = RedisServer(address, "doctor")
        try:
            async with asyncio.timeout(REDIS_SECONDS):
                await server.probe()
        finally:
            await server.close()

    try:
        asyncio.run(probe())
    except (CacheUnavailable, TimeoutError) as error:
        return Finding(
            "warning", "Redis", f"{address}: {str(error) or 'it does not answer'}; renditions are not shared"
        )
    return Finding("ok", "Redis", f"{address} answers")


async def _workers(settings: Settings) -> list[Finding]:
    """Whether those live who are to do the background work; nothing where no server was started yet."""
    from gateway.backends import backends_of
    from gateway.cache.port import CacheUnavailable
    from gateway.data_folder import database_place
    from gateway.jobs.engine import presence_of, waiting_seconds
    from gateway.metadata import jobs, meta
    from migrations import HEAD
    from migrations.run import current_revision

    if await asyncio.to_thread(current_revision, database_place(settings)) != HEAD:
        return []
    database = await backends_of(settings).open_database()
    try:
        deployment = await meta.get(database, meta.DEPLOYMENT)
        oldest = max((await waiting_seconds(database)).values(), default=0.0)
    finally:
        await database.close()
    if deployment is None:
        return []
    waits = f"; the oldest job has been due for {oldest:.0f} s" if oldest else ""
    presence = presence_of(settings, deployment.decode())
    try:
        roll = await presence.call()
    except CacheUnavailable as error:
        return [Finding("warning", "workers", f"the Redis of Celery: {error}{waits}")]
    finally:
        await presence.close()
    problem = roll.problem(jobs.KINDS)
    if problem is not None:
        return [Finding("warning", "workers", problem + waits)]
    named = ", ".join(f"{worker.name} ({worker.concurrency} at a time)" for worker in roll.living)
    return [Finding("ok", "workers", named + waits)]


def _server(settings: Settings) -> Finding:
    from gateway.data_folder import server_runs

    if not server_runs(settings):
        return Finding("ok", "server", "not running on this data folder")
    try:
        where = settings.address_file.read_text(encoding="utf-8").strip()
    except OSError:
        where = "an address of its own"
    return Finding("ok", "server", f"running at {where}")
