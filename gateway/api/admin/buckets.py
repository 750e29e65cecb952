"""Buckets of all accounts, for administrators."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from aiohttp.web import StreamResponse
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.admin.paging import ADMIN, TAG, PageQuery, cursor
from gateway.api.answer import answer, nothing
from gateway.api.call import Call
from gateway.api.moment import Moment, moment
from gateway.api.operation import Access, Body, Operation
from gateway.errors import BucketNotFound
from gateway.model.buckets import Bucket, BucketImages, Versioning
from gateway.model.contents import Encryption
from gateway.services.audit import Action, Event
from gateway.services.clock import now_ms


class ImageSettings(BaseModel):
    """How a bucket treats its images, as `pixgate buckets set` has it."""

    presets: dict[str, str]
    only_presets: bool
    max_width: int | None
    fallback: str | None
    renditions: list[str]
    exif: bool
    raw: bool
    cors: list[str]
    purge: bool
    catalogue: bool


class BucketDetails(BaseModel):
    bucket: str
    account: str
    region: str
    versioning: Versioning
    images: Literal["public", "private"]
    ladder: list[int]
    image_settings: ImageSettings
    encryption: Encryption | None
    store: str | None
    objects: int
    bytes: int = Field(description="Of all versions.")
    created_at: Moment


class BucketPage(BaseModel):
    items: list[BucketDetails]
    next: str | None


class BucketQuery(PageQuery):
    account: str | None = Field(default=None, max_length=64)


class NewBucket(BaseModel):
    model_config = ConfigDict(extra="forbid")

    bucket: str = Field(max_length=63)
    account: str = Field(max_length=64)


class BucketChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    images: Literal["public", "private"] | None = None
    ladder: list[int] | None = Field(default=None, max_length=50)
    encryption: Literal["AES256"] | None = Field(default=None, description="Null: none.")
    store: str | None = Field(default=None, max_length=64, description="Null: where the settings of the node say.")
    presets: dict[str, str | None] | None = Field(
        default=None, description="Options by the name of a preset; null takes it away. Others stay."
    )
    only_presets: bool | None = None
    max_width: int | None = None
    fallback: str | None = None
    renditions: list[str] | None = None
    exif: bool | None = None
    raw: bool | None = None
    cors: list[str] | None = None
    purge: bool | None = None
    catalogue: bool | None = None

    def of_images(self) -> dict[str, object]:
        """What changes of how it treats its images, without the presets."""
        values: dict[str, object] = {}
        for name in self.model_fields_set & set(ImageSettings.model_fields) - {"presets"}:
            value = getattr(self, name)
            if value is None and name not in ("max_width", "fallback"):
                continue
            values[name] = tuple(value) if isinstance(value, list) else value
        return values

    def apply(self, before: BucketImages) -> BucketImages:
        changed = self.presets or {}
        kept = {name: text for name, text in before.presets.items() if name not in changed}
        given = {name: text for name, text in changed.items() if text is not None}
        return replace(before, presets=kept | given, **self.of_images())  # type: ignore[arg-type]


async def list_buckets(call: Call) -> StreamResponse:
    query = call.query_as(BucketQuery)
    account = None if query.account is None else await call.services.accounts.get(query.account)
    found = await call.services.buckets.list(account, after=query.after(), limit=query.limit + 1)
    page = found[: query.limit]
    usage = await call.services.buckets.usage()
    items = [details(bucket, usage.get(bucket.id, (0, 0))) for bucket in page]
    return answer(200, BucketPage(items=items, next=cursor(page[-1].name if page else "", more=len(found) > len(page))))


async def create_bucket(call: Call) -> StreamResponse:
    given = call.body_as(NewBucket)
    owner = await call.services.accounts.get(given.account)
    bucket = await call.services.buckets.create(given.bucket, owner, actor=call.actor)
    return answer(201, details(bucket, (0, 0)))


async def get_bucket(call: Call) -> StreamResponse:
    return await _answer(call, await _bucket(call))


async def change_bucket(call: Call) -> StreamResponse:
    bucket, given = await _bucket(call), call.body_as(BucketChange)
    buckets, said = call.services.buckets, given.model_fields_set
    if given.presets or given.of_images():
        await buckets.change_images(bucket, given.apply)
    if given.images is not None or given.ladder is not None:
        ladder = None if given.ladder is None else tuple(given.ladder)
        await buckets.set_images(
            bucket, public=None if given.images is None else given.images == "public", ladder=ladder
        )
    if "encryption" in said:
        await buckets.set_encryption(bucket, None if given.encryption is None else Encryption.SSE_S3)
    if "store" in said:
        await buckets.set_store(bucket, given.store)
    if said:
        changed = given.model_dump(mode="json", exclude_unset=True)
        call.services.audit.later(Event(Action.BUCKET_CHANGE, call.actor, now_ms(), bucket.name, changed))
    await call.services.directory.refresh()
    return await _answer(call, await _bucket(call))


async def delete_bucket(call: Call) -> StreamResponse:
    await call.services.buckets.delete(await _bucket(call), actor=call.actor)
    return nothing()


async def _bucket(call: Call) -> Bucket:
    call.record.bucket = call.places["bucket"]
    found = await call.services.directory.bucket(call.places["bucket"])
    if found is None:
        raise BucketNotFound("There is no such bucket.")
    return found


async def _answer(call: Call, bucket: Bucket) -> StreamResponse:
    return answer(200, details(bucket, await call.services.buckets.usage_of(bucket)))


def details(bucket: Bucket, usage: tuple[int, int]) -> BucketDetails:
    images = bucket.images
    return BucketDetails(
        bucket=bucket.name,
        account=bucket.owner.name,
        region=bucket.region,
        versioning=bucket.versioning,
        images="public" if bucket.images_public else "private",
        ladder=list(bucket.ladder),
        image_settings=ImageSettings(
            presets=dict(images.presets),
            only_presets=images.only_presets,
            max_width=images.max_width,
            fallback=images.fallback,
            renditions=list(images.renditions),
            exif=images.exif,
            raw=images.raw,
            cors=list(images.cors),
            purge=images.purge,
            catalogue=images.catalogue,
        ),
        encryption=bucket.encryption,
        store=bucket.store,
        objects=usage[0],
        bytes=usage[1],
        created_at=moment(bucket.created_ms),
    )


_PATH = f"{ADMIN}/buckets"
_ONE = _PATH + "/{bucket}"
OPERATIONS = (
    Operation(
        "AdminListBuckets",
        "GET",
        _PATH,
        list_buckets,
        Access.ADMIN,
        TAG,
        "Buckets of all accounts, or of one, by name",
        {200: BucketPage},
        errors=("INVALID_REQUEST", "NOT_FOUND"),
        query=BucketQuery,
    ),
    Operation(
        "AdminCreateBucket",
        "POST",
        _PATH,
        create_bucket,
        Access.ADMIN,
        TAG,
        "Make a bucket for an account",
        {201: BucketDetails},
        errors=("INVALID_REQUEST", "NOT_FOUND", "CONFLICT"),
        body_kind=Body.JSON,
        body=NewBucket,
    ),
    Operation(
        "AdminGetBucket",
        "GET",
        _ONE,
        get_bucket,
        Access.ADMIN,
        TAG,
        "A bucket with all that is set for it",
        {200: BucketDetails},
        errors=("NOT_FOUND",),
    ),
    Operation(
        "AdminChangeBucket",
        "PATCH",
        _ONE,
        change_bucket,
        Access.ADMIN,
        TAG,
        "Say how a bucket shows its images, and how and where it stores",
        {200: BucketDetails},
        errors=("NOT_FOUND", "INVALID_REQUEST"),
        body_kind=Body.JSON,
        body=BucketChange,
    ),
    Operation(
        "AdminDeleteBucket",
        "DELETE",
        _ONE,
        delete_bucket,
        Access.ADMIN,
        TAG,
        "Delete an empty bucket",
        {204: None},
        errors=("NOT_FOUND", "CONFLICT"),
    ),
)
