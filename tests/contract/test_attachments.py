"""The rows of adopted objects, on both engines: what reconciling makes of any history on the two sides."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from gateway.blobs.adopted import parse_adopted
from gateway.blobs.source import SourceObject
from gateway.errors import BucketNotFound, InvalidValue
from gateway.metadata import (
    accounts,
    adopted_ledger,
    attachments,
    buckets,
    listing,
    reconciling,
    sweep,
    usage,
    versions,
)
from gateway.metadata.attachments import Attachment
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Database, Transaction
from gateway.metadata.reconciling import Changes
from gateway.metadata.versions import NewVersion
from gateway.model.buckets import Bucket, Versioning
from gateway.model.objects import WriteConditions

KEYS = [b"a", b"a/b", b"b", "ü".encode(), b"z"]


async def new_bucket(database: Database, name: str = "shown") -> Bucket:
    async def operation(tx: Transaction) -> Bucket:
        owner = await accounts.root(tx)
        if owner is None:
            owner = await accounts.create(tx, "root", "f" * 64, 1, is_root=True)
        return await buckets.create(tx, name, owner, "us-east-1", 1)

    return await database.write(operation)


async def attach(
    database: Database, bucket: Bucket, source: str = "there", prefix: bytes = b"", own: bool | None = None
) -> Attachment:
    return await database.write(lambda tx: attachments.attach(tx, bucket.id, "main", source, prefix, own=own, now_ms=1))


def found(key: bytes, number: int, version_id: str | None = None) -> SourceObject:
    """An object as a listing has it, another one for each number."""
    return SourceObject(key, number, f"etag-{number}", 1_000_000 + number, version_id, headers=(("content-type", "x"),))


async def put_here(database: Database, bucket: Bucket, key: bytes, etag: str) -> None:
    new = NewVersion(bucket.id, key, NewContent(random.randbytes(16), 0, etag), (), (), None, 5)
    await database.write(lambda tx: versions.put(tx, new, WriteConditions()))


async def delete_here(database: Database, bucket: Bucket, key: bytes, version_id: str | None = None) -> None:
    await database.write(lambda tx: versions.delete(tx, bucket.id, key, version_id, None, 6))


async def reconcile(
    database: Database, attached: Attachment, states: dict[bytes, list[SourceObject]], *, exact: bool = False
) -> Changes:
    return await database.write(lambda tx: reconciling.reconcile(tx, attached, states, exact=exact))


async def shown(database: Database, bucket: Bucket) -> dict[bytes, str]:
    page = await database.read(lambda reader: listing.objects(reader, bucket.id, b"", b"", None, 1000))
    return {one.key: one.etag for one in page.objects}


async def expect_sound(database: Database) -> None:
    assert await database.read(sweep.inconsistencies) == {}


@dataclass
class Model:
    """What should be: what lies there, what is shown (whose, which), what the ledger knows."""

    there: dict[bytes, SourceObject] = field(default_factory=dict)
    here: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    known: set[bytes] = field(default_factory=set)

    def reconcile(self, key: bytes) -> None:
        lies, stands = self.there.get(key), self.here.get(key)
        if lies is None:
            self.known.discard(key)
            if stands is not None and stands[0] == "theirs":
                del self.here[key]
        elif key in self.known:
            if stands is not None and stands[0] == "theirs":
                self.here[key] = ("theirs", lies.etag)
        else:
            # Known from now on even where ours stands: deleted here, the key does not come back.
            self.known.add(key)
            if stands is None:
                self.here[key] = ("theirs", lies.etag)


@pytest.mark.parametrize("seed", range(4))
async def test_any_history_without_versions(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    bucket = await new_bucket(database)
    attached = await attach(database, bucket)
    model = Model()
    for number in range(1, 120):
        key = dice.choice(KEYS)
        what = dice.choice(["put there", "delete there", "put here", "delete here", "reconcile", "reconcile"])
        if what == "put there":
            model.there[key] = found(key, number)
        elif what == "delete there":
            model.there.pop(key, None)
        elif what == "put here":
            await put_here(database, bucket, key, f"ours-{number}")
            model.here[key] = ("ours", f"ours-{number}")
        elif what == "delete here":
            await delete_here(database, bucket, key)
            model.here.pop(key, None)
        else:
            some = dice.sample(KEYS, dice.randint(1, len(KEYS)))
            states = {key: [model.there[key]] if key in model.there else [] for key in some}
            await reconcile(database, attached, states)
            for key in some:
                model.reconcile(key)
        assert await shown(database, bucket) == {key: etag for key, (_, etag) in model.here.items()}
    known = await adopted_ledger.known_between(database, attached, None, None)
    assert {one.key for one in known} == model.known
    await expect_sound(database)


@pytest.mark.parametrize("seed", range(4))
async def test_any_history_with_versions(database: Database, seed: int) -> None:
    """As long as nobody writes to a key here, its versions are the source's; from then on they only vanish."""
    dice = random.Random(seed)
    bucket = await new_bucket(database)
    await database.write(lambda tx: buckets.set_versioning(tx, bucket.id, Versioning.ENABLED))
    attached = await attach(database, bucket)
    there: dict[bytes, list[SourceObject]] = {key: [] for key in KEYS}
    ours: set[bytes] = set()
    for number in range(1, 100):
        key = dice.choice(KEYS)
        what = dice.choice(["put", "put", "marker", "drop", "null", "here", "reconcile", "reconcile"])
        if what == "put":
            there[key].append(found(key, number, f"v{number}"))
        elif what == "null":
            there[key] = [one for one in there[key] if one.version_id != "null"] + [found(key, number, "null")]
        elif what == "marker":
            there[key].append(SourceObject(key, 0, "", 1_000_000 + number, f"m{number}", delete_marker=True))
        elif what == "drop" and there[key]:
            there[key].remove(dice.choice(there[key]))
        elif what == "here" and dice.random() < 0.2:
            await put_here(database, bucket, key, f"ours-{number}")
            ours.add(key)
        else:
            await reconcile(database, attached, dict(there))
            page = await database.read(lambda reader: listing.versions(reader, bucket.id, b"", b"", None, None, 1000))
            for each in KEYS:
                rows = [one for one in page.versions if one.key == each]
                wanted = [(one.etag, one.delete_marker, one.modified_ms) for one in reversed(there[each])]
                had = [(one.etag, one.delete_marker, one.modified_ms) for one in rows]
                if each in ours:
                    theirs = [one for one in had if not one[0].startswith("ours-")]
                    assert [one for one in wanted if one in theirs] == theirs
                else:
                    assert had == wanted
            await expect_sound(database)


