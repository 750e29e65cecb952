"""Takes jobs and carries them out, whoever says which.

A job is claimed for a time in one transaction, renewed while it is worked at, and deleted in the transaction that writes
down what came of it, which checks the claim: whoever is killed at it costs a repeat after that time, and what others took
over meanwhile has no second result. What is done must therefore be the same when it is done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Sequence

from gateway.errors import GatewayError
from gateway.jobs.kind import Died, Effect, Hopeless, Kind, Postponed, TookTooLong
from gateway.metadata import jobs
from gateway.metadata.jobs import Job
from gateway.metadata.port import Database, Transaction
from gateway.services.clock import now_ms

log = logging.getLogger("pixgate.jobs")

CLAIM_MS = 60_000
RENEW_SECONDS = 15.0


class Carrier:
    """Works on the running event loop. `owner` names this process in claims."""

    def __init__(self, database: Database, *, owner: str | None = None) -> None:
        self._database = database
        self.owner = owner or secrets.token_hex(8)
        self._held: dict[int, tuple[Kind, Sequence[Job]]] = {}

    async def run_once(self, kind: Kind, identity: int | None = None) -> int:
        """Claim what is due, up to `at_once`, and do it; or that one job. How many there were. Raises Unavailable facts."""
        claimed, lost = await self._take(kind, identity)
        if claimed:
            place = claimed[0].id
            self._held[place] = (kind, claimed)
            await self._carry(kind, claimed)
            # Not where that was cancelled: then `close` gives them back.
            del self._held[place]
        return len(claimed) + len(lost)

    async def close(self) -> None:
        """What was begun is due again at once, for others."""
        with contextlib.suppress(GatewayError):
            for kind, held in self._held.values():
                await self._give_back(kind, held, now_ms())

    async def _take(self, kind: Kind, identity: int | None) -> tuple[Sequence[Job], Sequence[Job]]:
        """Jobs that are ours now, and those that nobody works at again: their last attempt ended with its process."""
        name = f"{self.owner}-{secrets.token_hex(4)}"
        moment = now_ms()

        async def take(tx: Transaction) -> tuple[list[Job], list[Job]]:
            if identity is None or kind.at_once > 1:
                found = await jobs.claim(tx, kind.name, name, moment, moment + CLAIM_MS, kind.at_once)
            else:
                found = await jobs.claim_one(tx, identity, kind.name, name, moment, moment + CLAIM_MS)
            lost = [job for job in found if kind.deaths_count and job.attempts > kind.attempts]
            claimed = [job for job in found if job not in lost]
            if lost:
                error = Died(f"the process ended {kind.attempts} times before the job did")
                lost = await jobs.give_back(tx, lost, None, _reason(error), counted=False)
                await kind.watch.failed(tx, lost, error)
            if claimed:
                await kind.watch.begun(tx, claimed)
            return claimed, lost

        claimed, lost = await self._database.write(take)
        for job in lost:
            log.error("job %s (%s) failed for good: its process ended each time", job.id, job.kind)
        return claimed, lost

    async def _carry(self, kind: Kind, claimed: Sequence[Job]) -> None:
        loop = asyncio.get_running_loop()
        until = None if kind.seconds is None else loop.time() + kind.seconds
        work = asyncio.ensure_future(kind.work(claimed))
        try:
            while not work.done():
                patience = RENEW_SECONDS if until is None else min(RENEW_SECONDS, max(0.0, until - loop.time()))
                await asyncio.wait({work}, timeout=patience)
                if work.done():
                    break
                if until is not None and loop.time() >= until:
                    await self._failed(kind, claimed, TookTooLong(f"it took more than {kind.seconds:g} s"))
                    return
                if not await self._renew(claimed):
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
            await self._give_back(kind, claimed, now_ms() + int(error.seconds * 1000), error)
        except Exception as error:  # noqa: BLE001 -- the job runner: whatever went wrong is the job's, and comes again
            await self._failed(kind, claimed, error)
        else:

            async def end(tx: Transaction) -> None:
                if await jobs.finish(tx, claimed) and effect is not None:
                    await effect(tx)

            await self._database.write(end)

    async def _give_back(
        self, kind: Kind, claimed: Sequence[Job], run_at_ms: int, error: Postponed | None = None
    ) -> None:
        reason = "the process stopped" if error is None else str(error)

        async def note(tx: Transaction) -> None:
            ours = await jobs.give_back(tx, claimed, run_at_ms, reason, counted=False)
            if ours:
                await kind.watch.waiting(tx, ours, error)

        await self._database.write(note)

    async def _failed(self, kind: Kind, claimed: Sequence[Job], error: Exception) -> None:
        reason = _reason(error)
        over = [job for job in claimed if isinstance(error, Hopeless) or job.attempts >= kind.attempts]
        again = [(job, now_ms() + int(kind.delay(job.attempts) * 1000)) for job in claimed if job not in over]
        level = logging.INFO if isinstance(error, Hopeless) else logging.ERROR
        for job in over:
            log.log(level, "job %s (%s) failed for good: %s", job.id, job.kind, reason)
        if not isinstance(error, (GatewayError, Hopeless, TookTooLong)):
            log.warning("jobs %s failed: %s", _ids(claimed), reason, exc_info=error)

        async def note(tx: Transaction) -> None:
            ended = await jobs.give_back(tx, over, None, reason)
            if ended:
                await kind.watch.failed(tx, ended, error)
            for job, later in again:
                ours = await jobs.give_back(tx, (job,), later, reason)
                if ours:
                    await kind.watch.waiting(tx, ours, error)

        await self._database.write(note)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]


def _ids(claimed: Sequence[Job]) -> str:
    return ", ".join(str(job.id) for job in claimed)
