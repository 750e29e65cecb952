"""Who may have an image: a link that holds, a reader by S3's rules, or anyone within the ladder of an open bucket.

An image that apps know has a visibility of its own, which counts instead of its bucket's: then anyone within the ladder
and by the names of variants, where it is public or unlisted; else its owner, and whoever has a shared link to it. What was
overwritten or deleted where versions are kept is its owner's alone.

To somebody without rights everything looks the same: a bucket or an image that does not exist, one that is private, and
a link whose key is unknown, switched off, expired, another's, or bound to some other place. Nor does he learn which
presets there are. Whoever has a key is told that an image id leads nowhere, be it that no image has it or that his key
may not read the one that has: since nobody knows whose an id was that is gone, the two would differ else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.auth.authenticate import Authenticator
from gateway.auth.bearer import Who
from gateway.errors import BucketNotFound, ObjectNotFound, ShareNotFound
from gateway.img.asker import NOBODY, Asker, Circumstances
from gateway.img.errors import ImageError, access_denied
from gateway.img.target import IMAGE, ImageById, Target
from gateway.metadata.images import Standing
from gateway.model.buckets import Bucket
from gateway.model.objects import ObjectVersion
from gateway.policy.decide import decide
from gateway.policy.images import ImageFacts, may_see, owns, shown
from gateway.policy.ladder import bounded, by_preset_alone, by_variant_alone, ladder_of, on_ladder
from gateway.policy.principal import ANONYMOUS, Principal
from gateway.policy.scope import reaches
from gateway.services.directory import Directory
from gateway.services.objects import Objects
from gateway.services.presets import Presets
from gateway.services.shares import Shares
from gateway.services.watermarks import covers
from signing.canonical import HeaderItems
from transforms.options import ImageRequest

PERMISSION = "s3:GetObject"


@dataclass(frozen=True, slots=True)
class Permit:
    """What may be shown, if it is there. `version` is known where it was asked for by id."""

    bucket: Bucket
    key: bytes
    version: ObjectVersion | None
    request: ImageRequest
    public: bool
    """To anyone who has this URL, so shared caches may keep it."""
    reader: bool
    """The asker may read the object itself and has proved it with more than a link."""

    @property
    def shared(self) -> bool:
        """By a shared link alone, which may be revoked at any moment."""
        return not (self.public or self.reader)


@dataclass(frozen=True, slots=True)
class Granted:
    """An image that may be shown. The fields are a permit's."""

    bucket: Bucket
    version: ObjectVersion
    request: ImageRequest
    public: bool
    reader: bool


