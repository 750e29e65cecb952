"""Watermarks: objects that an option of a picture names, found for whoever may read them."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import BucketNotFound, NotFound, ObjectNotFound
from gateway.model.accounts import AccessKey, Account, KeyKind
from gateway.model.buckets import Bucket
from gateway.model.objects import ObjectVersion
from gateway.policy.decide import decide
from gateway.policy.principal import Principal
from gateway.services.adopted import Adopted
from gateway.services.directory import Directory
from gateway.services.images import is_image_id
from gateway.services.objects import Objects
from transforms.errors import OptionError

PERMISSION = "s3:GetObject"


@dataclass(frozen=True, slots=True)
class Watermark:
    """An image to lay over others, which its reader may see."""

    bucket: Bucket
    version: ObjectVersion


class Watermarks:
    """Finds what `wm` names: `bucket/key`, or an image id."""

    def __init__(self, directory: Directory, objects: Objects, adopted: Adopted) -> None:
        self._directory = directory
        self._objects = objects
        self._adopted = adopted

    async def find(self, name: str, reader: Principal | None, *, in_person: bool = False) -> Watermark:
        """The watermark, for a reader who may read it; None: the server itself, whose settings name it.

        What a moderator hides is for readers who ask with their own key or token (`in_person`): what links and presets lay
        over a picture everybody sees. Raises OptionError, the same whether there is none or it may not be read, and
        Unavailable facts.
        """
        try:
            return await self._find(name, reader, in_person=in_person)
        except NotFound:
            raise OptionError("wm", "an image that may be read, as bucket/key or image id", "leads to none") from None

    async def _find(self, name: str, reader: Principal | None, *, in_person: bool) -> Watermark:
        if is_image_id(name):
            bucket, version, standing = await self._objects.image(name)
            self._check(reader, bucket, version.key)
            hidden = standing is not None and standing.hidden
        else:
            bucket_name, _, key_text = name.partition("/")
            found = await self._directory.bucket(bucket_name)
            key = key_text.encode("utf-8", "surrogateescape")
            if found is None or not key:
                raise BucketNotFound
            bucket = found
            self._check(reader, bucket, key)
            version = await self._objects.get(bucket, key)
            hidden = not in_person and await self._objects.is_hidden(bucket, version)
        if hidden and not in_person:
            raise ObjectNotFound
        if version.content is not None and version.content.adopted:
            version = await self._adopted.shown(bucket, version, None, _same)
        if version.content is None or version.image_id is None:
            raise ObjectNotFound
        return Watermark(bucket, version)

    def _check(self, reader: Principal | None, bucket: Bucket, key: bytes) -> None:
        if reader is None:
            return
        by_key = reader.user is None
        if (by_key and not covers(reader.access_key, bucket, key)) or not decide(reader, PERMISSION, bucket, key):
            raise ObjectNotFound


def acting_for(account: Account) -> Principal:
    """An account as a reader without any key: for presets, which the owner of a bucket writes for everybody."""
    return Principal(AccessKey("", "", account, KeyKind.LINK, admin=False, enabled=True, created_ms=0))


def covers(access_key: AccessKey | None, bucket: Bucket, key: bytes) -> bool:
    """Whether an access key, which may be narrowed to a bucket and a prefix, is for this object."""
    if access_key is None:
        return False
    if access_key.bucket is not None and access_key.bucket != bucket.name:
        return False
    return access_key.prefix is None or key.startswith(access_key.prefix.encode())


async def _same(version: ObjectVersion) -> ObjectVersion:
    return version
