"""The data folder: its master key, its schema, and the services over it, as the server and the command line open them."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from gateway.backends import DATABASE, backends_of
from gateway.errors import DatabaseUnavailable, GatewayError, InvalidValue, WrongMasterKey
from gateway.services import RootCredentials, Services
from gateway.services.secrets import MasterKey, load_master_key, parse_master_key
from gateway.settings.settings import Settings
from migrations.run import Unreachable, current_revision, needs_upgrade, upgrade

ROTATED = ".new"
"""Ending of the file that holds a new master key while secrets are sealed anew."""


def database_place(settings: Settings) -> Path | str:
    """The database: the URL of a PostgreSQL, or the path of a SQLite file."""
    return settings.data / DATABASE if settings.database_url is None else settings.database_url


def server_runs(settings: Settings) -> bool:
    """Whether a server has this data folder now."""
    try:
        fd = os.open(settings.server_lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def master_key_path(settings: Settings) -> Path:
    return settings.master_key_file or settings.data / "master.key"


def master_key(settings: Settings) -> MasterKey:
    """The key of the settings, else the one in its file, made where there is none. Raises InvalidValue, OSError."""
    if settings.master_key is not None:
        return MasterKey(settings.master_key)
    return load_master_key(master_key_path(settings))


def rotated_master_key(settings: Settings) -> MasterKey | None:
    """The key that a rotation was about to put in place when it was cut short, if so."""
    path = Path(str(master_key_path(settings)) + ROTATED)
    if settings.master_key is not None or not path.exists():
        return None
    return parse_master_key(path.read_text(encoding="ascii"))


def _masters_on_disk(settings: Settings) -> Iterator[MasterKey]:
    """What a rotation by another process may have put in place, or is about to."""
    if settings.master_key is not None:
        return
    path = master_key_path(settings)
    for place in (Path(str(path) + ROTATED), path):
        try:
            yield parse_master_key(place.read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError, GatewayError):
            continue


def put_master_key(settings: Settings) -> None:
    """Put the rotated key in the place of the old one."""
    path = master_key_path(settings)
    os.replace(str(path) + ROTATED, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def migrate(settings: Settings) -> bool:
    """Bring the schema up to date, making the SQLite file where there is none. Whether anything was to do.

    Raises DatabaseUnavailable where the server does not answer, RuntimeError where the database cannot be used.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = database_place(settings)
    with _waiting():
        if not needs_upgrade(place):
            return False
        upgrade(place)
    return True


def is_new(settings: Settings) -> bool:
    """Whether there is no database yet."""
    with _waiting():
        return current_revision(database_place(settings)) is None


@contextlib.contextmanager
def _waiting() -> Iterator[None]:
    """A database that does not answer, told as the services tell it."""
    try:
        yield
    except Unreachable as error:
        raise DatabaseUnavailable(str(error)) from error


async def open_services(settings: Settings, *, worker: bool = False, whole: bool = True) -> Services:
    """The services on the settings' data folder. The caller closes them. Raises GatewayError.

    For `whole` see `Services.open`.
    """
    root = None
    if settings.root_access_key is not None and settings.root_secret_key is not None:
        root = RootCredentials(settings.root_access_key, settings.root_secret_key)

    async def opened(key: MasterKey) -> Services:
        services = await Services.open(
            backends_of(settings),
            master=key,
            region=settings.region,
            root=root,
            worker=worker,
            whole=whole,
            auth=settings,
            public_url=settings.public_url,
            near_url=settings.base_url(),
        )
        services.directory.rotated_masters = lambda: _masters_on_disk(settings)
        services.server_presets = frozenset(settings.image_presets)
        return services

    # Before the master key, which would be made: a mistyped path stays empty.
    await _check_schema(settings, worker=worker)
    path = master_key_path(settings)
    missing = settings.master_key is None and not path.exists()
    try:
        return await opened(master_key(settings))
    except WrongMasterKey:
        rotated = rotated_master_key(settings)
        if rotated is None and missing:
            # The key that was made a moment ago opens nothing, and would be in the way of the right one.
            path.unlink(missing_ok=True)
            raise WrongMasterKey(f"{path} is missing, without which no secret opens: put your copy back") from None
        if rotated is None:
            raise
        services = await opened(rotated)
        put_master_key(settings)
        return services


async def _check_schema(settings: Settings, *, worker: bool) -> None:
    """Raises InvalidValue, and DatabaseUnavailable where waiting for whoever migrates may help."""
    place = database_place(settings)
    if isinstance(place, Path) and not place.exists():
        if worker:
            raise DatabaseUnavailable("the database is not made yet")
        raise InvalidValue(f"there is no database in {settings.data}: run `pixgate migrate` or `pixgate serve` first")
    try:
        with _waiting():
            behind = await asyncio.to_thread(needs_upgrade, place)
    except RuntimeError as error:
        raise InvalidValue(str(error)) from error
    if behind:
        raise DatabaseUnavailable("the database has not this version's schema yet: run `pixgate migrate`")
