"""A standby that is read instead of the primary, as long as it is known to keep up.

Beside the reads, and only while there are some, the primary is asked every two seconds how far its log is, and the standby
how far it has replayed that. So what the standby has not yet is less than MOST_BEHIND old, by one clock, whatever stops the
replay; and no request waits to find out. A standby that is away, hangs, was promoted, or never was one of this database is
left aside: the primary is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import asyncpg

from gateway.errors import GatewayError
from gateway.metadata.port import Reader
from gateway.metadata.postgres_place import DIVERGED, ServerPlace, is_itself, place_of, refused, unfit
from gateway.metadata.postgres_pool import Pool, Use
from gateway.metadata.postgres_reader import PostgresReader
from gateway.metadata.postgres_sql import LOST

T = TypeVar("T")

log = logging.getLogger("pixgate.metadata")

LOOK_SECONDS = 2.0
"""How often it is asked how far it is."""
ANSWER_SECONDS = 2.0
"""What it has for an answer to that."""
POSITIONS = 6
"""Of the primary, that it may still be on its way to: as old as MOST_BEHIND."""
MOST_BEHIND = 10.0
"""Seconds: what was committed earlier is there, or it is not read."""
USED_SECONDS = 60.0
"""How long it is looked after when nothing is read any more."""
REPLICA_SECONDS = 10.0
"""How long it is left alone when it did not answer a read."""
CALL_SECONDS = 1.0
"""What a read may take before the primary is asked; so both fit into what a request may take."""
_FAILED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class Primary(Protocol):
    async def read(self, operation: Callable[[Reader], Awaitable[T]], *, heavy: bool = False) -> T: ...


class _Missed(Exception):
    """The replica did not do what was asked, because of `error`; the primary can."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _Lost(_Missed):
    """The connection broke."""


class PostgresReplica:
    """`begin` gives the statement that begins a transaction, by whether it is heavy."""

    def __init__(self, pool: Pool, primary: Primary, begin: Callable[[bool], str]) -> None:
        self.pool = pool
        self._primary = primary
        self._begin = begin
        self._positions: deque[tuple[float, int]] = deque(maxlen=POSITIONS)
        self._as_of: float | None = None
        """All that was committed before this moment is there; None: not known, or of no use."""
        self._reached = 0
        """How far it was when it was looked at last."""
        self._not_before = 0.0
        self._problem = ""
        self._used = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def read(
        self,
        operation: Callable[[Reader], Awaitable[T]],
        confirm: Callable[[Reader, T], Awaitable[T]] | None,
        heavy: bool,
    ) -> T:
        """As `Database.read_replica`."""
        self.look_after()
        if self.is_present:
            try:
                found = await self._run(operation, heavy, time.monotonic() + CALL_SECONDS)
            except _Missed:
                pass
            else:
                return found if confirm is None else await self._primary.read(lambda reader: confirm(reader, found))
        return await self._primary.read(operation, heavy=heavy)

    @property
    def is_present(self) -> bool:
        """Whether it is read now."""
        now = time.monotonic()
        return self._as_of is not None and now <= self._as_of + MOST_BEHIND and now >= self._not_before

    def look_after(self) -> None:
        """Find out in the background how far it is, from now on for a while."""
        self._used = time.monotonic()
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look_on())

    def maintain(self) -> None:
        """Look once, so that the log tells at start what is wrong with it; and close what nobody uses."""
        if self._used == 0.0:
            self.look_after()
        self.pool.trim()

    async def close(self) -> None:
        """End what looks after it, and its connections."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await self.pool.close()

    async def _look_on(self) -> None:
        self._positions.clear()
        try:
            while time.monotonic() < self._used + USED_SECONDS:
                await self._look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._looking = None

    async def _look(self) -> None:
        moment = time.monotonic()
        try:
            primary = await self._primary.read(place_of)
        except (GatewayError, *_FAILED) as error:
            # What is not known to keep up is not read; a primary that is away is told of elsewhere.
            if not isinstance(error, GatewayError):
                self._leave(f"the database does not tell its position ({type(error).__name__})")
            return
        try:
            place = await self._run(place_of, False, time.monotonic() + ANSWER_SECONDS, kept=True)
        except _Missed as missed:
            self._leave(refused(missed.error))
            return
        problem = unfit(primary, place)
        if not problem and self._reached > primary.position:
            problem = DIVERGED
        self._reached = place.position
        if problem:
            self._leave(problem)
        else:
            self._note(moment, primary, place)

    def _note(self, moment: float, primary: ServerPlace, place: ServerPlace) -> None:
        self._positions.append((moment, primary.position))
        if is_itself(primary, place):
            self._as_of = moment
        else:
            there = [at for at, position in self._positions if position <= place.position]
            if there:
                self._as_of = max(there)
        if self.is_present:
            self._tell("")
        elif len(self._positions) == self._positions.maxlen:
            behind = (primary.position - place.position) / 1e6
            self._tell(f"it is more than {MOST_BEHIND:.0f} s behind", f" ({behind:.1f} MB)")

    def _leave(self, problem: str) -> None:
        """Read it no more until a look finds it in order."""
        self._as_of = None
        self._positions.clear()
        self._tell(problem)

    def _tell(self, problem: str, more: str = "") -> None:
        """A line in the log where something changed."""
        if problem == self._problem:
            return
        self._problem = problem
        if problem:
            log.warning("the read URL is left aside, the primary is read instead: %s%s", problem, more)
        else:
            log.info("the read URL is read again")

    async def _run(
        self, operation: Callable[[Reader], Awaitable[T]], heavy: bool, due: float, *, kept: bool = False
    ) -> T:
        """Read in one transaction. Raises _Missed; then it is left alone for a while, if not `kept`."""
        try:
            return await self._try(operation, heavy, due, kept)
        except _Lost:
            # A restart broke all connections, or a conflict with recovery this one: another may do.
            try:
                return await self._try(operation, heavy, due, kept)
            except _Lost as lost:
                self._miss(lost.error, kept)
                raise

    async def _try(self, operation: Callable[[Reader], Awaitable[T]], heavy: bool, due: float, kept: bool) -> T:
        try:
            use = await self.pool.acquire(due, patient=heavy)
        except GatewayError as error:
            self._miss(error, kept)
            raise _Missed(error) from error
        reader = PostgresReader(use.connection, self._begin(heavy))
        try:
            found = await operation(reader)
            if reader.begun:
                await use.connection.execute("COMMIT")
        except _FAILED as error:
            if not await self._give_back(use, error):
                raise _Lost(error) from error
            # What a vacuum on the primary takes away from a query here is none of the standby's faults.
            self._miss(error, kept or isinstance(error, asyncpg.TransactionRollbackError))
            raise _Missed(error) from error
        except BaseException as error:
            await self._give_back(use, error)
            raise
        self.pool.release(use)
        return found

    def _miss(self, error: Exception, kept: bool) -> None:
        if not kept:
            self._not_before = time.monotonic() + REPLICA_SECONDS
            self._tell(refused(error))

    async def _give_back(self, use: Use, error: BaseException) -> bool:
        """Roll back and keep the connection, or drop it where its state is not known; gives whether it is kept."""
        connection = use.connection
        if isinstance(error, Exception) and not connection.is_closed() and not isinstance(error, LOST):
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await connection.execute("ROLLBACK")
                self.pool.release(use)
                return True
        self.pool.drop(use)
        return False
