"""This process's right to write blobs, kept alive every ten seconds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Iterator, Sequence

from gateway.blobs.port import PACKED_BYTES, Store
from gateway.errors import GatewayError, LeaseLost
from gateway.metadata import leases
from gateway.metadata.port import Database, Transaction
from gateway.services.clock import now_ms

log = logging.getLogger("pixgate.lease")

ABANDONED_BYTES = 64 * 1024**2
"""Bytes of refused and broken uploads after which a process turns to a new lease, so that the sweep may have the old."""
ABANDONED_MS = 600_000
"""And the time after which it does so for fewer."""


class Lease:
    """Raises LeaseLost at `id` where the process may not write."""

    def __init__(self, database: Database, stores: Sequence[Store]) -> None:
        self._database = database
        self._stores = tuple(stores)
        self._id: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._reads: dict[int, int] = {}
        self._next_read = 0
        self._writes: dict[int, int | None] = {}
        self._next_write = 0
        self._abandoned = 0
        self._began_ms = 0
        self._retired: dict[int, int] = {}
        self._lost: dict[int, int] = {}
        self._look = asyncio.Event()

    @property
    def id(self) -> int:
        if self._id is None:
            raise LeaseLost("This process may not write now; try again.")
        return self._id

    async def begin(self) -> None:
        """Take a lease and write under it from now on."""
        owner = f"{socket.gethostname()}:{os.getpid()}"

        async def create(tx: Transaction) -> int:
            return await leases.create(tx, owner, now_ms())

        lease = await self._database.write(create)
        for store in self._stores:
            await store.begin_lease(lease)
        self._id = lease
        self._abandoned = 0
        self._began_ms = now_ms()

    @contextlib.contextmanager
    def writing(self, size: int) -> Iterator[None]:
        """Around taking `size` bytes and committing them: until then their lease is not given back.

        What ends in an exception counts as abandoned. Raises LeaseLost.
        """
        lease = self.id
        self._next_write += 1
        ticket = self._next_write
        self._writes[ticket] = now_ms() if size <= PACKED_BYTES else None
        try:
            yield
        except BaseException as error:
            self._abandoned += size
            if isinstance(error, LeaseLost):
                self._lose(lease)
            raise
        finally:
            del self._writes[ticket]

    def abandon(self, size: int) -> None:
        """Count bytes that were taken and that no row will name."""
        self._abandoned += size

    def _lose(self, lease: int) -> None:
        """Write no more under a lease that the sweep may have had already: another is taken at once."""
        if self._id == lease:
            self._id = None
            log.warning("lease %s was lost, taking another", lease)
        self._retired.pop(lease, None)
        self._lost.setdefault(lease, self._next_write)
        self._look.set()

    async def _give_up_lost(self) -> None:
        """What was on its way when a lease was lost is stored by now, after the sweep may have looked there."""
        oldest = next(iter(self._writes), self._next_write + 1)
        for lease in [lease for lease, last in self._lost.items() if last < oldest]:
            await self._sweep_again(lease)

    async def _sweep_again(self, lease: int) -> None:
        await self._database.write(lambda tx: leases.sweep_again(tx, lease, now_ms()))
        del self._lost[lease]

    async def turn(self) -> None:
        """Write under a new lease where enough was abandoned under this one, and give back old ones that nobody uses.

        A request never deletes bytes, and the sweep looks only under leases that ended: a process that lives for months
        must let go of its leases, or what was refused would stay as long as it does.
        """
        old = self._id
        if old is not None and (
            self._abandoned >= ABANDONED_BYTES or (self._abandoned and now_ms() - self._began_ms >= ABANDONED_MS)
        ):
            await self.begin()
            # Names under the old lease belong to writes that began before this moment.
            self._retired[old] = self._next_write
        oldest = next(iter(self._writes), self._next_write + 1)
        for lease in [lease for lease, last in self._retired.items() if last < oldest]:
            await self._end(lease)
            del self._retired[lease]

    def keep(self) -> None:
        """Renew it in the background."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), leases.RENEW_SECONDS)
            self._look.clear()
            try:
                await self._look_after()
            except GatewayError as error:
                log.warning("the lease could not be renewed: %s", error)

    async def _look_after(self) -> None:
        lease = self._id
        if lease is not None:
            try:
                await self._renew(lease)
            except LeaseLost:
                # What was written under it may be swept from now on: begin anew, under other names.
                self._lose(lease)
        if self._id is None:
            await self.begin()
        await self._renew_retired()
        await self.turn()
        await self._give_up_lost()

    async def _renew(self, lease: int) -> None:
        async def renew(tx: Transaction) -> None:
            await leases.renew(tx, lease, now_ms(), self.oldest_use())

        await self._database.write(renew)

    async def _renew_retired(self) -> None:
        for lease in tuple(self._retired):
            try:
                await self._renew(lease)
            except LeaseLost:
                self._lose(lease)

    def begin_read(self) -> int:
        """Note a read that may last: the sweep leaves alone what was condemned after it began. Gives its ticket."""
        self._next_read += 1
        self._reads[self._next_read] = now_ms()
        return self._next_read

    def end_read(self, ticket: int) -> None:
        self._reads.pop(ticket, None)

    def oldest_use(self) -> int | None:
        """When the oldest read or small write began that was noted here or has a file open, in ms.

        A small write may share its pack with bytes that are deleted before it is committed: they wait for it.
        """
        opened = [store.oldest_read_ms() for store in self._stores]
        began = (*self._reads.values(), *self._writes.values(), *opened)
        return min((moment for moment in began if moment is not None), default=None)

    async def end(self) -> None:
        """Give it back: nothing will be written under it any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        held = [*self._retired] if self._id is None else [*self._retired, self._id]
        self._id = None
        self._retired.clear()
        for lease in held:
            await self._end(lease)
        for lease in tuple(self._lost):
            await self._sweep_again(lease)

    async def _end(self, lease: int) -> None:
        await self._database.write(lambda tx: leases.end(tx, lease))
