"""Who may have an image: a link that holds, a reader by S3's rules, or anyone within the ladder of an open bucket.

To somebody without rights everything looks the same: a bucket or an image that does not exist, one that is private, and
a link whose key is unknown, switched off, expired or another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.auth.authenticate import Authenticator
from gateway.errors import BucketNotFound, ObjectNotFound
from gateway.img.errors import ImageError, access_denied
from gateway.img.target import ImageById, Target
from gateway.model import AccessKey, Bucket, KeyKind, ObjectVersion
from gateway.policy.decide import decide
from gateway.policy.ladder import ladder_of, on_ladder
from gateway.policy.principal import ANONYMOUS, Principal
from gateway.services.directory import Directory
from gateway.services.objects import Objects
from signing.canonical import HeaderItems
from signing.image_link import LinkClaims, raw_link_key, s3_link_key, verify_link

PERMISSION = "s3:GetObject"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, verified. `expires` (Unix seconds) is when a signed link ends; None where there is none."""

    principal: Principal
    expires: int | None = None

    @property
    def by_link(self) -> bool:
        return self.expires is not None


NOBODY = Asker(ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Granted:
    """An image that may be shown. `public`: to anyone who has this URL, so shared caches may keep it."""

    bucket: Bucket
    version: ObjectVersion
    public: bool


class Access:
    """Decides, with what directory and objects say at the moment."""

    def __init__(self, directory: Directory, objects: Objects, *, region: str, hosts: Sequence[str] = ()) -> None:
        self._directory = directory
        self._objects = objects
        self._authenticator = Authenticator(directory.access_key, region=region, hosts=hosts)

    async def identify(
        self, target: Target, *, method: str, authorization: str | None, headers: HeaderItems, now: float
    ) -> Asker:
        """Who asks. `now` in Unix seconds. Raises LinkRefused, SigningError, AuthenticationError."""
        if target.claims is not None:
            return await self._link(target.claims, now)
        if authorization is None and not target.presigned:
            return NOBODY
        authentication = await self._authenticator.authenticate(
            method=method,
            raw_path=target.raw_path,
            query=target.query,
            parameters=dict(target.query.pairs),
            authorization=authorization,
            headers=headers,
            now=now,
        )
        return Asker(authentication.principal)

    async def _link(self, claims: LinkClaims, now: float) -> Asker:
        key = await self._directory.access_key(claims.key_id)
        if key is not None and not key.usable(int(now * 1000)):
            key = None
        verify_link(claims, None if key is None else _link_key(key), now)
        return Asker(Principal(key), claims.expires)

    async def find(self, asker: Asker, target: Target) -> Granted:
        """The image, if it may be shown.

        Raises ImageError AccessDenied and NotOnLadder, BucketNotFound, ObjectNotFound.
        """
        address = target.address
        if isinstance(address, ImageById):
            try:
                bucket, version = await self._objects.get_by_image_id(address.image_id)
            except ObjectNotFound:
                if asker.principal.anonymous:
                    raise access_denied() from None
                raise
            readable = self._permit(asker, target, bucket, version.key)
            return Granted(bucket, version, asker.by_link or not readable)
        found = await self._directory.bucket(address.bucket)
        if found is None:
            # Bucket names are no secret among those who have a key: making one tells whether it is taken.
            if asker.principal.anonymous or _is_narrowed(asker.principal):
                raise access_denied()
            raise BucketNotFound
        readable = self._permit(asker, target, found, address.key)
        return Granted(found, await self._objects.get(found, address.key), asker.by_link or not readable)

    def _permit(self, asker: Asker, target: Target, bucket: Bucket, key: bytes) -> bool:
        """Whether the asker may read this; False where only because anyone may. Raises ImageError."""
        if _within(asker.principal, bucket, key) and decide(asker.principal, PERMISSION, bucket):
            return True
        if not (bucket.images_public and bucket.owner.enabled):
            raise access_denied()
        if not on_ladder(target.options, target.named, bucket.ladder):
            widths = ", ".join(map(str, ladder_of(bucket.ladder)))
            raise ImageError(
                "NotOnLadder",
                f"Without a signature this bucket gives images of w={widths} (dpr 2 and 3 where the product is among "
                "them) with f=auto, jpeg, webp, avif or none, and no other options.",
            )
        return False


def _link_key(key: AccessKey) -> bytes:
    return raw_link_key(key.secret) if key.kind is KeyKind.LINK else s3_link_key(key.secret)


def _is_narrowed(principal: Principal) -> bool:
    key = principal.access_key
    return key is not None and (key.bucket is not None or key.prefix is not None)


def _within(principal: Principal, bucket: Bucket, key: bytes) -> bool:
    """Whether the asker's key, which may be narrowed to a bucket and a prefix, covers this object."""
    access_key = principal.access_key
    if access_key is None:
        return False
    if access_key.bucket is not None and access_key.bucket != bucket.name:
        return False
    return access_key.prefix is None or key.startswith(access_key.prefix.encode())
