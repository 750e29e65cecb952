"""What lies in a bucket of the service, page by page.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html and API_ListObjectVersions.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from gateway.blobs.upstream.client import Client
from gateway.blobs.upstream.errors import BadResponse, Refused, ServerError
from gateway.blobs.upstream.request import Request
from gateway.blobs.upstream.signer import canonical_pairs
from gateway.blobs.upstream.xml import Element

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """An object, or one version of it. `etag` has no quotes, `version_id` is None in a listing of objects.

    `storage_class` is empty where the service names none. `headers` (names in lower case) and `tags` (as in a query) are
    what MinIO tells where it is asked for metadata, None elsewhere.
    """

    key: bytes
    size: int
    etag: str
    modified_ms: int
    version_id: str | None = None
    is_latest: bool = True
    delete_marker: bool = False
    storage_class: str = ""
    headers: dict[str, str] | None = None
    tags: str = ""


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    key: bytes
    upload_id: str


async def list_objects(
    client: Client, bucket: str, prefix: bytes = b"", *, after: bytes = b"", page: int = PAGE, metadata: bool = False
) -> AsyncIterator[list[Listed]]:
    """Objects in the order of their keys, from behind `after`. Raises UpstreamError."""
    token = ""
    while True:
        pairs: list[tuple[str, str | bytes]] = [("encoding-type", "url"), ("list-type", "2"), ("max-keys", str(page))]
        if metadata:
            pairs.append(("metadata", "true"))
        if prefix:
            pairs.append(("prefix", prefix))
        if token:
            pairs.append(("continuation-token", token))
        elif after:
            pairs.append(("start-after", after))
        root = await _page(client, bucket, "ListObjectsV2", pairs, "ListBucketResult")
        encoded = root.get("EncodingType") == "url"
        found = [_listed(element, encoded) for element in root.all("Contents")]
        if found:
            yield found
        if root.get("IsTruncated") != "true":
            return
        before, token = token, root.get("NextContinuationToken")
        if not token or token == before:
            raise BadResponse("ListObjectsV2: the listing does not go on")


async def list_prefixes(client: Client, bucket: str, prefix: bytes) -> list[bytes]:
    """The common prefixes below `prefix`, up to the next slash. Raises UpstreamError."""
    token = ""
    prefixes: list[bytes] = []
    while True:
        pairs: list[tuple[str, str | bytes]] = [
            ("delimiter", "/"),
            ("encoding-type", "url"),
            ("list-type", "2"),
            ("prefix", prefix),
        ]
        if token:
            pairs.append(("continuation-token", token))
        root = await _page(client, bucket, "ListObjectsV2", pairs, "ListBucketResult")
        encoded = root.get("EncodingType") == "url"
        prefixes.extend(_decode(element.get("Prefix"), encoded) for element in root.all("CommonPrefixes"))
        if root.get("IsTruncated") != "true":
            return prefixes
        before, token = token, root.get("NextContinuationToken")
        if not token or token == before:
            raise BadResponse("ListObjectsV2: the listing does not go on")


async def list_versions(
    client: Client,
    bucket: str,
    prefix: bytes = b"",
    *,
    key_marker: bytes = b"",
    page: int = PAGE,
    metadata: bool = False,
) -> AsyncIterator[list[Listed]]:
    """All versions and delete markers, keys in order, the newest of a key first; from behind `key_marker`.

    Raises UpstreamError.
    """
    version_marker = ""
    while True:
        pairs: list[tuple[str, str | bytes]] = [("encoding-type", "url"), ("max-keys", str(page)), ("versions", "")]
        if metadata:
            pairs.append(("metadata", "true"))
        if prefix:
            pairs.append(("prefix", prefix))
        if key_marker:
            pairs.append(("key-marker", key_marker))
        if version_marker:
            pairs.append(("version-id-marker", version_marker))
        root = await _page(client, bucket, "ListObjectVersions", pairs, "ListVersionsResult")
        encoded = root.get("EncodingType") == "url"
        found = [_listed(element, encoded) for element in root.children if element.name in ("Version", "DeleteMarker")]
        if found:
            yield found
        if root.get("IsTruncated") != "true":
            return
        markers = _decode(root.get("NextKeyMarker"), encoded), root.get("NextVersionIdMarker")
        if markers == (key_marker, version_marker) or not markers[0]:
            raise BadResponse("ListObjectVersions: the listing does not go on")
        key_marker, version_marker = markers


async def list_uploads(client: Client, bucket: str, prefix: bytes) -> list[UnfinishedUpload]:
    """Unfinished multipart uploads of keys below `prefix`: one page, which is enough to abort and ask again.

    MinIO lists only those of one exact key, and ends all of them by itself after a day. Raises UpstreamError.
    """
    pairs: list[tuple[str, str | bytes]] = [("encoding-type", "url"), ("prefix", prefix), ("uploads", "")]
    try:
        root = await _page(client, bucket, "ListMultipartUploads", pairs, "ListMultipartUploadsResult")
    except (Refused, ServerError) as error:
        # Where there are none, or where they cannot be listed: then the service has to end them by itself.
        if error.code == "NoSuchUpload" or error.status in (405, 501):
            return []
        raise
    encoded = root.get("EncodingType") == "url"
    return [
        UnfinishedUpload(_decode(element.get("Key"), encoded), element.get("UploadId"))
        for element in root.all("Upload")
    ]


async def _page(
    client: Client, bucket: str, operation: str, pairs: list[tuple[str, str | bytes]], root: str
) -> Element:
    answer = await client.call(Request(operation, "GET", bucket, query=canonical_pairs(pairs)))
    return answer.xml(root)


def _listed(element: Element, encoded: bool) -> Listed:
    marker = element.name == "DeleteMarker"
    version = element.get("VersionId") or None
    told = next(element.all("UserMetadata"), None)
    key = _decode(element.get("Key"), encoded)
    return Listed(
        key=key,
        size=0 if marker else _size(element.get("Size"), key),
        etag=element.get("ETag").removeprefix("W/").strip('"'),
        modified_ms=parse_time(element.get("LastModified")),
        version_id=version,
        is_latest=element.get("IsLatest") != "false",
        delete_marker=marker,
        storage_class=element.get("StorageClass"),
        headers=None if told is None else {child.name.lower(): child.text for child in told.children},
        tags=element.get("UserTags"),
    )


def _decode(text: str, encoded: bool) -> bytes:
    # Encoded as a form field: a space is a plus, a plus is %2B.
    return unquote_to_bytes(text.replace("+", " ")) if encoded else text.encode("utf-8", "surrogateescape")


def _size(text: str, key: bytes) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise BadResponse(f"the listing gives no size for {key.decode('utf-8', 'backslashreplace')!r}")
    return int(text)


def parse_time(text: str) -> int:
    """ISO 8601 as ms since the epoch. Raises BadResponse."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadResponse("a listed time is malformed") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
