"""Rows of background work, on both engines: written with what causes them, claimed by one, lost by nobody."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest

from gateway.metadata import buckets, jobs, versions
from gateway.metadata.jobs import PURGE, RENDITION, Job
from gateway.metadata.port import Database
from gateway.model.buckets import BucketImages, Versioning
from tests.contract.metadata_rows import new_bucket, plain

WATCHING = BucketImages(presets={"card": "w:400"}, renditions=("p:card",), purge=True)


async def watch(database: Database, bucket: int, images: BucketImages = WATCHING) -> str:
    """Have a bucket watch its objects; gives its name."""

    async def work(tx: Any) -> str:
        await buckets.change_images(tx, bucket, lambda _: images, 1)
        await tx.run("DELETE FROM jobs")
        row = await tx.one("SELECT name FROM buckets WHERE id = ?", (bucket,))
        return str(row[0])

    return await database.write(work)


async def rows(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """The jobs there are, as kind and payload; they are gone then."""
    found = await database.all("SELECT kind, payload FROM jobs ORDER BY id")
    await database.write(lambda tx: tx.run("DELETE FROM jobs"))
    return [(kind, json.loads(payload)) for kind, payload in found]


async def put(
    database: Database, bucket: int, key: bytes, lease: int, *, image: bool = True, slowly: bool = False
) -> int:
    """Write a version, by the engine's short way or by the long one; gives its number."""
    new, conditions = plain(bucket, key, lease)
    new = replace(new, image_id=secrets.token_hex(13) if image else None)
    if slowly:
        await database.write(lambda tx: versions.put(tx, new, conditions))
    else:
        await database.put(new, conditions)
    row = await database.one("SELECT seq FROM heads WHERE bucket_id = ? AND key = ?", (bucket, key))
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("slowly", [False, True], ids=["short", "long"])
@pytest.mark.parametrize("versioning", list(Versioning))
async def test_a_write_causes_what_its_bucket_asks_for(
    database: Database, versioning: Versioning, slowly: bool
) -> None:
    bucket, lease = await new_bucket(database, versioning)
    await put(database, bucket, b"before", lease, slowly=slowly)
    assert await rows(database) == [], "a bucket that asks for nothing"
    name = await watch(database, bucket)
    key = "ü/\x00".encode()
    seq = await put(database, bucket, key, lease, slowly=slowly)
    rendition = {"bucket": bucket, "key": key.hex()}
    purge = {"bucket": bucket, "name": name, "key": key.hex()}
    assert await rows(database) == [(RENDITION, rendition | {"seq": seq})], "a new key was in no cache"
    seq = await put(database, bucket, key, lease, slowly=slowly)
    assert await rows(database) == [(RENDITION, rendition | {"seq": seq}), (PURGE, purge)]
    await put(database, bucket, key, lease, image=False, slowly=slowly)
    assert await rows(database) == [(PURGE, purge)], "no image, no renditions"
    await watch(database, bucket, BucketImages(purge=True))
    await put(database, bucket, key, lease, slowly=slowly)
    assert await rows(database) == [(PURGE, purge)]
    await watch(database, bucket, BucketImages(renditions=("w:100",)))
    await put(database, bucket, key, lease, slowly=slowly)
    assert [kind for kind, _ in await rows(database)] == [RENDITION]
    await watch(database, bucket, BucketImages())
    await put(database, bucket, key, lease, slowly=slowly)
    assert await rows(database) == []


