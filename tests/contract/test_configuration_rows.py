"""Accounts and buckets on both engines: a name is given out once, and every change counts."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from gateway.errors import AccountExists, BucketExists, BucketOwnedByYou
from gateway.metadata import accounts, buckets, meta
from gateway.metadata.port import Database
from gateway.model.accounts import Account
from gateway.model.buckets import Bucket
from gateway.services.bucket_images import view_readings
from tests.contract.writes import Opened, outcome


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
