"""What lies in the buckets of a service, for adoption: read as it is, and deleted only where that was asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl

from gateway.blobs.adopted import AdoptedName, parse_adopted
from gateway.blobs.source import SourceObject
from gateway.blobs.upstream.claims import UpstreamClaims
from gateway.blobs.upstream.client import Client
from gateway.blobs.upstream.errors import BadResponse, Refused
from gateway.blobs.upstream.listing import Listed, list_objects, list_versions
from gateway.blobs.upstream.names import Layout
from gateway.blobs.upstream.request import Request, etag_of
from gateway.blobs.upstream.signer import canonical_pairs
from gateway.errors import BucketNotFound, StoreUnavailable
from gateway.model.buckets import Versioning
from gateway.model.objects import Headers, Tags

KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")
META = "x-amz-meta-"
_CUSTOMER_KEY = "x-amz-server-side-encryption-customer-algorithm"


def version_query(version_id: str | None) -> str:
    """The query that names a version; empty where it is None."""
    return "" if version_id is None else canonical_pairs([("versionId", version_id)])


class UpstreamSource:
    """The buckets of one service. Pixgate's own objects lie in `bucket` as `layout` says."""

    def __init__(self, client: Client, bucket: str, layout: Layout) -> None:
        self._client = client
        self._bucket = bucket
        self._layout = layout

    def claims(self, bucket: str) -> UpstreamClaims:
        return UpstreamClaims(self._client, bucket, self._layout if bucket == self._bucket else None)

    async def versioning(self, bucket: str) -> Versioning:
        answer = await self._client.call(
            Request("GetBucketVersioning", "GET", bucket, query=canonical_pairs([("versioning", "")])),
            accept=(404, 405, 501),
        )
        if answer.status == 404:
            error = answer.error()
            if not isinstance(error, Refused) or error.code in ("NoSuchBucket", ""):
                raise BucketNotFound(f"The store has no bucket {bucket!r}.") from error
        if not answer.ok:
            # A service that knows no versions.
            return Versioning.UNVERSIONED
        # Moto names the document after the operation.
        status = answer.xml("VersioningConfiguration", "GetBucketVersioningResponse").get("Status")
        return Versioning(status) if status in ("Enabled", "Suspended") else Versioning.UNVERSIONED

    async def pages(
        self, bucket: str, prefix: bytes, after: bytes | None, *, versions: bool, metadata: bool
    ) -> AsyncIterator[list[SourceObject]]:
        """MinIO tells metadata in its listings where it is asked for that; others ignore the question, or refuse it.

        A page that cannot be read so (a name that XML does not take) is asked for again without, from its first key on:
        a key whose versions lie on two pages may come twice then.
        """
        last = after or b""
        while True:
            try:
                async for page in self._listed(bucket, prefix, last, versions=versions, metadata=metadata):
                    yield [_source_object(one) for one in page]
                    last = page[-1].key if not versions else _before_last(page) or last
            except (BadResponse, Refused) as error:
                if not metadata or (isinstance(error, Refused) and error.status not in (400, 501)):
                    raise
                metadata = False
            else:
                return

    def _listed(
        self, bucket: str, prefix: bytes, after: bytes, *, versions: bool, metadata: bool
    ) -> AsyncIterator[list[Listed]]:
        if versions:
            return list_versions(self._client, bucket, prefix, key_marker=after, metadata=metadata)
        return list_objects(self._client, bucket, prefix, after=after, metadata=metadata)

    async def head(self, bucket: str, key: bytes, version_id: str | None = None) -> SourceObject | None:
        query = version_query(version_id)
        try:
            answer = await self._client.call(Request("HeadObject", "HEAD", bucket, key, query), accept=(404, 405))
        except Refused as error:
            if error.status not in (400, 403):
                raise
            return SourceObject(key, 0, "", 0, version_id, unreadable=True)
        if not answer.ok:
            if answer.status == 404:
                # Only where its bucket is there is an object known to be gone.
                await self._expect(bucket)
            return None
        size = answer.headers.get("content-length", "")
        if not (size.isascii() and size.isdigit()):
            raise BadResponse("HeadObject: it does not say how long the object is")
        return SourceObject(
            key,
            int(size),
            etag_of(answer.headers),
            modified_ms(answer.headers),
            version_id,
            headers=kept_headers(answer.headers),
            tags=await self._tags(bucket, key, query) if answer.headers.get("x-amz-tagging-count", "0") != "0" else (),
        )

    async def _tags(self, bucket: str, key: bytes, query: str) -> Tags:
        pairs = "&".join(filter(None, ("tagging=", query)))
        answer = await self._client.call(Request("GetObjectTagging", "GET", bucket, key, pairs), accept=(403, 404, 501))
        if not answer.ok:
            return ()
        sets = answer.xml("Tagging").all("TagSet")
        return tuple((tag.get("Key"), tag.get("Value")) for tags in sets for tag in tags.all("Tag"))

    async def _expect(self, bucket: str) -> None:
        try:
            await self.versioning(bucket)
        except BucketNotFound as error:
            raise StoreUnavailable("The bucket that this object was adopted from is gone.") from error

    async def versions_of(self, bucket: str, key: bytes) -> list[SourceObject]:
        found: list[SourceObject] = []
        try:
            async for page in list_versions(self._client, bucket, key):
                same = [_source_object(one) for one in page if one.key == key]
                found += same
                if len(same) < len(page):
                    break
        except Refused as error:
            if error.status == 404:
                await self._expect(bucket)
            raise
        return found

    async def check(self, name: AdoptedName) -> SourceObject | None:
        """The object behind a name, if it still is what the name says."""
        found = await self.head(name.bucket, name.key, name.version_id)
        if found is None or found.unreadable or (name.etag is not None and found.etag != name.etag):
            return None
        return found

    async def remove(self, name: str, modified_ms: int | None) -> bool:
        wanted = parse_adopted(name)
        if await self.claims(wanted.bucket).of(wanted.key) is not None:
            # Adopted before its mark was there to be seen.
            return False
        headers: Headers = ()
        if wanted.etag is not None:
            found = await self.check(wanted)
            if found is None or (modified_ms is not None and found.modified_ms // 1000 != modified_ms // 1000):
                return False
            # Those who know this condition leave what was written since the line above.
            headers = (("if-match", f'"{wanted.etag}"'),)
        request = Request(
            "DeleteObject", "DELETE", wanted.bucket, wanted.key, version_query(wanted.version_id), headers
        )
        answer = await self._client.call(request, accept=(404, 409, 412))
        return answer.ok


def _before_last(page: list[Listed]) -> bytes | None:
    """The last key of a page that is known to be complete."""
    for one in reversed(page):
        if one.key != page[-1].key:
            return one.key
    return None


def _source_object(listed: Listed) -> SourceObject:
    told = listed.headers
    return SourceObject(
        listed.key,
        listed.size,
        listed.etag,
        listed.modified_ms,
        listed.version_id,
        listed.delete_marker,
        None if told is None else kept_headers(told),
        None if told is None else tuple(parse_qsl(listed.tags, keep_blank_values=True)),
        told is not None and _CUSTOMER_KEY in told,
    )


def modified_ms(headers: Mapping[str, str]) -> int:
    """`Last-Modified` in ms since the epoch. Raises BadResponse."""
    try:
        moment = parsedate_to_datetime(headers.get("last-modified", ""))
    except ValueError as error:
        raise BadResponse("it does not say when the object was written") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1000


def kept_headers(headers: Mapping[str, str]) -> Headers:
    """What belongs to the object of an answer's headers, in a fixed order. Names in lower case."""
    system = [(name, headers[name]) for name in KEPT if headers.get(name)]
    meta = sorted((name, value) for name, value in headers.items() if name.startswith(META))
    kept = [(name, _text(value)) for name, value in (*system, *meta)]
    return tuple((name, value) for name, value in kept if (name, value) != ("content-encoding", "aws-chunked"))


def _text(value: str) -> str:
    """UTF-8, or where its bytes are not that, Latin-1, which has a character for each."""
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
