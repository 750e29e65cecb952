"""Adoption: a bucket of a store's service appears here, and no byte is copied.

A run goes through the listing of the source in order of keys, holds each page against the ledger and writes what differs,
some hundred objects a transaction, each with how far it came. Killed, the next run goes on there, and looks at what lies
before afterwards. What vanished from the listing is asked for once more before its rows go.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

from gateway.blobs.source import Source, SourceObject
from gateway.errors import BucketNotFound, GatewayError, InvalidValue, StoreUnavailable
from gateway.metadata import adopted_ledger, attachments
from gateway.metadata.adopted_ledger import Known, is_same, source_version
from gateway.metadata.attachments import Attachment
from gateway.metadata.port import Database, Transaction
from gateway.metadata.reconciling import Changes, reconcile
from gateway.model.accounts import Account
from gateway.model.buckets import Bucket, Versioning
from gateway.model.objects import MAX_KEY_BYTES
from gateway.services.buckets import Buckets
from gateway.services.clock import now_ms
from gateway.services.directory import Directory
from gateway.services.stores import Stores

BATCH = {"sqlite": 128, "postgresql": 512}
"""Objects that one transaction writes, about: on SQLite it keeps all other writers waiting, else those of its keys."""
ABREAST = 64
"""Questions to the store at once."""
NOTE_SECONDS = 2.0
"""How often a run says how far it came where it has nothing to write."""
SKIPS_NAMED = 100
BUCKET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}", re.ASCII)
"""Wider than today's rules of S3: old buckets, and those of other services, have names of all kinds."""

State = list[SourceObject]
"""All versions of a key, the oldest first."""
KeyState = tuple[bytes, State | None]
"""None: it cannot be adopted, and stays as it is."""


@dataclass(slots=True)
class AdoptReport:
    """What a run found. `listed` counts objects, or versions and delete markers; `skipped` names what cannot be adopted.

    `left_out` counts the objects that deployments of Pixgate keep for themselves, by the keys of their marks.
    """

    listed: int = 0
    changes: Changes = field(default_factory=Changes)
    skipped_count: int = 0
    skipped: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    last: bytes = b""

    def skip(self, key: bytes, why: str) -> None:
        self.skipped_count += 1
        if len(self.skipped) < SKIPS_NAMED:
            self.skipped.append(f"{key.decode(errors='backslashreplace')}: {why}")


Progress = Callable[[AdoptReport], None]


class Adoption:
    def __init__(self, database: Database, stores: Stores, directory: Directory, buckets: Buckets) -> None:
        self._database = database
        self._stores = stores
        self._directory = directory
        self._buckets = buckets

    def _source(self, store: str) -> Source:
        source = self._stores.named(store).source
        if source is None:
            raise InvalidValue(f"the store {store!r} is a folder: only buckets of an S3 service can be adopted")
        return source

    async def attach(
        self, store: str, source: str, *, name: str, prefix: bytes, own: bool | None, account: Account
    ) -> tuple[Bucket, Attachment]:
        """Show a bucket of a store as the bucket `name`, which is made for `account` where there is none.

        The same again gives what there is; `own` is None to leave that as it is. Raises InvalidValue, InvalidBucketName,
        BucketNotFound (the source), StoreUnavailable.
        """
        if BUCKET.fullmatch(source) is None:
            raise InvalidValue(f"the store {store!r} cannot have a bucket {source!r}: that is no bucket's name")
        try:
            await self._source(store).versioning(source)
        except BucketNotFound as error:
            raise BucketNotFound(f"The store {store!r} has no bucket {source!r}.") from error
        except StoreUnavailable as error:
            why = " ".join([str(error), *getattr(error, "__notes__", ())])
            raise StoreUnavailable(f"The bucket {source!r} of the store {store!r}: {why}") from error
        await self._directory.refresh()
        bucket = await self._directory.bucket(name)
        made = bucket is None
        if bucket is None:
            bucket = await self._buckets.create(name, account)
        identity = bucket.id
        try:
            attached = await self._database.write(
                lambda tx: attachments.attach(tx, identity, store, source, prefix, own=own, now_ms=now_ms())
            )
        except GatewayError:
            if made:
                await self._buckets.delete(bucket)
            raise
        return bucket, attached

    async def attachments(self, bucket: Bucket | None = None) -> list[Attachment]:
        """Those of a bucket, or all."""
        return await attachments.all_of(self._database, None if bucket is None else bucket.id)

    async def run(self, identity: int, progress: Progress | None = None) -> AdoptReport:
        """Bring the rows up to what lies in the store.

        Runs of one attachment may overlap, with each other and with readers and writers. Raises StoreUnavailable,
        BucketNotFound (the source, or the bucket here), DatabaseUnavailable.
        """
        current = await self._take_over_versioning(await self._attachment(identity))
        report = AdoptReport()
        begin = current.after
        await _Run(self._database, self._source(current.store), current, report, progress).over(begin, None)
        await self._finish(current, report if begin is None else None)
        if begin is not None:
            # What changed before the point where the earlier run had ended.
            current = await self._attachment(identity)
            await _Run(self._database, self._source(current.store), current, report, progress).over(None, begin)
            await self._finish(current, report)
        return report

    async def _attachment(self, identity: int) -> Attachment:
        found = await attachments.get(self._database, identity)
        if found is None:
            raise StoreUnavailable("The bucket that this object was adopted from is not attached.")
        return found

    async def _take_over_versioning(self, current: Attachment) -> Attachment:
        """The bucket here has versions where the source has; it never loses them again."""
        versioning = await self._source(current.store).versioning(current.source)
        has_versions = versioning is not Versioning.UNVERSIONED
        await self._directory.refresh()
        bucket = await self._directory.bucket_by_id(current.bucket_id)
        if bucket is None:
            raise BucketNotFound("The bucket was deleted.")
        if has_versions and bucket.versioning is Versioning.UNVERSIONED:
            await self._buckets.set_versioning(bucket, versioning)
        if has_versions == current.versions:
            return current
        await self._database.write(lambda tx: attachments.set_versions(tx, current.id, has_versions))
        return replace(current, versions=has_versions)

    async def _finish(self, current: Attachment, report: AdoptReport | None) -> None:
        listed = None if report is None else report.listed
        await self._database.write(lambda tx: attachments.finish(tx, current, listed, now_ms()))

    async def look_again(self, identity: int, key: bytes) -> None:
        """Bring the rows of one key up to what lies in the store. Raises StoreUnavailable."""
        current = await self._attachment(identity)
        source = self._source(current.store)
        state = await state_of(source, current, key, await adopted_ledger.known_of(self._database, current, key))
        if state is None:
            raise StoreUnavailable("The store does not let us read this object.")
        await self._database.write(lambda tx: reconcile(tx, current, {key: state}, exact=True), heavy=len(state) > 10)