async def test_names_tell_where_an_object_lies(database: Database) -> None:
    bucket = await new_bucket(database)
    attached = await attach(database, bucket)
    states = {
        b"plain": [found(b"plain", 1)],
        b"versions": [found(b"versions", 2, "null"), found(b"versions", 3, "a/b %")],
    }
    await reconcile(database, attached, states)
    rows = await database.all("SELECT name, store, length FROM blobs ORDER BY id")
    names = [parse_adopted(row[0]) for row in rows]
    assert [(one.attachment, one.bucket, one.key, one.version_id, one.etag) for one in names] == [
        (attached.id, "there", b"plain", None, "etag-1"),
        (attached.id, "there", b"versions", "null", "etag-2"),
        (attached.id, "there", b"versions", "a/b %", None),
    ]
    assert [tuple(row[1:]) for row in rows] == [("main", 1), ("main", 2), ("main", 3)]
    version = await versions.current(database, bucket.id, b"plain")
    assert version.content is not None
    assert version.content.adopted
    assert (version.headers, version.modified_ms) == ((("content-type", "x"),), 1_000_001)


async def test_an_object_that_changes_back_is_a_content_of_its_own(database: Database) -> None:
    bucket = await new_bucket(database)
    attached = await attach(database, bucket)
    uids = []
    for number in (1, 2, 1):
        await reconcile(database, attached, {b"k": [found(b"k", number)]})
        content = (await versions.current(database, bucket.id, b"k")).content
        assert content is not None
        uids.append(content.uid)
    assert len(set(uids)) == 3
    assert await usage.of_bucket(database, bucket.id) == (1, 1)
    await expect_sound(database)


async def test_exact_replaces_headers_alone(database: Database) -> None:
    bucket = await new_bucket(database)
    attached = await attach(database, bucket)
    await reconcile(database, attached, {b"k": [found(b"k", 1)]})
    before = await versions.current(database, bucket.id, b"k")
    again = SourceObject(b"k", 1, "etag-1", 1_000_000, headers=(("expires", "never"),))
    assert await reconcile(database, attached, {b"k": [again]}) == Changes()
    assert (await versions.current(database, bucket.id, b"k")).headers == before.headers
    await reconcile(database, attached, {b"k": [again]}, exact=True)
    after = await versions.current(database, bucket.id, b"k")
    assert (after.headers, after.seq, after.content) == ((("expires", "never"),), before.seq, before.content)


async def test_a_bucket_that_is_gone(database: Database) -> None:
    bucket = await new_bucket(database)
    attached = await attach(database, bucket)
    await database.write(lambda tx: buckets.delete(tx, bucket.id))
    with pytest.raises(BucketNotFound):
        await reconcile(database, attached, {b"k": [found(b"k", 1)]})
    assert await database.all("SELECT 1 FROM blobs") == []


