"""The moderation queue, on both engines."""

from __future__ import annotations

import json

import pytest

from gateway.errors import ImageNotFound
from gateway.metadata import buckets, images, versions
from gateway.metadata.audit import Actor
from gateway.metadata.port import Database
from gateway.model.buckets import BucketImages
from gateway.services.moderation import Moderation
from tests.contract.image_rows import put_image
from tests.contract.metadata_rows import new_bucket

ANNA, BEN = Actor("api", account_id=1, user_id=1), Actor("api", account_id=2, user_id=2)
KEY = Actor("api", account_id=3, access_key="PGX")


async def state(database: Database, image_id: str) -> tuple[str, int]:
    row = await database.one("SELECT moderation, listed FROM images WHERE image_id = ?", (image_id,))
    assert row is not None
    return row[0], row[1]


async def test_what_is_reported_waits_and_is_shown_meanwhile(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    image = await put_image(database, bucket, lease)
    moderation = Moderation(database)
    assert await moderation.page("reported") == []
    await moderation.report(image.image_id, "too loud", ANNA)
    assert await state(database, image.image_id) == ("reported", 1)
    await moderation.report(image.image_id, "again", ANNA)
    await moderation.report(image.image_id, "not mine", BEN)
    await moderation.report(image.image_id, "by key", KEY)
    (queued,) = await moderation.page("reported")
    assert queued.image.image_id == image.image_id
    assert (queued.reports, queued.reason) == (3, "by key"), "who reports twice counts once"


async def test_what_is_hidden_is_listed_nowhere_and_what_is_approved_stays(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    image = (await put_image(database, bucket, lease)).image_id
    moderation = Moderation(database)
    await moderation.report(image, "r", ANNA)
    assert (await moderation.hide(image)).moderation == "hidden"
    assert await state(database, image) == ("hidden", 0)
    await moderation.report(image, "r", BEN)
    assert await state(database, image) == ("hidden", 0), "a report does not bring it back"
    await moderation.approve(image)
    assert await state(database, image) == ("approved", 1)
    await moderation.report(image, "r", KEY)
    assert await state(database, image) == ("approved", 1), "somebody has looked at it, and it does not change"
    assert [one.image.image_id for one in await moderation.page("approved")] == [image]
    rows = await database.all("SELECT action FROM audit WHERE target = ? ORDER BY id", (image,))
    acts = [action for (action,) in rows if action != "image.report"]
    assert acts == ["image.hide", "image.approve"]


async def test_pages_go_on_where_the_last_one_ended(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    moderation = Moderation(database)
    made = [(await put_image(database, bucket, lease, created_ms=at)).image_id for at in (30, 10, 10, 20, 10)]
    for image in made:
        await moderation.report(image, "r", ANNA)
    expected = sorted(made, key=lambda one: ({made[0]: 30, made[3]: 20}.get(one, 10), one))
    seen: list[str] = []
    after = None
    while page := await moderation.page("reported", after=after, limit=2):
        seen += [one.image.image_id for one in page]
        after = (page[-1].image.created_ms, page[-1].image.image_id)
    assert seen == expected


async def test_what_is_gone_is_in_no_queue(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    moderation = Moderation(database)
    image = await put_image(database, bucket, lease)
    await moderation.report(image.image_id, "r", ANNA)
    key = image.image_id.encode()
    await database.write(lambda tx: versions.delete(tx, bucket, key, None, None, 1))
    assert await moderation.page("reported") == []
    await database.write(lambda tx: images.delete(tx, image.image_id))
    for act in (moderation.hide, moderation.approve):
        with pytest.raises(ImageNotFound):
            await act(image.image_id)
    with pytest.raises(ImageNotFound):
        await moderation.report(image.image_id, "r", ANNA)
    count = await database.one("SELECT count(*) FROM audit WHERE action <> 'image.report'")
    assert count == (0,)


async def test_caches_in_front_hear_of_what_is_hidden_and_shown_again(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    image = (await put_image(database, bucket, lease)).image_id
    moderation = Moderation(database)

    async def purged() -> list[str]:
        rows = await database.all("SELECT payload FROM jobs WHERE kind = 'purge' ORDER BY id")
        return [bytes.fromhex(key).decode() for (payload,) in rows if (key := json.loads(payload).get("key"))]

    await moderation.hide(image)
    assert await purged() == [], "the bucket does not purge"
    await database.write(lambda tx: buckets.change_images(tx, bucket, lambda _: BucketImages(purge=True), 1))
    await moderation.hide(image)
    await moderation.report(image, "r", ANNA)
    assert await purged() == [], "it is hidden as before"
    await moderation.approve(image)
    assert await purged() == [image]
    await moderation.approve(image)
    assert await purged() == [image]
    await moderation.hide(image)
    assert await purged() == [image, image]
