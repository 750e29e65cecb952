"""What the SQL does on both engines: races have one winner, references are never lost, counts are exact."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import (
    AccountExists,
    BucketExists,
    BucketNotEmpty,
    BucketNotFound,
    BucketOwnedByYou,
    GatewayError,
    LeaseLost,
    ObjectNotFound,
    PreconditionFailed,
    UploadNotFound,
)
from gateway.metadata import (
    accounts,
    buckets,
    contents,
    leases,
    listing,
    meta,
    postgres_hot,
    sweep,
    uploads,
    usage,
    versions,
)
from gateway.metadata.contents import Joined, NewContent, NewPart
from gateway.metadata.lists import batches
from gateway.metadata.port import Database, Reader, Transaction
from gateway.metadata.versions import NewVersion, Written
from gateway.model import (
    Account,
    Bucket,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    MultipartUpload,
    Versioning,
    WriteConditions,
)
from gateway.services.bucket_images import view_readings
from tests.contract.metadata_rows import blob, new_bucket, plain

Opened = Callable[[], Database]
NO_CONDITIONS = WriteConditions()
Put = Callable[[Database, NewVersion, WriteConditions], Awaitable[Written]]


async def shortest(database: Database, new: NewVersion, conditions: WriteConditions) -> Written:
    return await database.put(new, conditions)


async def generic(database: Database, new: NewVersion, conditions: WriteConditions) -> Written:
    return await database.write(lambda tx: versions.put_new(tx, new, conditions))


@pytest.fixture(params=[shortest, generic])
def put(request: pytest.FixtureRequest) -> Put:
    """The two ways to write a plain version, of which one is a function of the database."""
    found: Put = request.param
    return found


async def outcome(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except GatewayError as error:
        return type(error)


async def assert_sound(database: Database) -> None:
    assert await database.read(sweep.inconsistencies) == {}


async def test_a_new_version_reads_back_as_it_was_put(database: Database, put: Put) -> None:
    bucket, lease = await new_bucket(database)
    new, conditions = plain(bucket, b"a/\xc3\xbc\x01", lease, size=7)
    new = dataclasses.replace(new, tags=(("t", "1"), ("ü", "")), image_id="i" * 26, modified_ms=123)
    written = await put(database, new, conditions)
    assert isinstance(new.content, NewContent)
    assert new.content.blob is not None
    generation, row = await database.current(bucket, new.key)
    assert generation == await database.generation()
    found = await versions.current_of(database, bucket, new.key, row)
    assert found == await versions.current(database, bucket, new.key)
    assert (found.key, found.modified_ms, found.headers, found.tag_count) == (new.key, 123, new.headers, 2)
    assert await versions.get_tags(database, found) == new.tags
    assert found.content is not None
    assert found.content.id == written.content_id
    assert (found.content.uid, found.content.size, found.content.etag) == (new.content.uid, 7, new.content.etag)
    assert found.content.first is not None
    assert (found.content.first.store, found.content.first.name) == ("local", new.content.blob.name)
    assert (found.content.first.offset, found.content.first.start, found.content.first.length) == (0, 0, 7)
    assert (await versions.by_image(database, "i" * 26)).key == new.key
    empty, conditions = plain(bucket, b"empty", lease, size=0)
    await put(database, empty, conditions)
    nothing = await versions.current(database, bucket, b"empty")
    assert nothing.content is not None
    assert (nothing.content.size, nothing.content.first, nothing.content.segment_count) == (0, None, 0)
    assert await usage.of_bucket(database, bucket) == (2, 7)
    await assert_sound(database)


async def test_checksums_are_stored(database: Database, put: Put) -> None:
    from gateway.model import Checksum

    bucket, lease = await new_bucket(database)
    new, conditions = plain(bucket, b"key", lease)
    checksum = Checksum(ChecksumAlgorithm.CRC64NVME, ChecksumType.FULL_OBJECT, "AAAAAAAAAAA=")
    assert isinstance(new.content, NewContent)
    content = dataclasses.replace(new.content, checksum=checksum)
    await put(database, dataclasses.replace(new, content=content), conditions)
    found = await versions.current(database, bucket, b"key")
    assert found.content is not None
    assert found.content.checksum == checksum
    page = await database.read(lambda reader: listing.objects(reader, bucket, b"", b"", None, 10))
    assert page.objects[0].checksum_algorithm is ChecksumAlgorithm.CRC64NVME


async def test_what_a_put_may_not_do(database: Database, put: Put) -> None:
    bucket, lease = await new_bucket(database)

    async def told(**options: Any) -> Any:
        return await outcome(
            put(database, *plain(options.pop("bucket", bucket), b"key", options.pop("lease", lease), **options))
        )

    assert await told(if_match="x") is ObjectNotFound
    assert await told(if_match="*") is ObjectNotFound
    assert isinstance(await told(if_none_match=True, etag="first"), Written)
    assert await told(if_none_match=True) is PreconditionFailed
    assert await told(if_match="other") is PreconditionFailed
    assert isinstance(await told(if_match="first", etag="second"), Written)
    assert isinstance(await told(if_match="*", etag="third"), Written)
    assert await told(bucket=bucket + 999) is BucketNotFound
    assert await told(lease=lease + 999) is LeaseLost
    await database.write(lambda tx: leases.end(tx, lease))
    assert await told() is LeaseLost
    assert (await versions.current(database, bucket, b"key")).content.etag == "third"  # type: ignore[union-attr]
    with pytest.raises(PreconditionFailed) as failed:
        await put(database, *plain(bucket, b"key", lease + 1, size=0, if_none_match=True))
    assert failed.value.condition == "If-None-Match"
    await assert_sound(database)


async def test_puts_of_one_moment_are_each_their_own(database: Database, put: Put) -> None:
    """Some in the same round trip fail, and take none of the others with them."""
    bucket, lease = await new_bucket(database)
    other, other_lease = await new_bucket(database, Versioning.ENABLED)
    await put(database, *plain(bucket, b"there", lease))
    calls = []
    for number in range(30):
        calls.append(put(database, *plain(bucket, b"new-%d" % number, lease)))
        calls.append(put(database, *plain(bucket, b"there", lease, if_none_match=True)))
        calls.append(put(database, *plain(other, b"same", other_lease)))
        calls.append(put(database, *plain(bucket, b"lost", lease + 1000)))
    results = await asyncio.gather(*(outcome(call) for call in calls))
    kinds = [result if isinstance(result, type) else type(result) for result in results]
    assert kinds == [Written, PreconditionFailed, Written, LeaseLost] * 30
    ids = [result.version_id for result in results if isinstance(result, Written)]
    assert len({name for name in ids if name is not None}) == 30
    assert await usage.of_bucket(database, bucket) == (31, 31 * 4)
    assert await usage.of_bucket(database, other) == (1, 30 * 4)
    await assert_sound(database)


async def test_a_row_that_the_database_refuses_takes_no_other_with_it(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    new, conditions = plain(bucket, b"first", lease)
    await database.put(new, conditions)
    again = dataclasses.replace(new, key=b"second")
    calls = [database.put(again, conditions), *(database.put(*plain(bucket, b"%d" % n, lease)) for n in range(10))]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[0], Exception), "its bytes are another version's already"
    assert all(isinstance(result, Written) for result in results[1:])
    await assert_sound(database)


async def test_of_many_conditional_writers_exactly_one_wins(database: Database, opened: Opened, put: Put) -> None:
    databases = [database, opened(), opened()]
    bucket, lease = await new_bucket(database)
    await put(database, *plain(bucket, b"match", lease, etag="round-0"))
    for turn in range(15):
        new = [put(each, *plain(bucket, b"new-%d" % turn, lease, if_none_match=True)) for each in databases * 4]
        match = [
            put(each, *plain(bucket, b"match", lease, if_match=f"round-{turn}", etag=f"round-{turn + 1}"))
            for each in databases * 4
        ]
        results = await asyncio.gather(*(outcome(call) for call in (*new, *match)))
        for half in (results[:12], results[12:]):
            assert sum(isinstance(result, Written) for result in half) == 1
            assert half.count(PreconditionFailed) == 11
    assert await usage.of_bucket(database, bucket) == (16, 16 * 4)
    await assert_sound(database)


@pytest.mark.parametrize("versioning", Versioning)
async def test_writes_and_deletions_of_one_key_leave_it_whole(
    database: Database, opened: Opened, put: Put, versioning: Versioning
) -> None:
    databases = [database, opened(), opened()]
    bucket, lease = await new_bucket(database, versioning)
    chance = random.Random(5)

    async def work(each: Database) -> None:
        for _ in range(15):
            key = chance.choice([b"a", b"b"])
            if chance.random() < 0.6:
                await put(each, *plain(bucket, key, lease, size=chance.randrange(9)))
            else:
                version = "null" if chance.random() < 0.3 else None
                await each.write(lambda tx, key=key, v=version: versions.delete(tx, bucket, key, v, None, 1))  # type: ignore[misc]

    await asyncio.gather(*(work(each) for each in databases))
    await assert_sound(database)
    nulls = await database.all("SELECT key, count(*) FROM versions WHERE nonce IS NULL GROUP BY key")
    assert all(count == 1 for _, count in nulls)


async def test_a_bucket_is_deleted_empty_or_not_at_all(database: Database, opened: Opened, put: Put) -> None:
    other = opened()
    for _ in range(12):
        bucket, lease = await new_bucket(database)
        calls = [put(other, *plain(bucket, b"key-%d" % n, lease)) for n in range(3)]
        upload = _upload(bucket)
        results = await asyncio.gather(
            outcome(database.write(lambda tx, b=bucket: buckets.delete(tx, b))),  # type: ignore[misc]
            outcome(other.write(lambda tx, u=upload: uploads.create(tx, u))),  # type: ignore[misc]
            *(outcome(call) for call in calls),
        )
        there = await database.one("SELECT 1 FROM buckets WHERE id = ?", (bucket,))
        rows = await database.one("SELECT count(*) FROM heads WHERE bucket_id = ?", (bucket,))
        begun = await database.one("SELECT count(*) FROM uploads WHERE bucket_id = ?", (bucket,))
        written = sum(isinstance(result, Written) for result in results[2:])
        assert (rows, begun) == ((written,), (1 if there and results[1] is None else 0,))
        assert results[0] is (BucketNotEmpty if there else None)
        if not there:
            assert results[2:] == [BucketNotFound] * 3
    await assert_sound(database)


def _upload(bucket: int, key: bytes = b"key") -> MultipartUpload:
    return MultipartUpload(
        0,
        secrets.token_hex(8),
        bucket,
        key,
        (),
        (),
        ChecksumAlgorithm.CRC64NVME,
        ChecksumType.FULL_OBJECT,
        False,
        "me",
        1,
    )


async def test_copies_deletions_and_the_sweep_lose_no_byte(database: Database, opened: Opened) -> None:
    """Whoever copies either finds the source gone, or keeps its bytes: none that a version needs is ever condemned."""
    databases = [opened(), opened()]
    bucket, lease = await new_bucket(database)

    async def sweeping() -> None:
        while running:
            await database.write(lambda tx: sweep.collect_orphans(tx, 5, 200), heavy=True)

    async def copy(each: Database, source: bytes, target: bytes, part: bool) -> object:
        found = await versions.current(each, bucket, source)
        assert found.content is not None
        content = found.content.id

        async def operation(tx: Transaction) -> None:
            if not await contents.exists(tx, content):
                raise ObjectNotFound
            what: NewContent | int = content
            if part:
                references = await contents.references(tx, content, 0, 2)
                what = NewContent(secrets.token_bytes(16), 2, "part", references=references)
            await versions.put(tx, NewVersion(bucket, target, what, (), (), None, 1), NO_CONDITIONS)

        return await each.write(operation)

    async def play(each: Database, number: int) -> None:
        chance = random.Random(number)
        for turn in range(25):
            key = b"key-%d" % chance.randrange(4)
            match chance.randrange(3):
                case 0:
                    await each.put(*plain(bucket, key, lease))
                case 1:
                    await each.write(lambda tx, key=key: versions.delete(tx, bucket, key, None, None, 1))  # type: ignore[misc]
                case _:
                    await outcome(copy(each, key, b"key-%d" % chance.randrange(4), turn % 2 == 0))

    for key in range(4):
        await database.put(*plain(bucket, b"key-%d" % key, lease))
    running = True
    sweeper = asyncio.create_task(sweeping())
    await asyncio.gather(*(play(each, number) for number, each in enumerate(databases * 2)))
    running = False
    await sweeper
    await assert_sound(database)
    while await database.write(lambda tx: sweep.collect_orphans(tx, 5, 200), heavy=True):
        pass
    await assert_sound(database)
    left = await database.one(
        "SELECT count(*) FROM contents c WHERE NOT EXISTS (SELECT 1 FROM versions v WHERE v.content_id = c.id)"
    )
    live = await database.one(
        "SELECT count(*) FROM blobs b WHERE state = 'live' AND NOT EXISTS "
        "(SELECT 1 FROM segments s WHERE s.blob_id = b.id)"
    )
    assert (left, live) == ((0,), (0,)), "and what nobody needs is condemned"


async def test_a_buried_lease_commits_nothing_any_more(database: Database, opened: Opened, put: Put) -> None:
    other = opened()
    for _ in range(10):
        bucket, lease = await new_bucket(database)
        late = int(time.time() * 1000) + leases.DEAD_AFTER_MS + 10_000

        async def bury_and_look(late: int = late, lease: int = lease) -> set[str]:
            await other.write(lambda tx: leases.bury(tx, late))
            rows = await other.all("SELECT name FROM blobs")
            return {name for (name,) in rows if name.startswith(f"{lease}/")}

        calls = [outcome(put(database, *plain(bucket, b"%d" % n, lease))) for n in range(6)]
        seen, *results = await asyncio.gather(bury_and_look(), *calls)
        rows = await database.all("SELECT name FROM blobs")
        assert {name for (name,) in rows if name.startswith(f"{lease}/")} == seen, "a name came after the burial"
        assert {result if isinstance(result, type) else type(result) for result in results} <= {Written, LeaseLost}


async def test_leases_live_while_they_are_renewed(database: Database) -> None:
    now = int(time.time() * 1000)
    kept, lost = [await database.write(lambda tx: leases.create(tx, "test", now)) for _ in range(2)]
    later = now + leases.DEAD_AFTER_MS + 1000
    await database.write(lambda tx: leases.renew(tx, kept, later, 77))
    await database.write(lambda tx: leases.bury(tx, later))
    assert await leases.live(database) == [kept]
    assert await leases.dead(database) == [lost]
    assert await leases.oldest_read(database) == 77
    with pytest.raises(LeaseLost):
        await database.write(lambda tx: leases.renew(tx, lost, later, None))
    with pytest.raises(LeaseLost):
        await database.write(lambda tx: leases.check(tx, blob(kept), None, blob(lost)))
    adopted = dataclasses.replace(blob(kept), name="@1/vx/key")
    await database.write(lambda tx: leases.check(tx, blob(kept), None, adopted))


async def test_one_of_many_takes_a_named_lock(database: Database, opened: Opened) -> None:
    databases = [database, opened(), opened()]
    now = int(time.time() * 1000)
    taken = await asyncio.gather(
        *(
            each.write(lambda tx, n=n: leases.take_lock(tx, "sweep", f"owner-{n}", now, 60_000))  # type: ignore[misc]
            for n, each in enumerate(databases * 3)
        )
    )
    assert taken.count(True) == 1
    owner = f"owner-{taken.index(True)}"
    assert await database.write(lambda tx: leases.take_lock(tx, "sweep", owner, now, 60_000)), "and keeps it"
    assert not await database.write(lambda tx: leases.take_lock(tx, "sweep", "new", now + 59_000, 60_000))
    assert await database.write(lambda tx: leases.take_lock(tx, "sweep", "new", now + 62_000, 60_000))


async def test_names_are_given_out_once(database: Database, opened: Opened) -> None:
    databases = [database, opened(), opened()]
    calls = [
        each.write(lambda tx, n=n: accounts.create(tx, "name", f"canonical-{n}", 1))  # type: ignore[misc]
        for n, each in enumerate(databases)
    ]
    made = await asyncio.gather(*(outcome(call) for call in calls))
    assert made.count(AccountExists) == 2
    (account,) = (one for one in made if one is not AccountExists)
    other = await database.write(lambda tx: accounts.create(tx, "other", "other", 1))
    attempts = [
        each.write(lambda tx, owner=owner: buckets.create(tx, "bucket", owner, "eu", 1))  # type: ignore[misc]
        for each, owner in zip(databases, (account, account, other), strict=True)
    ]
    results = await asyncio.gather(*(outcome(attempt) for attempt in attempts))
    assert sum(not isinstance(result, type) for result in results) == 1
    assert {result for result in results if isinstance(result, type)} <= {BucketExists, BucketOwnedByYou}
    facts = await asyncio.gather(
        *(
            each.write(lambda tx, n=n: meta.put_if_absent(tx, "fact", b"%d" % n))  # type: ignore[misc]
            for n, each in enumerate(databases)
        )
    )
    assert len(set(facts)) == 1


async def test_a_name_of_views_is_kept_for_the_owner_of_the_bucket(database: Database, opened: Opened) -> None:
    databases = [database, opened()]
    ann = await database.write(lambda tx: accounts.create(tx, "ann", "canonical-ann", 1))
    bob = await database.write(lambda tx: accounts.create(tx, "bob", "canonical-bob", 1))

    async def create(each: Database, name: str, owner: Account, server_presets: tuple[str, ...] = ()) -> Any:
        views = view_readings(name)
        return await outcome(each.write(lambda tx: buckets.create(tx, name, owner, "eu", 1, views, server_presets)))

    for name, preset in (("a--b", "c"), ("a", "b--c")):
        shown = await create(database, name, ann)
        assert isinstance(shown, Bucket)
        for each in databases:
            assert await create(each, "a--b--c", bob) is BucketExists
        assert await create(database, "a--b--c", ann, (preset,)) is BucketExists
        made = await create(databases[1], "a--b--c", ann, ("other",))
        assert isinstance(made, Bucket)
        await _delete(database, made)
        await _set_preset(databases[1], shown, preset)
        assert await create(database, "a--b--c", ann) is BucketExists
        await _delete(database, shown)
    # Of two at once the one that comes later knows of the other.
    for number in range(10):
        name = f"race{number}"
        await asyncio.gather(
            create(databases[number % 2], name, ann), create(databases[1 - number % 2], f"{name}--card", bob)
        )
        rows = await database.all("SELECT name FROM buckets WHERE name LIKE ? ORDER BY id", (f"{name}%",))
        assert [row[0] for row in rows] in ([name], [f"{name}--card", name])


async def _delete(database: Database, bucket: Bucket) -> None:
    await database.write(lambda tx: buckets.delete(tx, bucket.id))


async def _set_preset(database: Database, bucket: Bucket, preset: str) -> None:
    await database.write(
        lambda tx: buckets.change_images(
            tx, bucket.id, lambda before: dataclasses.replace(before, presets={preset: "w:1"}), 1
        )
    )


async def test_every_change_of_configuration_counts(database: Database, opened: Opened) -> None:
    databases = [database, opened()]
    before = await database.generation()
    names = [f"name-{n}" for n in range(20)]
    await asyncio.gather(
        *(
            databases[n % 2].write(lambda tx, name=name: accounts.create(tx, name, name, 1))  # type: ignore[misc]
            for n, name in enumerate(names)
        )
    )
    assert await database.generation() == before + 20


@pytest.mark.parametrize("checksums", [True, False])
async def test_joined_parts_are_what_references_to_all_of_them_are(database: Database, checksums: bool) -> None:
    bucket, lease = await new_bucket(database)
    upload = _upload(bucket)
    crc = Checksum(ChecksumAlgorithm.CRC32, ChecksumType.FULL_OBJECT, "AAAAAA==")

    async def begin(tx: Transaction) -> None:
        await uploads.create(tx, upload)
        found = await uploads.get(tx, bucket, b"key", upload.upload_id)
        first = await contents.insert(tx, NewContent(secrets.token_bytes(16), 4, "blob", blob=blob(lease)))
        runs = await contents.references(tx, first, 0, 4)
        # Of one blob, of two runs, of nothing, and larger than a float of 32 bits counts.
        await uploads.put_part(tx, found.id, 7, NewContent(secrets.token_bytes(16), 4, "seven", crc, blob(lease)), 1)
        two = NewContent(secrets.token_bytes(16), 8, "three", crc, references=runs * 2)
        await uploads.put_part(tx, found.id, 3, two, 1)
        await uploads.put_part(tx, found.id, 5, NewContent(secrets.token_bytes(16), 0, "five", crc), 1)
        size = 5 * 2**30 + 1
        large = NewContent(secrets.token_bytes(16), size, "one", crc, blob(lease, size))
        await uploads.put_part(tx, found.id, 1, large, 1)

    await database.write(begin)
    found = await uploads.get(database, bucket, b"key", upload.upload_id)

    async def make(tx: Transaction) -> tuple[int, int]:
        stored = await uploads.stored_parts(tx, found.id)
        assert await uploads.stored_part(tx, found.id, 3) == stored[3]
        assert await uploads.stored_part(tx, found.id, 4) is None
        numbers, start, table = sorted(stored), 0, []
        for number in numbers:
            part = stored[number]
            value = part.checksum_value if checksums else None
            table.append(NewPart(number, start, part.size, part.etag, value))
            start += part.size
        references = await uploads.part_references(tx, found.id, numbers)
        listed = NewContent(secrets.token_bytes(16), start, "e-4", references=references, parts=tuple(table))
        segments = sum(part.segment_count for part in stored.values())
        joined = Joined(found.id, segments, len(stored), checksums)
        whole = NewContent(secrets.token_bytes(16), start, "e-4", joined=joined)
        return await contents.insert(tx, listed), await contents.insert(tx, whole)

    listed, joined = await database.write(make)
    for rows in (
        "SELECT start, length, blob_id, blob_offset FROM segments WHERE content_id = ? ORDER BY start",
        "SELECT number, start, size, etag, checksum FROM content_parts WHERE content_id = ? ORDER BY number",
        "SELECT size, part_count, segment_count FROM contents WHERE id = ?",
    ):
        expected = [tuple(row) for row in await database.all(rows, (listed,))]
        assert [tuple(row) for row in await database.all(rows, (joined,))] == expected
        assert expected


async def test_parts_of_one_upload_from_many_and_one_completion(database: Database, opened: Opened) -> None:
    databases = [database, opened(), opened()]
    bucket, lease = await new_bucket(database)
    upload = _upload(bucket)
    await database.write(lambda tx: uploads.create(tx, upload))
    found = await uploads.get(database, bucket, b"key", upload.upload_id)

    async def part(each: Database, number: int) -> None:
        new = NewContent(secrets.token_bytes(16), 4, f"part-{number}", blob=blob(lease))
        await each.write(lambda tx: uploads.put_part(tx, found.id, number, new, 1))

    await asyncio.gather(*(part(each, number) for number in (1, 2, 3) for each in databases))
    assert sorted(await uploads.stored_parts(database, found.id)) == [1, 2, 3]
    rows = await database.one("SELECT count(*) FROM orphans")
    assert rows == (6,), "of three puts of a part two are in nobody's way"

    async def complete(tx: Transaction) -> bool:
        await uploads.hold(tx, found)
        if await uploads.completed(tx, bucket, b"key", upload.upload_id) is not None:
            return False
        await uploads.get(tx, bucket, b"key", upload.upload_id)
        numbers = sorted(await uploads.stored_parts(tx, found.id))
        references = await uploads.part_references(tx, found.id, numbers)
        content = NewContent(secrets.token_bytes(16), 4 * len(references), "whole-3", references=references)
        await versions.put(tx, NewVersion(bucket, b"key", content, (), (), None, 1), NO_CONDITIONS)
        await uploads.finish(tx, found.id, b"digest", {}, 1)
        return True

    results = await asyncio.gather(
        *(outcome(each.write(complete)) for each in databases),
        outcome(opened().write(lambda tx: uploads.abort(tx, bucket, b"key", upload.upload_id))),
        outcome(part(databases[0], 2)),
    )
    won = results[:3].count(True)
    aborted = results[3] is None
    assert won + aborted == 1
    assert results[4] in (None, UploadNotFound)
    await assert_sound(database)
    while await database.write(lambda tx: sweep.collect_orphans(tx, 5, 200), heavy=True):
        pass
    await assert_sound(database)
    assert await database.one("SELECT count(*) FROM blobs WHERE state = 'live'") == (3 if won else 0,)


async def test_usage_is_exact_while_it_is_folded(database: Database, opened: Opened) -> None:
    bucket, lease = await new_bucket(database)
    other = opened()
    running = True

    async def folding() -> None:
        while running:
            await other.write(usage.fold, heavy=True)
            await other.write(usage.recount, heavy=True)

    folder = asyncio.create_task(folding())
    for number in range(30):
        await database.put(*plain(bucket, b"%d" % number, lease))
        assert await usage.of_bucket(database, bucket) == (number + 1, 4 * (number + 1))
    running = False
    await folder
    assert await database.write(usage.fold) < usage.FOLDED
    assert await database.one("SELECT count(*) FROM usage_deltas") == (0,)
    assert await database.one("SELECT objects, bytes FROM usage WHERE bucket_id = ?", (bucket,)) == (30, 120)
    await database.write(lambda tx: tx.run("UPDATE usage SET objects = 7"))
    assert await database.read(sweep.inconsistencies) == {"a bucket whose count of objects or bytes is wrong": 1}
    await database.write(usage.recount)
    await assert_sound(database)
    assert await usage.totals(database) == (30, 120)


async def test_names_in_use_and_condemned_are_of_one_store(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    blobs = [blob(lease, store=store) for store in ("local", "minio")]
    for number, each in enumerate(blobs):
        content = NewContent(secrets.token_bytes(16), 4, "e", blob=each)
        await database.put(NewVersion(bucket, b"%d" % number, content, (), (), None, 1), NO_CONDITIONS)
    names = [each.name for each in blobs]
    unknown = [f"9/{n}" for n in range(1500)]
    assert await sweep.names_in_use(database, "local", [*unknown, *names]) == {names[0]}
    assert await sweep.names_in_use(database, "minio", names) == {names[1]}
    rows = await sweep.blobs_after(database, 0, 10)
    assert await sweep.names_in_use(database, "minio", names, besides=[row.id for row in rows]) == set()
    for number in range(2):
        await database.write(lambda tx, n=number: versions.delete(tx, bucket, b"%d" % n, None, None, 1))  # type: ignore[misc]
    assert await database.write(lambda tx: sweep.collect_orphans(tx, 5, 200)) == 2
    found = await sweep.condemned(database, "minio", 6, 10)
    assert [(row.name, row.store, row.state) for row in found] == [(names[1], "minio", "condemned")]
    await database.write(lambda tx: sweep.forget(tx, [row.id for row in found]))
    assert await sweep.condemned(database, "minio", 6, 10) == []
    assert len(await sweep.condemned(database, "local", 6, 10)) == 1


@given(values=st.lists(st.integers(), max_size=1300))
def test_lists_for_sql_hold_every_value_in_few_lengths(values: list[int]) -> None:
    seen: list[int] = []
    for marks, batch in batches(values):
        assert marks.count("?") == len(batch)
        assert len(batch) & (len(batch) - 1) == 0
        seen += dict.fromkeys(batch)
    assert set(seen) == set(values)


KEYS = st.binary(min_size=1, max_size=6).map(lambda raw: bytes(b"ab/\x00\xef\xfe"[byte % 6] for byte in raw))


def expected(keys: list[bytes], prefix: bytes, delimiter: bytes) -> list[bytes]:
    """Keys and common prefixes, in the order of a listing."""
    found: dict[bytes, None] = {}
    for key in sorted(keys):
        if key.startswith(prefix):
            found[listing.common_prefix(key, prefix, delimiter) or key] = None
    return list(found)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    keys=st.lists(KEYS, max_size=25, unique=True),
    prefix=st.one_of(st.just(b""), KEYS),
    delimiter=st.sampled_from([b"", b"/", b"a", b"ab", b"//", b"\xef"]),
    limit=st.integers(1, 5),
)
def test_pages_of_a_listing_are_what_its_keys_say(
    postgres_heads: Callable[[list[bytes], bytes, bytes, int], list[bytes]],
    keys: list[bytes],
    prefix: bytes,
    delimiter: bytes,
    limit: int,
) -> None:
    assert postgres_heads(keys, prefix, delimiter, limit) == expected(keys, prefix, delimiter)


@pytest.fixture
def postgres_heads(migrated_url: str) -> Any:
    """Lists these keys page by page on PostgreSQL; SQLite has a test of its own."""
    from gateway.metadata.postgres import PostgresDatabase

    runner = asyncio.Runner()
    database = runner.run(_open(PostgresDatabase, migrated_url))

    async def listed(keys: list[bytes], prefix: bytes, delimiter: bytes, limit: int) -> list[bytes]:
        async def fill(tx: Transaction) -> None:
            await tx.run("DELETE FROM heads")
            await tx.many(
                "INSERT INTO heads (bucket_id, key, seq, size, etag, modified_ms) VALUES (1, ?, 1, 1, 'e', 1)",
                [(key,) for key in keys],
            )

        await database.write(fill)
        found: list[bytes] = []
        after: bytes | None = None
        while True:

            async def page(reader: Reader, after: bytes | None = after) -> Any:
                return await listing.objects(reader, 1, prefix, delimiter, after, limit)

            got = await database.read(page)
            found += sorted([*(entry.key for entry in got.objects), *got.common_prefixes])
            if not got.truncated:
                return found
            after = got.next_key

    yield lambda *arguments: runner.run(listed(*arguments))
    runner.run(database.close())
    runner.close()


async def _open(kind: Any, url: str) -> Any:
    return kind(url)


async def test_look_ups_of_one_moment_share_round_trips_and_mix_nothing_up(migrated_url: str) -> None:
    from gateway.metadata.postgres import PostgresDatabase

    database = PostgresDatabase(migrated_url)
    bucket, lease = await new_bucket(database)
    for number in range(40):
        await database.put(*plain(bucket, b"%d" % number, lease, etag=f"etag-{number}"))
    asked: list[int] = []
    ask = database._ask_currents

    async def counting(batch: Any) -> Any:
        asked.append(len(batch))
        return await ask(batch)

    database._currents = postgres_hot.Batches(counting, 1)

    async def look(number: int) -> None:
        _, row = await database.current(bucket, b"%d" % number)
        if number >= 40:
            assert row is None
            return
        found = await versions.current_of(database, bucket, b"%d" % number, row)
        assert found.key == b"%d" % number
        assert found.content is not None
        assert found.content.etag == f"etag-{number}"

    await asyncio.gather(*(look(number % 50) for number in range(500)))
    assert sum(asked) == 500
    assert max(asked) <= postgres_hot.AT_ONCE
    assert len(asked) < 20
    await database.close()
