"""Carries out the jobs of the database in this process.

Every process of every node runs one. A job is claimed for a time in one transaction, renewed while it is worked at, and
deleted in the transaction that writes down what came of it, which checks the claim: whoever is killed at it costs a
repeat after that time, and what others took over meanwhile has no second result. What is done must therefore be the same
when it is done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.metadata import jobs, renditions
from gateway.metadata.jobs import Job
from gateway.metadata.port import Database, Transaction
from gateway.services.clock import now_ms
from gateway.services.sweep import take_turn

log = logging.getLogger("pixgate.jobs")

POLL_SECONDS = 1.0
"""Between two looks at the table; where the database tells for nothing that nobody committed, not even that."""
CLAIM_MS = 60_000
RENEW_SECONDS = 15.0
MAX_DELAY_SECONDS = 300.0
LOCK = "jobs"
KEEP_SECONDS = 60.0
LOCK_MS = 120_000
FAILED_KEPT_MS = 30 * 24 * 3600 * 1000
FAILED_KEPT = 10_000

Effect = Callable[[Transaction], Awaitable[object]]
"""What a job's end writes, in the transaction that deletes the job."""


class Postponed(Exception):
    """Not now: again after `seconds`, which counts as no attempt."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Hopeless(Exception):
    """It would fail each time: no further attempt."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work. `work` does some jobs, `at_once` at most, and gives what is to be written; what it raises is theirs
    all. After so many `attempts` they have failed for good."""

    name: str
    work: Callable[[Sequence[Job]], Awaitable[Effect | None]]
    at_once: int = 1
    attempts: int = 12


def delay_seconds(attempts: int) -> float:
    """How long after an attempt, which is the so manieth, comes the next: 2, 4, 8 ... seconds, give or take a quarter."""
    return _about(min(2.0**attempts, MAX_DELAY_SECONDS))


def _about(seconds: float) -> float:
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311 -- no secret: so that processes do not move in step


class JobRunner:
    """Made on the running event loop; `start` and `close` it. `owner` names this process in claims and locks."""

    def __init__(self, database: Database, kinds: Sequence[Kind], *, owner: str | None = None) -> None:
        self._database = database
        self._kinds = tuple(kinds)
        self.owner = owner or secrets.token_hex(8)
        self._tasks: list[asyncio.Task[None]] = []
        self._held: dict[int, Sequence[Job]] = {}

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(kind), name=f"jobs {kind.name}") for kind in self._kinds]
        self._tasks.append(loop.create_task(self._keep_house(), name="jobs"))

    async def close(self) -> None:
        """Stop. What was begun is due again at once, for others."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        held = [job for some in self._held.values() for job in some]
        if held:
            with contextlib.suppress(GatewayError):
                moment = now_ms()
                await self._database.write(
                    lambda tx: jobs.give_back(tx, held, moment, "the process stopped", counted=False)
                )

    async def _run(self, kind: Kind) -> None:
        seen: bytes | None = None
        due: int | None = None
        while True:
            try:
                snapshot = self._database.snapshot()
                if snapshot is None or snapshot != seen:
                    due = await jobs.next_due(self._database, kind.name)
                    seen = snapshot
                if due is not None and due <= now_ms():
                    seen = None
                    while await self.run_once(kind):
                        pass
            except GatewayError as error:
                log.warning("jobs wait: %s", error)
            await asyncio.sleep(_about(POLL_SECONDS))

    async def run_once(self, kind: Kind) -> int:
        """Claim what is due, up to `at_once`, and do it; how many there were. Raises Unavailable facts."""
        name = f"{self.owner}-{secrets.token_hex(4)}"
        moment = now_ms()
        claimed = await self._database.write(
            lambda tx: jobs.claim(tx, kind.name, name, moment, moment + CLAIM_MS, kind.at_once)
        )
        if claimed:
            place = claimed[0].id
            self._held[place] = claimed
            await self._work(kind, claimed)
            # Not where that was cancelled: then `close` gives them back.
            del self._held[place]
        return len(claimed)

    async def _work(self, kind: Kind, claimed: Sequence[Job]) -> None:
        work = asyncio.ensure_future(kind.work(claimed))
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=RENEW_SECONDS)
                if not work.done() and not await self._renew(claimed):
                    log.warning("jobs %s: others took over", _ids(claimed))
                    return
            await self._settle(kind, claimed, work)
        finally:
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)

    async def _renew(self, claimed: Sequence[Job]) -> bool:
        until = now_ms() + CLAIM_MS
        return await self._database.write(lambda tx: jobs.renew(tx, claimed, until))

    async def _settle(self, kind: Kind, claimed: Sequence[Job], work: asyncio.Future[Effect | None]) -> None:
        try:
            effect = work.result()
        except Postponed as error:
            reason = str(error)
            again = now_ms() + int(error.seconds * 1000)
            await self._database.write(lambda tx: jobs.give_back(tx, claimed, again, reason, counted=False))
        except Exception as error:  # noqa: BLE001 -- the job runner: whatever went wrong is the job's, and comes again
            await self._failed(kind, claimed, error)
        else:

            async def end(tx: Transaction) -> None:
                if await jobs.finish(tx, claimed) and effect is not None:
                    await effect(tx)

            await self._database.write(end)

    async def _failed(self, kind: Kind, claimed: Sequence[Job], error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"[:500]
        over = [job for job in claimed if isinstance(error, Hopeless) or job.attempts >= kind.attempts]
        again = [job for job in claimed if job not in over]
        for job in over:
            log.error("job %s (%s) failed for good: %s", job.id, job.kind, reason)
        if not isinstance(error, (GatewayError, Hopeless)):
            log.warning("jobs %s failed: %s", _ids(claimed), reason, exc_info=error)

        async def note(tx: Transaction) -> None:
            await jobs.give_back(tx, over, None, reason)
            for job in again:
                later = now_ms() + int(delay_seconds(job.attempts) * 1000)
                await jobs.give_back(tx, (job,), later, reason)

        await self._database.write(note)

    async def _keep_house(self) -> None:
        """One process of all forgets what nobody needs."""
        while True:
            await asyncio.sleep(_about(KEEP_SECONDS))
            try:
                if await take_turn(self._database, LOCK, self.owner, LOCK_MS):
                    await self.keep_house_once()
            except GatewayError as error:
                log.warning("jobs: %s", error)

    async def keep_house_once(self) -> None:
        """Forget old failures, and renditions of versions that are not current any more."""
        before = now_ms() - FAILED_KEPT_MS
        await self._database.write(lambda tx: jobs.forget_failed(tx, before, FAILED_KEPT))
        after: renditions.Place | None = None
        while True:
            after = await self._database.write(lambda tx, after=after: renditions.forget_stale(tx, after), heavy=True)  # type: ignore[misc]
            if after is None:
                break


def _ids(claimed: Sequence[Job]) -> str:
    return ", ".join(str(job.id) for job in claimed)