async def test_only_one_may_delete_what_another_shows(database: Database) -> None:
    first, second = await new_bucket(database), await new_bucket(database, "second")
    kept = await attach(database, first, prefix=b"in/", own=True)
    assert await attach(database, first, prefix=b"in/") == kept
    with pytest.raises(InvalidValue):
        await attach(database, second, prefix=b"in/deeper")
    with pytest.raises(InvalidValue):
        await attach(database, second)
    await attach(database, second, prefix=b"out/")
    assert not (await attach(database, first, prefix=b"in/", own=False)).own
    with pytest.raises(InvalidValue):
        await attach(database, second, source="elsewhere")
    third = await new_bucket(database, "third")
    await attach(database, third, prefix=b"in/x")
    with pytest.raises(InvalidValue):
        await attach(database, first, prefix=b"in/", own=True)
    # Nobody shows it there any more.
    await database.write(lambda tx: buckets.delete(tx, third.id))
    assert (await attach(database, first, prefix=b"in/", own=True)).own


async def test_what_the_sweep_may_delete(database: Database) -> None:
    bucket, other = await new_bucket(database), await new_bucket(database, "other")
    own, guest = await attach(database, bucket, own=True), await attach(database, other, source="elsewhere")
    for attached in (own, guest):
        await reconcile(database, attached, {key: [found(key, 1)] for key in (b"alive", b"deleted", b"changed")})
    names = {
        (parse_adopted(row[0]).attachment, parse_adopted(row[0]).key): parse_adopted(row[0])
        for row in await database.all("SELECT name FROM blobs")
    }
    for each in (bucket, other):
        await delete_here(database, each, b"deleted")
    await reconcile(database, own, {b"changed": [found(b"changed", 2)]})
    for key, allowed in ((b"alive", False), (b"deleted", True), (b"changed", False)):
        assert (await adopted_ledger.released(database, names[own.id, key])).allowed is allowed
        assert not (await adopted_ledger.released(database, names[guest.id, key])).allowed
    assert (await adopted_ledger.released(database, names[own.id, b"deleted"])).modified_ms == 1_000_001
    # Gone there, written here, and then there again with the same bytes: that was never ours.
    await reconcile(database, own, {b"deleted": []})
    await put_here(database, bucket, b"deleted", "ours")
    assert (await reconcile(database, own, {b"deleted": [found(b"deleted", 1)]})).kept == 1
    assert not (await adopted_ledger.released(database, names[own.id, b"deleted"])).allowed


async def test_what_was_left_alone_stays_away_when_ours_is_deleted(database: Database) -> None:
    bucket = await new_bucket(database)
    attached = await attach(database, bucket)
    await put_here(database, bucket, b"k", "ours")
    for _ in range(2):
        assert await reconcile(database, attached, {b"k": [found(b"k", 1)]}) == Changes(kept=1)
    await delete_here(database, bucket, b"k")
    assert await reconcile(database, attached, {b"k": [found(b"k", 1)]}) == Changes(kept=1)
    assert await shown(database, bucket) == {}
    await reconcile(database, attached, {b"k": []})
    assert await reconcile(database, attached, {b"k": [found(b"k", 2)]}) == Changes(new=1)
    await expect_sound(database)


async def test_what_was_left_alone_follows_when_a_delete_marker_is_taken_back(database: Database) -> None:
    bucket = await new_bucket(database)
    await database.write(lambda tx: buckets.set_versioning(tx, bucket.id, Versioning.ENABLED))
    attached = await attach(database, bucket)
    one, two = found(b"k", 1, "v1"), found(b"k", 2, "v2")
    await reconcile(database, attached, {b"k": [one]})
    await delete_here(database, bucket, b"k")
    assert await reconcile(database, attached, {b"k": [one, two]}) == Changes(kept=1)
    page = await database.read(lambda reader: listing.versions(reader, bucket.id, b"", b"", None, None, 1000))
    marker = next(each for each in page.versions if each.delete_marker)
    await delete_here(database, bucket, b"k", marker.version_id)
    assert await shown(database, bucket) == {b"k": one.etag}
    assert await reconcile(database, attached, {b"k": [one, two]}) == Changes(new=1)
    assert await shown(database, bucket) == {b"k": two.etag}
    await expect_sound(database)


async def test_how_far_a_run_came(database: Database) -> None:
    bucket = await new_bucket(database)
    first = await attach(database, bucket)
    await database.write(lambda tx: attachments.advance(tx, first, b"k"))
    half = await attachments.get(database, first.id)
    assert half is not None
    assert (half.after, half.round) == (b"k", 0)
    await database.write(lambda tx: attachments.finish(tx, half, 7, 9))
    # One that began in the same round and is slower says nothing of the next.
    await database.write(lambda tx: attachments.advance(tx, first, b"c"))
    done = await attachments.get(database, first.id)
    assert done is not None
    assert (done.after, done.round, done.objects, done.finished_ms) == (None, 1, 7, 9)