class Access:
    """Decides, with what directory and objects say at the moment. `only_presets` holds in every bucket; `who` tells whose a
    bearer token is."""

    def __init__(
        self,
        directory: Directory,
        objects: Objects,
        *,
        region: str,
        hosts: Sequence[str] = (),
        presets: Presets | None = None,
        only_presets: bool = False,
        who: Who | None = None,
        shares: Shares | None = None,
    ) -> None:
        self._directory = directory
        self._objects = objects
        self._authenticator = Authenticator(directory.access_key, region=region, hosts=hosts, who=who)
        self._presets = presets or Presets({})
        self._only_presets = only_presets
        self._shares = shares

    async def identify(
        self,
        target: Target,
        *,
        method: str,
        authorization: str | None,
        headers: HeaderItems,
        now: float,
        address: str | None = None,
        referer: str | None = None,
    ) -> Asker:
        """Who asks. `now` in Unix seconds. Raises LinkRefused, SigningError, AuthenticationError, TokenRefused."""
        if target.signature is not None:
            asker = await target.signature.verify(self._directory, Circumstances(now, address, referer))
            return within_networks(asker, address)
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
        return within_networks(Asker(authentication.principal, presigned=authentication.presigned), address)

    async def permit(self, asker: Asker, target: Target) -> Permit:
        """What may be shown.

        Raises ImageError AccessDenied, NotOnLadder and PresetNeeded, OptionError of a preset, BucketNotFound,
        ObjectNotFound for an image id.
        """
        address = target.address
        version, standing = None, None
        if isinstance(address, ImageById):
            try:
                bucket, version, standing = await self._objects.image(address.image_id)
            except ObjectNotFound:
                if asker.principal.anonymous:
                    raise access_denied() from None
                raise
            key = version.key
        else:
            found = await self._directory.bucket(address.bucket)
            if found is None:
                # Bucket names are no secret among those who have a key: making one tells whether it is taken.
                if asker.principal.anonymous or _is_narrowed(asker.principal):
                    raise access_denied()
                raise BucketNotFound
            bucket, key = found, address.key
        request = target.fixed
        reader = reads(asker.principal, bucket, key)
        if bucket.known_images and version is None and not (reader and asker.in_person):
            # Only here a key costs a second look-up: most buckets have no such images, and their owners need not ask.
            version, standing = await self._standing_of_key(bucket, key)
        closed = standing is not None and standing.hidden and not asker.in_person
        if reader and not closed:
            request = request or target.request(self._presets.find(bucket))
            if asker.by_link:
                self._check_link(bucket, target, request)
            return Permit(bucket, key, version, request, public=asker.by_link, reader=not asker.by_link)
        facts = None if standing is None else _facts(bucket, key, version, standing)
        own = facts is not None and (asker.principal.moderator or owns(asker.principal, facts))
        if own and not closed and not asker.by_link:
            request = request or target.request(self._presets.find(bucket))
            return Permit(bucket, key, version, request, public=False, reader=True)
        everybody = bucket.images_public and bucket.owner.enabled if facts is None else may_see(ANONYMOUS, facts)
        if not (everybody or await self._is_shared(target, bucket, version, facts)):
            if isinstance(address, ImageById) and not asker.principal.anonymous:
                raise ObjectNotFound
            raise access_denied()
        request = request or target.request(self._presets.find(bucket))
        if target.verb == IMAGE:
            request = self._on_ladder(bucket, target, request, variants=standing is not None or not everybody)
        return Permit(bucket, key, version, request, public=everybody, reader=False)

    async def _standing_of_key(self, bucket: Bucket, key: bytes) -> tuple[ObjectVersion | None, Standing | None]:
        """The current version of a key, if there is one, and what its row says."""
        try:
            version = await self._objects.get(bucket, key)
        except ObjectNotFound:
            return None, None
        return version, await self._objects.standing(version)

    async def _is_shared(
        self, target: Target, bucket: Bucket, version: ObjectVersion | None, facts: ImageFacts | None
    ) -> bool:
        """Whether the URL holds a shared link to this image that works."""
        if target.share is None or self._shares is None or version is None:
            return False
        if not (bucket.owner.enabled if facts is None else shown(facts)):
            return False
        try:
            share = await self._shares.find(target.share)
        except ShareNotFound:
            return False
        return share.image_id == version.image_id

    async def located(self, target: Target) -> tuple[Bucket, bytes] | None:
        """Bucket and key that a URL names, whoever asks; None where no such bucket or image id exists."""
        address = target.address
        if isinstance(address, ImageById):
            try:
                bucket, version = await self._objects.get_by_image_id(address.image_id)
            except ObjectNotFound:
                return None
            return bucket, version.key
        found = await self._directory.bucket(address.bucket)
        return None if found is None else (found, address.key)

    async def find(self, asker: Asker, target: Target) -> Granted:
        """The image, if it may be shown. Raises as `permit` does, and ObjectNotFound."""
        permit = await self.permit(asker, target)
        version = permit.version or await self._objects.get(permit.bucket, permit.key)
        return Granted(permit.bucket, version, permit.request, permit.public, permit.reader)

    def only_presets(self, bucket: Bucket) -> bool:
        """Whether links to images of a bucket may name a preset and nothing else about pixels."""
        return self._only_presets or bucket.images.only_presets

    def _check_link(self, bucket: Bucket, target: Target, request: ImageRequest) -> None:
        if request.delivery.raw and not bucket.images.raw:
            raise ImageError("RawNotAllowed")
        if target.verb == IMAGE and self.only_presets(bucket) and not _by_preset_alone(target, request):
            raise ImageError("PresetNeeded")

    def _on_ladder(self, bucket: Bucket, target: Target, request: ImageRequest, *, variants: bool) -> ImageRequest:
        """What is shown for a request without a signature; `variants`: each of them, whatever the ladder is."""
        images = bucket.images
        if self.only_presets(bucket) and not _by_preset_alone(target, request):
            raise ImageError("PresetNeeded")
        if variants and by_variant_alone(request, target.named):
            return request
        options = bounded(request.options, images.max_width)
        # What the server's settings write out is as good as a preset of theirs.
        within = target.by_presets and not request.delivery.raw
        within = within or on_ladder(request, target.named, bucket.ladder, images.max_width)
        if options is None or not within:
            widths = ", ".join(map(str, ladder_of(bucket.ladder, images.max_width)))
            most = f", of at most {images.max_width} x {images.max_width} pixels," if images.max_width else ","
            raise ImageError(
                "NotOnLadder",
                f"Without a signature this bucket gives images of w={widths} (dpr 2 and 3 where the product is among "
                f"them) with f=auto, jpeg, webp, avif or none, or of a preset (p=){most} and no other options about pixels.",
            )
        return request if options is request.options else replace(request, options=options)


def _by_preset_alone(target: Target, request: ImageRequest) -> bool:
    return target.by_presets or by_preset_alone(request, target.named)


def within_networks(asker: Asker, address: str | None) -> Asker:
    """The asker, whose key may be for some networks only. Raises ImageError AccessDenied."""
    key = asker.principal.access_key
    if key is None or key.scope is None or not key.scope.networks:
        return asker
    if not reaches(key.scope, address):
        raise access_denied()
    return replace(asker, bound=True)


def reads(principal: Principal, bucket: Bucket, key: bytes) -> bool:
    """Whether somebody may read an object: by an access key, or as a user whose account has it."""
    if principal.user is not None:
        return decide(principal, PERMISSION, bucket, key)
    return covers(principal.access_key, bucket, key) and decide(principal, PERMISSION, bucket, key)


def _facts(bucket: Bucket, key: bytes, version: ObjectVersion | None, standing: Standing) -> ImageFacts:
    current = version is None or version.is_latest
    return ImageFacts(bucket, key, standing.account_id, standing.user_id, standing.visibility, standing.hidden, current)


def _is_narrowed(principal: Principal) -> bool:
    key = principal.access_key
    if key is None:
        return False
    return key.bucket is not None or key.prefix is not None or (key.scope is not None and key.scope.buckets is not None)