async def test_a_write_that_is_undone_causes_nothing(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    await watch(database, bucket)

    async def fails(tx: Any) -> None:
        await versions.put(tx, replace(plain(bucket, b"k", lease)[0], image_id="i" * 26), plain(bucket, b"k", lease)[1])
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        await database.write(fails)
    assert await rows(database) == []


async def test_deletions_cause_purges(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    name = await watch(database, bucket)
    purge = (PURGE, {"bucket": bucket, "name": name, "key": b"k".hex()})

    async def delete(version: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        await rows(database)
        await database.write(lambda tx: versions.delete(tx, bucket, b"k", version, None, 5))
        return await rows(database)

    assert await delete() == [], "what is not there"
    await put(database, bucket, b"k", lease)
    assert await delete() == [purge]
    await database.write(lambda tx: buckets.set_versioning(tx, bucket, Versioning.ENABLED))
    await put(database, bucket, b"k", lease)
    first = await database.one("SELECT seq, nonce FROM versions WHERE bucket_id = ? ORDER BY seq DESC", (bucket,))
    assert first is not None
    await put(database, bucket, b"k", lease)
    assert await delete(versions.public_version_id(*first)) == [purge], "an older image, which has links by its id"
    assert await delete() == [purge], "a delete marker"
    assert await delete() == [], "another one: the key meant nothing before"


async def test_settings_that_change_what_is_shown_purge_the_bucket(database: Database) -> None:
    bucket, _ = await new_bucket(database)
    name = await watch(database, bucket)
    purge = [(PURGE, {"bucket": bucket, "name": name})]

    async def change(images: BucketImages) -> list[tuple[str, dict[str, Any]]]:
        await database.write(lambda tx: buckets.change_images(tx, bucket, lambda _: images, 1))
        return await rows(database)

    assert await change(WATCHING) == [], "nothing changed"
    assert await change(replace(WATCHING, presets={"card": "w:500"})) == purge
    await database.write(lambda tx: buckets.set_images_public(tx, bucket, True, 1))
    assert await rows(database) == []
    await database.write(lambda tx: buckets.set_images_public(tx, bucket, False, 1))
    assert await rows(database) == purge
    assert await change(BucketImages()) == purge, "the last one"
    await database.write(lambda tx: buckets.set_images_public(tx, bucket, False, 1))
    assert await change(BucketImages(exif=True)) == await rows(database) == []


async def add(database: Database, kind: str, count: int = 1, due_ms: int = 0) -> None:
    async def work(tx: Any) -> None:
        for number in range(count):
            await jobs.add(tx, kind, {"n": number}, 0, run_at_ms=due_ms)

    await database.write(work)


async def claim(database: Database, kind: str = "k", *, name: str = "me", now: int = 10, limit: int = 1) -> list[Job]:
    return await database.write(lambda tx: jobs.claim(tx, kind, name, now, now + 100, limit))


async def test_a_job_is_claimed_by_one_at_a_time(opened: Callable[[], Database]) -> None:
    databases = [opened(), opened()]
    await add(databases[0], "k", 40)
    await add(databases[0], "other")
    await add(databases[0], "k", due_ms=11)

    async def worker(database: Database, name: str) -> list[int]:
        found: list[int] = []
        while some := await claim(database, name=name, limit=3):
            found += [job.id for job in some]
        return found

    shares: Collection[list[int]] = await asyncio.gather(
        *(worker(database, f"{number}") for number, database in enumerate(databases * 2))
    )
    taken = [identity for share in shares for identity in share]
    assert len(taken) == len(set(taken)) == 40
    assert await jobs.next_due(databases[0], "k") == 11
    assert await jobs.next_due(databases[0], "none") is None


async def test_who_is_killed_costs_a_repeat(database: Database) -> None:
    await add(database, "k")
    (mine,) = await claim(database)
    assert (mine.attempts, mine.payload) == (1, {"n": 0})
    assert await claim(database, name="other", now=109) == []
    (theirs,) = await claim(database, name="other", now=110)
    assert theirs.attempts == 2
    assert not await database.write(lambda tx: jobs.renew(tx, [mine], 500))
    assert not await database.write(lambda tx: jobs.finish(tx, [mine])), "what others took over is theirs"
    assert await database.write(lambda tx: jobs.renew(tx, [theirs], 500))
    assert await claim(database, now=499) == []
    assert await database.write(lambda tx: jobs.finish(tx, [theirs]))
    assert await claim(database, now=10_000) == []


async def test_what_failed_comes_again_and_at_last_stays(database: Database) -> None:
    await add(database, "k", 2)
    some = await claim(database, limit=2)
    await database.write(lambda tx: jobs.give_back(tx, some[:1], 50, "busy", counted=False))
    await database.write(lambda tx: jobs.give_back(tx, some[1:], None, "hopeless"))
    assert await jobs.backlog(database) == {"k": (1, 1)}
    (again,) = await claim(database, now=50, limit=2)
    assert (again.id, again.attempts, again.error) == (some[0].id, 1, "busy")
    (failed,) = await jobs.page(database, failed=True, after=0, limit=10)
    assert (failed.id, failed.error, failed.run_at_ms) == (some[1].id, "hopeless", None)
    assert await database.write(lambda tx: jobs.retry(tx, 999, 5)) == 0
    assert await database.write(lambda tx: jobs.retry(tx, None, 5)) == 1
    (retried,) = await claim(database, now=50)
    assert (retried.id, retried.attempts) == (failed.id, 1)


async def test_old_failures_are_forgotten(database: Database) -> None:
    await add(database, "k", 5)
    some = await claim(database, limit=5)
    await database.write(lambda tx: jobs.give_back(tx, some, None, "hopeless"))
    assert await database.write(lambda tx: jobs.forget_failed(tx, 0, 3)) == 2
    left = await jobs.page(database, failed=True, after=0, limit=10)
    assert [job.id for job in left] == [job.id for job in some[2:]]
    assert await database.write(lambda tx: jobs.delete_failed(tx, left[0].id)) == 1
    assert await database.write(lambda tx: jobs.forget_failed(tx, 1, 3)) == 2
    assert await jobs.backlog(database) == {}


async def test_one_job_is_claimed_by_its_number(database: Database) -> None:
    await add(database, "k", 2)
    await add(database, "k", due_ms=50)
    ids = [job.id for job in await jobs.page(database, failed=False, after=0, limit=9)]

    async def take(identity: int, *, kind: str = "k", now: int = 10) -> list[Job]:
        return await database.write(lambda tx: jobs.claim_one(tx, identity, kind, "me", now, now + 100))

    assert await take(ids[0], kind="other") == []
    (job,) = await take(ids[0])
    assert (job.id, job.attempts, job.claim) == (ids[0], 1, "me")
    assert await take(ids[0]) == [], "a message that came twice"
    assert await take(ids[2]) == [], "not yet"
    assert await take(max(ids) + 1) == [], "done long ago"
    assert [one.id for one in await take(ids[0], now=110)] == [ids[0]], "whoever had it is dead"


async def test_what_is_due_is_sent_once_and_again_where_nobody_began_it(database: Database) -> None:
    await add(database, "k", 3)
    await add(database, "k", due_ms=50)
    ids = [job.id for job in await jobs.page(database, failed=False, after=0, limit=9)]

    async def send(now: int, *, limit: int = 9, again: int | None = None) -> list[int]:
        return await database.write(lambda tx: jobs.to_send(tx, "k", now, limit, again_before_ms=again))

    assert await send(10, limit=2) == ids[:2]
    assert await send(11) == [ids[2]]
    assert await send(12) == []
    await database.write(lambda tx: jobs.not_sent(tx, ids[:1]))
    assert await send(13) == ids[:1], "the queue had not taken it"
    assert await send(20, again=12) == ids[1:3]
    (mine,) = await database.write(lambda tx: jobs.claim_one(tx, ids[1], "k", "me", 20, 120))
    assert await send(40, again=39) == [ids[0], ids[2]]
    await database.write(lambda tx: jobs.give_back(tx, [mine], 41, "busy"))
    assert await send(41) == [ids[1]], "what comes again is sent again"
    assert await send(50) == [ids[3]]
    await database.write(lambda tx: jobs.claim_one(tx, ids[3], "k", "me", 50, 150))
    assert await send(149) == []
    assert await send(150) == [ids[3]], "whoever had it is dead"


async def test_there_is_one_job_of_a_name_at_a_time(opened: Callable[[], Database]) -> None:
    databases = [opened(), opened()]

    async def name(database: Database) -> bool:
        return await database.write(lambda tx: jobs.add_named(tx, "k", "sweep", {"n": 1}, 5, 6))

    assert sorted(await asyncio.gather(*(name(database) for database in databases * 3))) == [False] * 5 + [True]
    (job,) = await claim(databases[0])

    async def again(tx: Any) -> None:
        assert await jobs.finish(tx, [job])
        assert await jobs.add_named(tx, "k", "sweep", {"n": 2}, 7, 8)

    await databases[0].write(again)
    assert [job.payload for job in await claim(databases[1])] == [{"n": 2}]


async def test_an_upload_that_makes_its_image_known_causes_no_work_for_the_catalogue(database: Database) -> None:
    bucket, lease = await new_bucket(database)

    async def write(noted: bool) -> list[str]:
        new, conditions = plain(bucket, b"k", lease)
        new = replace(new, image_id=secrets.token_hex(13), noted=noted)
        await database.write(lambda tx: versions.put(tx, new, conditions))
        return [kind for kind, _ in await rows(database)]

    await watch(database, bucket, BucketImages(catalogue=True))
    assert await write(noted=False) == [RENDITION]
    assert await write(noted=True) == []
    await put(database, bucket, b"k", lease)
    assert [kind for kind, _ in await rows(database)] == [RENDITION], "by the engine's short way"
    await watch(database, bucket, BucketImages(catalogue=True, renditions=("w:100",)))
    assert await write(noted=True) == [RENDITION], "the renditions are to be made all the same"


async def test_how_long_jobs_wait_is_told_of_those_that_are_due(database: Database) -> None:
    async def add(tx: Any) -> None:
        await tx.run("DELETE FROM jobs")
        for kind, due_ms in (("old", 100), ("old", 700), ("later", 1001), ("working", 100), ("failed", 100)):
            await jobs.add(tx, kind, {}, 50, run_at_ms=due_ms)
        await jobs.claim(tx, "working", "us", 900, 5000, 1)
        await tx.run("UPDATE jobs SET run_at_ms = NULL WHERE kind = ?", ("failed",))

    await database.write(add)
    kinds = ("old", "later", "working", "failed", "none")
    found = await database.read(lambda reader: jobs.longest_waiting(reader, kinds, 1000))
    assert found == {"old": 900}