async def state_of(source: Source, current: Attachment, key: bytes, known: Sequence[Known]) -> State | None:
    """All versions of a key now, with headers where the ledger has them otherwise; None where they cannot be read."""
    if not current.versions:
        found = await source.head(current.source, key)
        if found is None:
            return []
        return None if found.unreadable else [found]
    listed = list(reversed(await source.versions_of(current.source, key)))
    by_version = {one.source_version: one for one in known}
    state: State = []
    for one in listed:
        entry = by_version.get(source_version(one))
        if one.delete_marker or (entry is not None and is_same(entry, one)):
            state.append(one)
            continue
        full = await complete(source, current.source, one)
        if full is None:
            continue
        if full.unreadable:
            return None
        state.append(full)
    return state


async def complete(source: Source, bucket: str, listed: SourceObject) -> SourceObject | None:
    """A listed object with what its listing did not tell; None where it is gone meanwhile."""
    if listed.headers is not None or listed.delete_marker or listed.unreadable:
        return listed
    found = await source.head(bucket, listed.key, listed.version_id)
    if found is None or found.unreadable or found.etag != listed.etag:
        return found
    if found.modified_ms // 1000 == listed.modified_ms // 1000:
        # A listing counts milliseconds.
        found = replace(found, modified_ms=listed.modified_ms)
    return found


