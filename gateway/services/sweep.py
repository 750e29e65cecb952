"""The sweep: the only thing that deletes bytes. It decides from rows alone, never by the age of a file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from gateway.blobs.filesystem import FilesystemStore
from gateway.metadata import leases, sweep, uploads
from gateway.metadata.port import Database
from gateway.services.clock import now_ms

GRACE_MS = 24 * 3600 * 1000
COMPLETED_KEPT_MS = 24 * 3600 * 1000
LOCK = "sweep"
LOCK_MS = 120_000
BATCH = 200


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a round did; None from `run_once` means that another process sweeps."""

    contents: int
    blobs: int
    names: int


class Sweep:
    """`grace_ms` is how long bytes outlive the last row that refers to them."""

    def __init__(self, database: Database, store: FilesystemStore, owner: str, *, grace_ms: int = GRACE_MS) -> None:
        self._database = database
        self._store = store
        self._owner = owner
        self._grace_ms = grace_ms

    async def run_once(self) -> SweepReport | None:
        """One round, if no other process is at it."""
        if not await self._keep_lock():
            return None
        await self._database.write(lambda tx: leases.bury(tx, now_ms()))
        await self._database.write(lambda tx: uploads.forget_completed(tx, now_ms() - COMPLETED_KEPT_MS))
        contents = 0
        while done := await self._database.write(lambda tx: sweep.collect_orphans(tx, now_ms(), BATCH), heavy=True):
            contents += done
            if not await self._keep_lock():
                break
        blobs = await self._remove_condemned()
        names = 0
        for lease in await leases.dead(self._database):
            names += await self._sweep_lease(lease)
        return SweepReport(contents, blobs, names)

    async def _keep_lock(self) -> bool:
        return await self._database.write(lambda tx: leases.take_lock(tx, LOCK, self._owner, now_ms(), LOCK_MS))

    async def _remove_condemned(self) -> int:
        """Remove the bytes of blobs that were condemned long enough ago, and before every read that still goes on."""
        removed = 0
        while await self._keep_lock():
            before = now_ms() - self._grace_ms
            oldest = await leases.oldest_read(self._database)
            if oldest is not None:
                before = min(before, oldest)
            rows = await self._database.read(partial(sweep.condemned, before_ms=before, limit=BATCH))
            if not rows:
                break
            for row in rows:
                await asyncio.to_thread(self._store.punch, row.name, row.offset, row.length)
            await self._database.write(partial(sweep.forget, blob_ids=[row.id for row in rows]), heavy=True)
            # A file without a row is gone for good, unless its process may still append to it.
            living = set(await leases.live(self._database))
            names = {row.name for row in rows}
            leases_of = {name: int(name.partition("/")[0]) for name in names}
            await self._remove_unnamed(
                sorted(name for name in names if leases_of[name] not in living or not self._store.may_grow(name))
            )
            for lease in set(leases_of.values()) - living:
                await asyncio.to_thread(self._store.remove_lease, lease)
            removed += len(rows)
        return removed

    async def _remove_unnamed(self, names: list[str]) -> int:
        used = await self._database.read(lambda reader: sweep.names_in_use(reader, names))
        unused = [name for name in names if name not in used]
        for name in unused:
            await asyncio.to_thread(self._store.remove, name)
        return len(unused)

    async def _sweep_lease(self, lease: int) -> int:
        """Remove what a dead lease's process wrote and never committed. It cannot commit any more."""
        names = await asyncio.to_thread(self._store.names, lease)
        removed = 0
        for start in range(0, len(names), BATCH):
            if not await self._keep_lock():
                return removed
            removed += await self._remove_unnamed(names[start : start + BATCH])
        await asyncio.to_thread(self._store.remove_lease, lease)
        await self._database.write(lambda tx: leases.swept(tx, lease))
        return removed
