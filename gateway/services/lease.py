"""This process's right to write blobs, kept alive every ten seconds."""

from __future__ import annotations

import asyncio
import logging
import os
import socket

from gateway.blobs.filesystem import FilesystemStore
from gateway.errors import GatewayError, LeaseLost
from gateway.metadata import leases
from gateway.metadata.port import Database
from gateway.services.clock import now_ms

log = logging.getLogger("pixgate.lease")


class Lease:
    """Raises LeaseLost at `id` where the process may not write."""

    def __init__(self, database: Database, store: FilesystemStore) -> None:
        self._database = database
        self._store = store
        self._id: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._reads: dict[int, int] = {}
        self._next_read = 0

    @property
    def id(self) -> int:
        if self._id is None:
            raise LeaseLost("This process may not write now; try again.")
        return self._id

    async def begin(self) -> None:
        """Take a lease and write under it from now on."""
        owner = f"{socket.gethostname()}:{os.getpid()}"
        lease = await self._database.write(lambda tx: leases.create(tx, owner, now_ms()))
        self._store.begin_lease(lease)
        self._id = lease

    def keep(self) -> None:
        """Renew it in the background."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(leases.RENEW_SECONDS)
            lease = self._id
            try:
                if lease is None:
                    await self.begin()
                else:
                    await self._renew(lease)
            except LeaseLost:
                # What was written under it may be swept from now on: begin anew, under other names.
                self._id = None
                log.warning("lease %s was lost, taking another", lease)
                try:
                    await self.begin()
                except GatewayError as error:
                    log.warning("no new lease yet: %s", error)
            except GatewayError as error:
                log.warning("the lease could not be renewed: %s", error)

    async def _renew(self, lease: int) -> None:
        await self._database.write(lambda tx: leases.renew(tx, lease, now_ms(), self.oldest_read()))

    def begin_read(self) -> int:
        """Note a read that may last: the sweep leaves alone what was condemned after it began. Gives its ticket."""
        self._next_read += 1
        self._reads[self._next_read] = now_ms()
        return self._next_read

    def end_read(self, ticket: int) -> None:
        self._reads.pop(ticket, None)

    def oldest_read(self) -> int | None:
        """When the oldest read began that was noted here or has a file open, in ms."""
        noted = min(self._reads.values(), default=None)
        opened = self._store.oldest_read_ms()
        return min((began for began in (noted, opened) if began is not None), default=None)

    async def end(self) -> None:
        """Give it back: nothing will be written under it any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        lease, self._id = self._id, None
        if lease is not None:
            await self._database.write(lambda tx: leases.end(tx, lease))