class _Run:
    """One way through a source's listing."""

    def __init__(
        self,
        database: Database,
        source: Source,
        current: Attachment,
        report: AdoptReport,
        progress: Progress | None,
    ) -> None:
        self._database = database
        self._source = source
        self._current = current
        self._report = report
        self._progress = progress
        self._claims = source.claims(current.source)
        self._places = asyncio.Semaphore(ABREAST)
        self._noted = time.monotonic()

    async def over(self, after: bytes | None, until: bytes | None) -> None:
        """Everything behind the key `after`, up to and with `until`."""
        pages: asyncio.Queue[State | None] = asyncio.Queue(2)
        listing = asyncio.get_running_loop().create_task(self._list_ahead(pages, after, until))
        try:
            position = after
            while (page := await pages.get()) is not None:
                await self._window(page, position, page[-1].key)
                position = page[-1].key
            await listing
            await self._window([], position, until)
        finally:
            listing.cancel()
            await asyncio.gather(listing, return_exceptions=True)

    async def _list_ahead(self, pages: asyncio.Queue[State | None], after: bytes | None, until: bytes | None) -> None:
        """Ask for the next pages while one is worked on; None says that there are no more, or that it failed."""
        try:
            async with aclosing(self._whole_keys(after, until)) as found:
                async for page in found:
                    await pages.put(page)
        except GatewayError:
            await pages.put(None)
            raise
        await pages.put(None)

    async def _whole_keys(self, after: bytes | None, until: bytes | None) -> AsyncGenerator[State, None]:
        """Pages in which each key has all its versions."""
        current = self._current
        carried: State = []
        # Later most are known, and asking for the few others costs the store less than telling of all.
        metadata = current.finished_ms is None
        async for page in self._source.pages(
            current.source, current.prefix, after, versions=current.versions, metadata=metadata
        ):
            entries = carried + (page if until is None else [one for one in page if one.key <= until])
            carried = []
            if current.versions and entries:
                carried = [one for one in entries if one.key == entries[-1].key]
                entries = entries[: len(entries) - len(carried)]
            if entries:
                yield entries
            if until is not None and page[-1].key > until:
                break
        if carried:
            yield carried

    async def _window(self, page: State, after: bytes | None, last: bytes | None) -> None:
        """The keys behind `after` up to and with `last`, of which `page` is all that lies there."""
        current, report = self._current, self._report
        known: dict[bytes, dict[str, Known]] = {}
        for row in await self._database.read(
            partial(adopted_ledger.known_between, current=current, after=after, last=last)
        ):
            known.setdefault(row.key, {})[row.source_version] = row
        listed: dict[bytes, dict[str, SourceObject]] = {}
        for one in page:
            listed.setdefault(one.key, {}).setdefault(source_version(one), one)
        differing: dict[bytes, State] = {}
        gone = [key for key in known if key not in listed]
        claimed: list[bytes] = []
        for key, by_version in listed.items():
            if (mark := await self._claims.of(key)) is not None:
                claimed.append(key)
                name = mark.decode(errors="backslashreplace")
                report.left_out[name] = report.left_out.get(name, 0) + 1
                continue
            report.listed += len(by_version)
            entries = known.get(key, {})
            if by_version.keys() == entries.keys() and all(is_same(entries[v], one) for v, one in by_version.items()):
                continue
            if (why := _unfit(key)) is not None:
                report.skip(key, why)
                continue
            differing[key] = list(reversed(by_version.values()))
        states = await _each(self._completed(key, state, known.get(key, {})) for key, state in differing.items())
        states |= await _each(self._asked_again(key, known[key]) for key in gone)
        # Rows of what was adopted before its mark was known go; what lies there stays, as the ledger lets go of it.
        states |= {key: [] for key in claimed if key in known}
        await self._write({key: state for key, state in states.items() if state is not None}, last)
        if page:
            report.last = page[-1].key
        if self._progress is not None:
            self._progress(report)

    async def _completed(self, key: bytes, state: State, known: dict[str, Known]) -> KeyState:
        whole: State = []
        for one in state:
            entry = known.get(source_version(one))
            full: SourceObject | None = one
            if (entry is None or not is_same(entry, one)) and one.headers is None and not one.delete_marker:
                async with self._places:
                    full = await complete(self._source, self._current.source, one)
            if full is None:
                continue
            if full.unreadable:
                self._report.skip(
                    key, "the store does not let us read it, perhaps because a customer's key encrypts it"
                )
                return key, None
            whole.append(full)
        return key, whole

    async def _asked_again(self, key: bytes, known: dict[str, Known]) -> KeyState:
        async with self._places:
            return key, await state_of(self._source, self._current, key, list(known.values()))

    async def _write(self, states: dict[bytes, State], last: bytes | None) -> None:
        batch: dict[bytes, State] = {}
        size = 0
        for key in sorted(states):
            batch[key] = states[key]
            size += max(1, len(states[key]))
            if size >= BATCH[self._database.engine]:
                await self._commit(batch, key)
                batch, size = {}, 0
        if batch:
            await self._commit(batch, last)
        elif last is not None and time.monotonic() - self._noted > NOTE_SECONDS:
            await self._commit({}, last)

    async def _commit(self, batch: dict[bytes, State], after: bytes | None) -> None:
        current = self._current

        async def operation(tx: Transaction) -> Changes:
            done = await reconcile(tx, current, batch) if batch else Changes()
            if after is not None:
                await attachments.advance(tx, current, after)
            return done

        self._report.changes.add(await self._database.write(operation, heavy=True))
        self._noted = time.monotonic()


async def _each(work: Iterable[Coroutine[None, None, KeyState]]) -> dict[bytes, State | None]:
    return dict(await asyncio.gather(*work))


def _unfit(key: bytes) -> str | None:
    """Why a key cannot be one here."""
    if len(key) > MAX_KEY_BYTES:
        return f"its key is longer than {MAX_KEY_BYTES} bytes"
    if b"\0" in key:
        return "its key holds a zero byte"
    try:
        key.decode()
    except UnicodeDecodeError:
        return "its key is not UTF-8"
    return None
