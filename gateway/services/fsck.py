"""The audit: rows against rows, and rows against stores, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from gateway.blobs.filesystem import FilesystemStore
from gateway.metadata import leases, sweep
from gateway.metadata.port import Database

PAGE = 1000


@dataclass(slots=True)
class FsckReport:
    """`problems` are losses or contradictions; `leftovers` are files without a row, which cost only space."""

    blobs: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.problems


class Fsck:
    def __init__(self, database: Database, store: FilesystemStore) -> None:
        self._database = database
        self._store = store

    async def run(self, *, repair: bool = False, progress: Callable[[int], None] | None = None) -> FsckReport:
        """Check everything; with `repair` count the buckets again, queue lost contents and remove leftovers.

        Works beside a running server: what is under a living lease is nobody's leftover.
        """
        report = FsckReport()
        living = set(await leases.live(self._database))
        for name, count in (await self._database.read(sweep.inconsistencies)).items():
            report.problems.append(f"{name}: {count}")
        names = await self._check_blobs(report, progress)
        await self._check_files(report, names, living, repair)
        if repair:
            await self._database.write(sweep.recount, heavy=True)
            report.repaired.append("counted the objects and bytes of every bucket again")
            lost = await self._database.write(sweep.lost_contents, heavy=True)
            if lost:
                report.repaired.append(f"queued {lost} contents that nothing refers to")
        return report

    async def _check_blobs(self, report: FsckReport, progress: Callable[[int], None] | None) -> set[str]:
        sizes: dict[str, int | None] = {}
        after = 0
        while rows := await self._database.read(partial(sweep.blobs_after, after=after, limit=PAGE)):
            for row in rows:
                if row.store != self._store.name:
                    report.problems.append(f"blob {row.id} lies in the store {row.store!r}, which is not configured")
                    continue
                if row.name not in sizes:
                    sizes[row.name] = await asyncio.to_thread(self._store.size, row.name)
                size = sizes[row.name]
                if row.state == "live" and (size is None or size < row.offset + row.length):
                    # Packs grow while we look: ask again before saying that something is missing.
                    size = sizes[row.name] = await asyncio.to_thread(self._store.size, row.name)
                    if size is None:
                        report.problems.append(f"blob {row.id}: the file {row.name} is missing")
                    elif size < row.offset + row.length:
                        report.problems.append(
                            f"blob {row.id}: the file {row.name} ends at {size}, before {row.offset + row.length}"
                        )
                report.blobs += 1
                report.bytes += row.length
            after = rows[-1].id
            if progress is not None:
                progress(report.blobs)
        return set(sizes)

    async def _check_files(self, report: FsckReport, names: set[str], living: set[int], repair: bool) -> None:
        # The folders first: a lease has its row before its folder, so that none of these is of a lease not yet known.
        folders = await asyncio.to_thread(self._store.leases)
        waiting = set(await leases.dead(self._database))
        # A lease that began meanwhile is living, too.
        living |= set(await leases.live(self._database))
        for lease in folders:
            if lease in living or lease in waiting:
                continue
            for name in await asyncio.to_thread(self._store.names, lease):
                if name in names or await sweep.names_in_use(self._database, [name]):
                    continue
                report.leftovers.append(name)
                if repair:
                    await asyncio.to_thread(self._store.remove, name)
                    report.repaired.append(f"removed the file {name}, which no row names")
