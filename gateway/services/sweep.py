"""The sweep: the only thing that deletes bytes. It decides from rows alone, never by the age of a file.

What a killed process left of a probe is no blob: that goes by its age.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from gateway.blobs.adopted import is_adopted, parse_adopted
from gateway.blobs.port import PROBES_KEPT_MS, Store
from gateway.errors import StoreUnavailable
from gateway.metadata import adopted_ledger, leases, sweep, uploads
from gateway.metadata.port import Database, Transaction
from gateway.metadata.sweep import BlobRow
from gateway.services.clock import now_ms

log = logging.getLogger("pixgate.sweep")

GRACE_MS = 24 * 3600 * 1000
COMPLETED_KEPT_MS = 24 * 3600 * 1000
LOCK = "sweep"
LOCK_MS = 120_000
BATCH = 200


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a round did; None from `run_once` means that another process sweeps. `waiting` is what a store was
    away for."""

    contents: int
    blobs: int
    names: int
    waiting: tuple[str, ...] = ()


class Sweep:
    """`grace_ms` is how long bytes outlive the last row that refers to them."""

    def __init__(self, database: Database, stores: Sequence[Store], owner: str, *, grace_ms: int = GRACE_MS) -> None:
        self._database = database
        self._stores = tuple(stores)
        self.owner = owner
        self._grace_ms = grace_ms

    async def run_once(self, grace_ms: int | None = None) -> SweepReport | None:
        """One round, if no other process is at it. A store that is away is left for a later round.

        `grace_ms` holds for this round in place of the usual.
        """
        if not await self._keep_lock():
            return None
        try:
            return await self._round(self._grace_ms if grace_ms is None else grace_ms)
        finally:
            await self._database.write(lambda tx: leases.give_lock(tx, LOCK, self.owner))

    async def _round(self, grace_ms: int) -> SweepReport:
        await self._database.write(_bury)
        await self._database.write(lambda tx: uploads.forget_completed(tx, now_ms() - COMPLETED_KEPT_MS))
        contents = 0
        while done := await self._database.write(lambda tx: sweep.collect_orphans(tx, now_ms(), BATCH), heavy=True):
            contents += done
            if not await self._keep_lock():
                break
        blobs = 0
        waiting: list[str] = []
        for store in self._stores:
            try:
                blobs += await self._remove_condemned(store, grace_ms)
                await store.remove_old_probes(now_ms() - PROBES_KEPT_MS)
            except StoreUnavailable as error:
                waiting.append(store.name)
                log.warning("store %s: what was deleted waits: %s", store.name, error)
        names = 0
        for lease in await leases.dead(self._database):
            try:
                names += await self._sweep_lease(lease)
            except StoreUnavailable as error:
                waiting.append(f"lease {lease}")
                log.warning("lease %s waits: %s", lease, error)
        return SweepReport(contents, blobs, names, tuple(waiting))

    async def _keep_lock(self) -> bool:
        return await take_turn(self._database, LOCK, self.owner, LOCK_MS)

    async def _remove_condemned(self, store: Store, grace_ms: int) -> int:
        """Remove the bytes of blobs that were condemned long enough ago, and before every read that still goes on."""
        removed = 0
        while await self._keep_lock():
            before = now_ms() - grace_ms
            oldest = await leases.oldest_read(self._database)
            if oldest is not None:
                before = min(before, oldest)
            rows = await self._database.read(partial(sweep.condemned, store=store.name, before_ms=before, limit=BATCH))
            if not rows:
                break
            adopted = [row for row in rows if is_adopted(row.name)]
            ours = [row for row in rows if not is_adopted(row.name)]
            await self._release_adopted(store, adopted)
            for row in ours:
                if store.may_grow(row.name):
                    await store.punch(row.name, row.offset, row.stored_length)
            # The rows last: without them nobody would know of a name that the store did not remove.
            living = set(await leases.live(self._database))
            ids = {row.id for row in rows}
            names = {row.name for row in ours}
            leases_of = {name: int(name.partition("/")[0]) for name in names}
            # A file without a row is gone for good, unless its process may still append to it.
            await self._remove_unnamed(
                store,
                sorted(name for name in names if leases_of[name] not in living or not store.may_grow(name)),
                besides=ids,
            )
            await self._database.write(partial(sweep.forget, blob_ids=sorted(ids)), heavy=True)
            for lease in set(leases_of.values()) - living:
                await store.remove_lease(lease)
            removed += len(rows)
        return removed

    async def _release_adopted(self, store: Store, rows: Sequence[BlobRow]) -> None:
        """Delete objects that were adopted as ours to keep or delete, if they still are what they were. All others stay."""
        source = store.source
        for row in rows:
            released = await adopted_ledger.released(self._database, parse_adopted(row.name))
            if released.allowed and source is not None:
                await source.remove(row.name, released.modified_ms)

    async def _remove_unnamed(self, store: Store, names: list[str], *, besides: Collection[int] = ()) -> int:
        """Remove those that no row names, rows of the blobs `besides` apart."""
        used = await self._database.read(
            partial(sweep.names_in_use, store=store.name, names=names, besides=sorted(besides))
        )
        unused = [name for name in names if name not in used]
        await store.remove(unused)
        return len(unused)

    async def _sweep_lease(self, lease: int) -> int:
        """Remove what a dead lease's process wrote and never committed. It cannot commit any more."""
        removed = 0
        used_ms = await leases.used_until(self._database, lease)
        for store in self._stores:
            async for page in store.entries(lease):
                if not await self._keep_lock():
                    return removed
                names = [entry.name for entry in page]
                for start in range(0, len(names), BATCH):
                    removed += await self._remove_unnamed(store, names[start : start + BATCH])
            await store.remove_lease(lease)
        await self._database.write(lambda tx: leases.swept(tx, lease, used_ms))
        return removed


async def _bury(tx: Transaction) -> None:
    await leases.bury(tx, now_ms())


async def take_turn(database: Database, name: str, owner: str, for_ms: int) -> bool:
    """Take or keep the named lock for so long; whether it is ours. Background work that one process does at a time."""

    async def take(tx: Transaction) -> bool:
        return await leases.take_lock(tx, name, owner, now_ms(), for_ms)

    return await database.write(take)
