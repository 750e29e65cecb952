"""Kinds of work: what is done for a job, and how often it is tried."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.metadata.jobs import Job
from gateway.metadata.port import Transaction

MAX_DELAY_SECONDS = 300.0

Effect = Callable[[Transaction], Awaitable[object]]
"""What a job's end writes, in the transaction that deletes the job."""


class Postponed(Exception):
    """Not now: again after `seconds`, which counts as no attempt."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Hopeless(Exception):
    """It would fail each time: no further attempt."""


class Died(Exception):
    """Whoever was at it, for the last time, came to an end before the job did."""


class TookTooLong(Exception):
    """It was given up after the time that its kind has."""


class Watch:
    """Told how jobs fare, in the very transaction that says so; only of jobs that were still ours."""

    async def begun(self, tx: Transaction, jobs: Sequence[Job]) -> None:
        """They are being worked at."""

    async def waiting(self, tx: Transaction, jobs: Sequence[Job], error: Exception | None) -> None:
        """They come again; `error` is why, None where a process stopped."""

    async def failed(self, tx: Transaction, jobs: Sequence[Job], error: Exception) -> None:
        """They failed for good."""


def delay_seconds(attempts: int, first: float = 2.0, most: float = MAX_DELAY_SECONDS) -> float:
    """How long after an attempt, which is the so manieth, comes the next: `first`, twice that, four times ... up to
    `most`, give or take a quarter."""
    return about(min(first * 2.0 ** min(attempts - 1, 40), max(first, most)))


def about(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 -- no secret: so that processes do not move in step


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work. `work` does some jobs, `at_once` at most, and gives what is to be written; what it raises is theirs
    all. After so many `attempts` they have failed for good."""

    name: str
    work: Callable[[Sequence[Job]], Awaitable[Effect | None]]
    at_once: int = 1
    attempts: int = 12
    delay: Callable[[int], float] = delay_seconds
    watch: Watch = Watch()  # noqa: RUF009 -- it has no state
    parallel: int = 1
    """How often one process may be at it at the same time."""
    seconds: float | None = None
    """How long a job may take."""
    deaths_count: bool = False
    """Whether an attempt at which its process died is one that failed; without it, such attempts never end."""
