"""Pages of images, on both engines, against a plain model: every order, every filter, every cut."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from gateway.metadata import gallery, images, versions
from gateway.metadata.gallery import Place, Sort, Wanted
from gateway.metadata.port import Database
from gateway.model.buckets import Versioning
from gateway.model.images import ImageRow, Visibility
from tests.contract.image_rows import account_of, put_image
from tests.contract.metadata_rows import new_bucket, plain

TYPES = ("image/jpeg", "image/png")
TAGS = ("sea", "ü", "rare")


async def walked(database: Database, wanted: Wanted, limit: int) -> list[ImageRow]:
    """All pages, one behind the other."""
    after: Place | None = None
    found: list[ImageRow] = []
    for _ in range(1000):
        page = await database.read(lambda reader, at=after: gallery.page(reader, wanted, at, limit))  # type: ignore[misc]
        assert len(page.images) <= limit
        found += page.images
        after = page.end
        if after is None:
            return found
    raise AssertionError("the pages have no end")


def fits(row: ImageRow, wanted: Wanted) -> bool:
    return (
        (not wanted.public or (row.visibility is Visibility.PUBLIC and row.moderation in ("none", "approved")))
        and wanted.account_id in (None, row.account_id)
        and wanted.user_id in (None, row.user_id)
        and (wanted.tag is None or wanted.tag in row.tags)
        and wanted.content_type in (None, row.content_type)
        and wanted.visibility in (None, row.visibility)
        and (wanted.from_ms is None or row.created_ms >= wanted.from_ms)
        and (wanted.before_ms is None or row.created_ms < wanted.before_ms)
        and (wanted.min_size is None or row.size >= wanted.min_size)
        and (wanted.max_size is None or row.size <= wanted.max_size)
        and (wanted.min_width is None or (row.width is not None and row.width >= wanted.min_width))
    )


def expected(rows: list[ImageRow], wanted: Wanted) -> list[str]:
    def place(row: ImageRow) -> Place:
        return (row.created_ms if wanted.sort is Sort.CREATED else row.size, row.image_id)

    return [row.image_id for row in sorted(rows, key=place, reverse=wanted.descending) if fits(row, wanted)]


async def test_pages_are_those_of_a_plain_model(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(11)
    places = [await new_bucket(database), await new_bucket(database)]
    rows = [
        await put_image(
            database,
            *chance.choice(places),
            user_id=chance.choice((None, 1, 2)),
            content_type=chance.choice(TYPES),
            size=chance.randint(1, 5),
            width=chance.choice((None, 10, 20)),
            visibility=chance.choice(tuple(Visibility)),
            moderation=chance.choice(("none", "none", "none", "pending", "approved", "hidden")),
            tags=tuple(chance.sample(TAGS, chance.randint(0, 3))),
            created_ms=chance.randint(1, 12),
        )
        for _ in range(90)
    ]
    account = rows[0].account_id
    whose: list[dict[str, object]] = [
        {"public": True},
        {"public": True, "account_id": account},
        {"public": True, "user_id": 2},
        {"account_id": account},
        {"user_id": 1},
    ]
    filters: list[dict[str, object]] = [
        {},
        {"tag": "sea"},
        {"tag": "nobody has it"},
        {"content_type": "image/png"},
        {"from_ms": 4, "before_ms": 9},
        {"min_size": 2, "max_size": 4},
        {"tag": "ü", "min_size": 2, "from_ms": 3, "content_type": "image/jpeg"},
        {"min_width": 11},
        {"visibility": Visibility.PUBLIC},
    ]
    for who, what, sort, descending in itertools.product(whose, filters, Sort, (True, False)):
        wanted = Wanted(**who, **what, sort=sort, descending=descending)  # type: ignore[arg-type]
        limit, scanned = chance.choice((1, 3, 7, 100)), chance.choice((1, 5, 4_000))
        monkeypatch.setattr(gallery, "SCANNED", scanned)
        found = await walked(database, wanted, limit)
        assert [row.image_id for row in found] == expected(rows, wanted), (wanted, limit, scanned)
        assert all(row in rows for row in found)
        page = await database.read(lambda reader, w=wanted: gallery.page(reader, w, None, 100))  # type: ignore[misc]
        assert await gallery.confirmed(database, wanted, page) == page, wanted


async def test_what_came_from_a_replica_is_told_as_it_is_now(database: Database) -> None:
    """A page of a moment ago: what was made private, deleted, overwritten, hidden since is not on it."""
    bucket, lease = await new_bucket(database)
    other, other_lease = await new_bucket(database)
    titled, private, hidden, untagged, _, _ = [
        await put_image(database, bucket, lease, name, tags=("a",))
        for name in (b"titled", b"private", b"hidden", b"untagged", b"deleted", b"overwritten")
    ]
    disabled = await put_image(database, other, other_lease, tags=("a",))
    wanted = Wanted(public=True, tag="a")
    page = await database.read(lambda reader: gallery.page(reader, wanted, None, 10))
    assert len(page.images) == 7
    assert await gallery.confirmed(database, wanted, page) == page
    for row, changes in (
        (titled, {"filename": "other.jpg"}),
        (private, {"visibility": Visibility.PRIVATE}),
        (hidden, {"moderation": "hidden"}),
        (untagged, {"tags": ("b",)}),
    ):
        await database.write(lambda tx, r=row, c=changes: images.change(tx, r.image_id, lambda was: replace(was, **c)))  # type: ignore[misc]
    await database.write(lambda tx: versions.delete(tx, bucket, b"deleted", None, None, 5))
    await database.put(*plain(bucket, b"overwritten", lease))
    await database.write(lambda tx: tx.run("UPDATE accounts SET enabled = 0 WHERE id = ?", (disabled.account_id,)))
    now = await gallery.confirmed(database, wanted, page)
    assert [(row.image_id, row.filename) for row in now.images] == [(titled.image_id, "other.jpg")]
    assert now.end == page.end


@pytest.mark.parametrize("versioning", [Versioning.UNVERSIONED, Versioning.ENABLED])
async def test_what_is_deleted_or_overwritten_is_listed_no_more(database: Database, versioning: Versioning) -> None:
    bucket, lease = await new_bucket(database, versioning)
    account = await account_of(database, bucket)
    deleted = await put_image(database, bucket, lease, b"deleted", tags=("a",))
    overwritten = await put_image(database, bucket, lease, b"overwritten", tags=("a",))
    kept = await put_image(database, bucket, lease, b"kept", tags=("a",))
    lists = [Wanted(public=True), Wanted(account_id=account), Wanted(public=True, tag="a", sort=Sort.SIZE)]
    for wanted in lists:
        assert {row.image_id for row in await walked(database, wanted, 2)} == {
            deleted.image_id,
            overwritten.image_id,
            kept.image_id,
        }
    await database.write(lambda tx: versions.delete(tx, bucket, b"deleted", None, None, 5))
    await database.put(*plain(bucket, b"overwritten", lease))
    for wanted in lists:
        assert [row.image_id for row in await walked(database, wanted, 2)] == [kept.image_id]


async def test_images_of_a_disabled_account_are_not_in_the_gallery(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    account = await account_of(database, bucket)
    row = await put_image(database, bucket, lease, tags=("a",))
    lists = [Wanted(public=True), Wanted(public=True, tag="a"), Wanted(public=True, account_id=account)]
    for wanted in lists:
        assert await walked(database, wanted, 5) == [row]
    await database.write(lambda tx: tx.run("UPDATE accounts SET enabled = 0 WHERE id = ?", (account,)))
    for wanted in lists:
        assert await walked(database, wanted, 5) == []
    assert await walked(database, Wanted(account_id=account), 5) == [row]


async def test_a_change_moves_an_image_between_the_lists(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    row = await put_image(database, bucket, lease, visibility=Visibility.PRIVATE, tags=("a",))
    assert await walked(database, Wanted(public=True, tag="a"), 5) == []
    await database.write(
        lambda tx: images.change(tx, row.image_id, lambda was: replace(was, visibility=Visibility.PUBLIC, tags=("b",)))
    )
    assert [one.image_id for one in await walked(database, Wanted(public=True, tag="b"), 5)] == [row.image_id]
    assert await walked(database, Wanted(public=True, tag="a"), 5) == []
