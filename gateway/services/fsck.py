"""The audit: rows against rows, and rows against stores, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from gateway.blobs.adopted import is_adopted
from gateway.blobs.port import Entry, Store
from gateway.cache.port import CacheUnavailable
from gateway.errors import StoreUnavailable, for_operator
from gateway.metadata import leases, sweep, usage
from gateway.metadata.port import Database
from gateway.metadata.sweep import BlobRow
from gateway.services.clock import now_ms
from gateway.services.fsck_renditions import CheckedPlace, check_renditions, printable
from gateway.services.keyring import Keyring

PAGE = 1000
ABREAST = 32
"""Adopted objects that a store is asked for at once."""
KEYS_NAMED = 3


@dataclass(slots=True)
class FsckReport:
    """`problems` are losses or contradictions; `leftovers` are names in stores without a row, which cost only space.

    `changed` are adopted objects that others changed or deleted since: the next read or run of `adopt` takes that over.
    `adopted` counts those that were looked at, `adopted_skipped` those that were not.
    """

    blobs: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    adopted: int = 0
    adopted_skipped: int = 0
    repaired: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.problems


class Fsck:
    def __init__(self, database: Database, stores: Sequence[Store], keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._stores = {store.name: store for store in stores}

    async def run(
        self,
        *,
        repair: bool = False,
        delete_unknown: bool = False,
        check_adopted: bool = True,
        older_than_ms: int = 0,
        progress: Callable[[int], None] | None = None,
        renditions: Sequence[CheckedPlace] = (),
    ) -> FsckReport:
        """Check everything. Works beside running servers: what is under a living lease is nobody's leftover.

        `repair` counts the buckets again and queues lost contents; `delete_unknown` removes the leftovers that were
        written at least `older_than_ms` ago, never outside this deployment's prefix.
        Without `check_adopted` the store is not asked for each adopted object. `renditions` are looked through, too.
        """
        report = FsckReport()
        for name, count in (await self._database.read(sweep.inconsistencies, heavy=True)).items():
            report.problems.append(f"{name}: {count}")
        await self._check_stores_of_blobs(report)
        closed = await self._keyring.unreadable()
        if closed:
            shown = ", ".join(map(str, closed[:KEYS_NAMED]))
            report.problems.append(f"{len(closed)} encrypted blobs whose keys do not open here: {shown}")
        away = set()
        for store in self._stores.values():
            try:
                await self._check_store(report, store, progress, check_adopted=check_adopted)
                await self._check_names(report, store, delete_unknown, older_than_ms)
                await self._check_strays(report, store, delete_unknown, older_than_ms)
            except StoreUnavailable as error:
                away.add(store.name)
                report.problems.append(f"the store {store.name} could not be checked to its end: {for_operator(error)}")
        for place in renditions:
            if place.store in away:
                continue
            try:
                await check_renditions(
                    report, self._database, place, delete=delete_unknown, older_than_ms=older_than_ms
                )
            except CacheUnavailable as error:
                report.problems.append(f"{place.what} in the store {place.store} could not be checked: {error}")
        if repair:
            await self._database.write(usage.recount, heavy=True)
            report.repaired.append("counted the objects and bytes of every bucket again")
            lost = await self._database.write(sweep.lost_contents, heavy=True)
            if lost:
                report.repaired.append(f"queued {lost} contents that nothing refers to")
        return report

    async def _check_stores_of_blobs(self, report: FsckReport) -> None:
        for name, count in (await self._database.read(sweep.blobs_by_store, heavy=True)).items():
            if name not in self._stores:
                report.problems.append(f"{count} blobs lie in the store {name!r}, which is not configured")

    async def _check_store(
        self, report: FsckReport, store: Store, progress: Callable[[int], None] | None, *, check_adopted: bool
    ) -> None:
        """Every blob's row against what lies there."""
        after = ("", -1)
        lease = ""
        sizes: dict[str, int] = {}
        while rows := await self._database.read(
            partial(sweep.blobs_by_place, store=store.name, after=after, limit=PAGE)
        ):
            adopted = [row for row in rows if is_adopted(row.name) and row.state == "live"]
            if check_adopted:
                for start in range(0, len(adopted), ABREAST):
                    few = adopted[start : start + ABREAST]
                    await asyncio.gather(*(self._check_adopted(report, store, row) for row in few))
                report.adopted += len(adopted)
            else:
                report.adopted_skipped += len(adopted)
            for row in rows:
                if is_adopted(row.name):
                    continue
                owner = row.name.partition("/")[0]
                if owner != lease:
                    lease = owner
                    sizes = await self._sizes(store, lease)
                await self._check_blob(report, store, row, sizes)
                report.blobs += 1
                report.bytes += row.length
            after = (rows[-1].name, rows[-1].offset)
            if progress is not None:
                progress(report.blobs)

    async def _check_adopted(self, report: FsckReport, store: Store, row: BlobRow) -> None:
        if await store.size(row.name) == row.length:
            return
        keys = await self._database.read(partial(sweep.keys_of, blob_id=row.id, limit=1))
        for bucket, key in keys:
            report.changed.append(f"{bucket}/{key.decode(errors='backslashreplace')}")

    @staticmethod
    async def _sizes(store: Store, lease: str) -> dict[str, int]:
        """The lengths of everything under a lease; asked for once, as rows come in the order of names."""
        return {entry.name: entry.size async for page in store.entries(int(lease)) for entry in page}

    async def _check_blob(self, report: FsckReport, store: Store, row: BlobRow, sizes: dict[str, int]) -> None:
        if row.state != "live":
            return
        size = sizes.get(row.name)
        if size is not None and size >= row.offset + row.stored_length:
            return
        # Packs grow while we look, and blobs are deleted: ask again before saying that something is missing.
        size = await store.size(row.name)
        if size is not None and size >= row.offset + row.stored_length:
            return
        keys = await self._database.read(partial(sweep.keys_of, blob_id=row.id, limit=KEYS_NAMED + 1))
        if not keys and not await self._database.read(partial(sweep.is_live, blob_id=row.id)):
            return
        what = f"blob {row.id}, {row.name} in {store.name}, "
        what += "is missing" if size is None else f"ends at {size}, before {row.offset + row.stored_length}"
        if keys:
            named = ", ".join(f"{bucket}/{key.decode(errors='backslashreplace')}" for bucket, key in keys[:KEYS_NAMED])
            what += f": needed by {named}{' and more' if len(keys) > KEYS_NAMED else ''}"
        report.problems.append(what)

    async def _check_names(self, report: FsckReport, store: Store, delete: bool, older_than_ms: int) -> None:
        """Every name that lies there against the rows."""
        # The names first: a lease has its row before its names, so that none of these is of a lease not yet known.
        found = await store.leases()
        known = {*await leases.dead(self._database), *await leases.live(self._database)}
        for lease in found:
            if lease in known:
                continue
            unknown: list[Entry] = []
            async for page in store.entries(lease):
                names = [entry.name for entry in page]
                used = await self._database.read(partial(sweep.names_in_use, store=store.name, names=names))
                unknown += [entry for entry in page if entry.name not in used]
            report.leftovers += [f"{store.name}: {entry.name} ({entry.size} bytes)" for entry in unknown]
            if delete:
                old = [entry.name for entry in unknown if entry.modified_ms <= now_ms() - older_than_ms]
                await store.remove(old)
                await store.remove_lease(lease)
                report.repaired += [f"removed {name} from {store.name}, which no row names" for name in old]

    async def _check_strays(self, report: FsckReport, store: Store, delete: bool, older_than_ms: int) -> None:
        """What lies among the blobs but is named as none is: nothing of ours, or of a version of ours to come."""
        async for page in store.strays():
            report.leftovers += [f"{store.name}: {printable(entry.name)} ({entry.size} bytes)" for entry in page]
            if delete:
                old = [entry.name for entry in page if entry.modified_ms <= now_ms() - older_than_ms]
                gone = await store.remove_strays(old)
                report.repaired += [
                    f"removed {printable(name)} from {store.name}, which is no blob's name" for name in gone
                ]
