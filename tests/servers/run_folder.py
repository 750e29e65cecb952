"""The folder of a test run: a folder in it for each server that the run's processes share."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Whom root becomes for servers that refuse to run as root.
UNPRIVILEGED = "nobody"


def run_folder(name: str) -> Path:
    """The folder of the run of this name, short (sockets lie in it) and open to the unprivileged user's passage."""
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    place = next((place for place in places if os.geteuid() != 0 or open_to_all(place)), places[0])
    return place / f"pixgate-servers-{name}"


def open_to_all(path: Path) -> bool:
    """Whether every user may pass through to it (or run it)."""
    return all(each.stat().st_mode & 0o001 for each in (path, *path.resolve().parents, path.resolve()))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder where it is missing, and hold it alone among processes."""
    while True:
        try:
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The one who held it may have removed it: then it is another folder that counts.
            try:
                if os.fstat(descriptor).st_ino != folder.stat().st_ino:
                    continue
            except FileNotFoundError:
                continue
            yield
            return
        finally:
            os.close(descriptor)


def hold(folder: Path) -> None:
    """Mark a server's folder as kept, until this process ends."""
    fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)


def ending(folder: Path) -> bool:
    """Whether a keeper still has this folder, which nobody can join any more; not where it is missing or left behind."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
