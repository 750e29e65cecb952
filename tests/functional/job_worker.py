"""`pixgate worker` for tests, and jobs as rows beside running processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from gateway.services import Services
from tests.functional.beside import beside
from tests.services import ROOT, clean_environment, environment_of

T = TypeVar("T")

DEADLINE = 90.0
"""Seconds that anything may take: only a broken program waits for their end."""
STOP_SECONDS = 60


class JobWorker:
    """A worker on a data folder, with the settings of its server; in a process group of its own."""

    def __init__(self, data: Path, environment: dict[str, str], *, concurrency: int = 1) -> None:
        self.data = data
        self.log = data.with_name(data.name + ".worker.log")
        self._environment = environment
        self._concurrency = concurrency
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "gateway", "worker", "--data", str(self.data)]
        secrets = {"PIXGATE_ROOT_ACCESS_KEY": ROOT.access_key, "PIXGATE_ROOT_SECRET_KEY": ROOT.secret_key}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--concurrency", str(self._concurrency)],
                env=clean_environment(**secrets, **environment_of(self.data), **self._environment),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def pool(self) -> list[psutil.Process]:
        """The processes that carry out jobs, and the broker's decoders: all that is below the first process's children."""
        found = []
        for child in psutil.Process(self.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                found += child.children()
        return found

    def stop(self) -> None:
        """Ask it to end; what it began is finished."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        finally:
            self.kill()
        assert code == 0, self.tail()

    def kill(self) -> None:
        """End all its processes at once."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait(STOP_SECONDS)
        self._process = None

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:]) if self.log.exists() else ""


def wait_for(look: Callable[[], T], good: Callable[[T], bool], seconds: float = DEADLINE) -> T:
    """Look until it is good; gives what was seen then."""
    deadline = time.monotonic() + seconds
    while not good(seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r}"
        time.sleep(0.25)
    return seen


@dataclass(frozen=True, slots=True)
class Outcome:
    """An image's job as the database has it, with its image; `events` are those of the audit log about the image."""

    job: str
    image: str
    status: str
    attempts: int
    error: str | None
    image_status: str
    width: int | None
    pins: int
    events: tuple[str, ...]


def outcomes(data: Path) -> list[Outcome]:
    """All jobs of images, the oldest first."""

    async def work(services: Services) -> list[Outcome]:
        rows = await services.database.all(
            "SELECT j.id, j.image_id, j.status, j.attempts, j.error, i.status, i.width, "
            "(SELECT count(*) FROM pins p JOIN versions v ON v.content_id = p.content_id WHERE v.seq = i.seq) "
            "FROM image_jobs j JOIN images i ON i.image_id = j.image_id ORDER BY j.created_ms, j.id"
        )
        events = await services.database.all("SELECT target, action FROM audit WHERE target IS NOT NULL ORDER BY id")
        return [
            Outcome(*row, events=tuple(str(action) for target, action in events if target == row[1])) for row in rows
        ]

    return beside(data, work)


def backlog(data: Path) -> list[tuple[Any, ...]]:
    """Rows of `jobs` that are to be done or failed for good, without what is done now and then."""

    async def work(services: Services) -> list[tuple[Any, ...]]:
        return await services.database.all(
            "SELECT id, kind, attempts, run_at_ms, claim, error FROM jobs WHERE name IS NULL ORDER BY id"
        )

    return beside(data, work)


def let_claims_end(data: Path) -> None:
    """As if the time had gone by for which the dead claimed their jobs, and after which lost messages are sent again."""

    async def work(services: Services) -> None:
        await services.database.write(
            lambda tx: tx.run("UPDATE jobs SET run_at_ms = 1 WHERE claim IS NOT NULL AND run_at_ms IS NOT NULL")
        )

    beside(data, work)
