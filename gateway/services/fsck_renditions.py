"""The audit of renditions beside blobs: variants that no row names, and caches that nothing reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gateway.blobs.port import Entry
from gateway.cache.objects import CacheObjects, key_of
from gateway.metadata import pins
from gateway.metadata.port import Database
from gateway.services.clock import now_ms

if TYPE_CHECKING:
    from gateway.services.fsck import FsckReport

VARIANTS = "variants"


@dataclass(frozen=True, slots=True)
class CheckedPlace:
    """Renditions beside the blobs of `store`: `what` is `variants`, of which rows tell, or a `cache` that no tier reads."""

    store: str
    what: str
    objects: CacheObjects


async def check_renditions(
    report: FsckReport, database: Database, place: CheckedPlace, *, delete: bool, older_than_ms: int
) -> None:
    """Note the leftovers of a place; `delete`: remove those that were written so long ago. Raises CacheUnavailable."""
    if place.what == VARIANTS:
        await _check_variants(report, database, place, delete=delete, older_than_ms=older_than_ms)
    else:
        await _check_cache(report, place, delete=delete, older_than_ms=older_than_ms)


async def _check_variants(
    report: FsckReport, database: Database, place: CheckedPlace, *, delete: bool, older_than_ms: int
) -> None:
    seen: list[Entry] = []
    async for page in place.objects.entries():
        seen += await _unnoted(database, page)
    # Bytes come before their row: what was being made when it was listed has one by now.
    unknown = await _unnoted(database, seen)
    report.leftovers += [f"{place.store}: {_shown(place, entry)} ({entry.size} bytes)" for entry in unknown]
    if delete:
        old = _old(unknown, older_than_ms)
        await place.objects.remove([entry.name for entry in old])
        report.repaired += [f"removed {_shown(place, entry)} from {place.store}, which no row names" for entry in old]


async def _unnoted(database: Database, entries: list[Entry]) -> list[Entry]:
    """Those that no row names; a name that no variant has is one of them."""
    keys = {entry.name: key_of(entry.name) for entry in entries}
    named = [key for key in keys.values() if key is not None]
    unnoted = await database.read(partial(pins.unnoted, keys=named)) if named else set()
    return [entry for entry in entries if (key := keys[entry.name]) is None or key in unnoted]


async def _check_cache(report: FsckReport, place: CheckedPlace, *, delete: bool, older_than_ms: int) -> None:
    count = size = removed = 0
    async for page in place.objects.entries():
        count += len(page)
        size += sum(entry.size for entry in page)
        if delete:
            old = _old(page, older_than_ms)
            await place.objects.remove([entry.name for entry in old])
            removed += len(old)
    if count:
        report.leftovers.append(f"{place.store}: {place.what}/, {_number(count)} that nothing reads ({size} bytes)")
    if removed:
        report.repaired.append(f"removed {_number(removed)} from {place.store}, which nothing reads")


def _old(entries: list[Entry], older_than_ms: int) -> list[Entry]:
    before = now_ms() - older_than_ms
    return [entry for entry in entries if entry.modified_ms <= before]


def _number(count: int) -> str:
    return f"{count} rendition" if count == 1 else f"{count} renditions"


def _shown(place: CheckedPlace, entry: Entry) -> str:
    return f"{place.what}/{printable(entry.name)}"


def printable(name: str) -> str:
    """A name that anybody may have given, for a terminal: what cannot be printed is escaped."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in name)
