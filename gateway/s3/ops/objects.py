"""GetObject, HeadObject, PutObject, DeleteObject."""

from __future__ import annotations

from gateway.http.conditions import Verdict, evaluate, parse_conditions, parse_etags
from gateway.http.dates import http_date, parse_http_date
from gateway.http.object_reply import ObjectReply
from gateway.http.ranges import ByteRange, RangeNotSatisfiable, content_range, parse_range
from gateway.http.reply import Reply
from gateway.model.buckets import Bucket, Versioning
from gateway.model.contents import Content, Segment
from gateway.model.objects import ObjectVersion
from gateway.model.uploads import MAX_PARTS
from gateway.s3.adopted_read import read_adopted
from gateway.s3.body import open_body
from gateway.s3.call import Call, parse_number
from gateway.s3.checksum_headers import checksum_headers
from gateway.s3.encryption_headers import asked_encryption, encryption_headers, reading_key
from gateway.s3.errors import S3Error
from gateway.s3.object_headers import guard, override, printed_headers, stored_headers
from gateway.s3.tags import header_tags
from gateway.s3.write_conditions import single_etag, write_conditions

_WITH_NOT_MODIFIED = frozenset({"Cache-Control", "Expires"})


def version_headers(bucket: Bucket, version_id: str | None) -> tuple[tuple[str, str], ...]:
    """`x-amz-version-id`, which a bucket that never had versioning does not send."""
    if version_id is None or bucket.versioning is Versioning.UNVERSIONED:
        return ()
    return (("x-amz-version-id", version_id),)


def readable_content(version: ObjectVersion) -> Content:
    """The content of a version that is no delete marker."""
    if version.content is None:
        raise S3Error("NoSuchKey")
    return version.content


async def get_object(call: Call) -> Reply:
    version = await call.version()
    content = version.content
    if content is not None and content.adopted:
        return await read_adopted(call, version, _read)
    return await _read(call, version)


async def head_object(call: Call) -> Reply:
    return await get_object(call)


async def _read(call: Call, version: ObjectVersion) -> Reply:
    content = readable_content(version)
    headers, parameters = call.headers, call.parameters
    key = reading_key(call, content)
    modified = version.modified_ms // 1000
    identity = [
        ("Last-Modified", http_date(modified)),
        ("ETag", f'"{content.etag}"'),
        *version_headers(call.bucket, version.version_id),
    ]
    verdict = evaluate(parse_conditions(headers), etag=content.etag, modified=modified, now=int(call.now))
    if verdict is Verdict.NOT_MODIFIED:
        kept = [pair for pair in printed_headers(version.headers) if pair[0] in _WITH_NOT_MODIFIED]
        return Reply(304, [*identity, *kept])
    if verdict.failed:
        raise S3Error("PreconditionFailed", fields=(("Condition", verdict.value),))

    start, length, status = 0, content.size, 200
    extra: list[tuple[str, str]] = []
    part_number = parameters.get("partNumber")
    wanted = headers.get("range")
    if part_number is not None:
        if wanted is not None:
            raise S3Error(
                "InvalidRequest", "Cannot specify both Range header and partNumber query parameter", fields=()
            )
        start, length = await _part(call, content, part_number)
        # An empty last part has no bytes that a Content-Range could name.
        status = 206 if length else 200
        if content.part_count:
            extra.append(("x-amz-mp-parts-count", str(content.part_count)))
    elif wanted is not None and range_applies(headers.get("if-range"), content.etag, modified):
        byte_range = parse_range(wanted)
        if byte_range is not None:
            start, length = resolve_range(byte_range, wanted, content.size)
            status = 206
    if status == 206:
        extra.append(("Content-Range", content_range(start, length, content.size)))
    if headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        extra += await _checksums(call, version, part_number, whole=length == content.size)
    if version.tag_count:
        extra.append(("x-amz-tagging-count", str(version.tag_count)))
    if content.encryption is not None:
        extra += encryption_headers(content.encryption, key)
    if version.image_id is not None:
        extra.append(("x-pixgate-image-id", version.image_id))

    printed = printed_headers(version.headers)
    if parameters:
        printed = override(printed, parameters)
    printed = guard(printed, navigable=call.authentication.presigned)
    segments: tuple[Segment, ...] = ()
    if call.request._method != "HEAD" and length:
        first = content.first
        if first is not None and first.length == length and key is None:
            segments = (first,)
        else:
            segments = await call.services.objects.segments(content, start, length, None if key is None else key.secret)
    return ObjectReply(
        status,
        [*identity, ("Accept-Ranges", "bytes"), *printed, *extra],
        stores=call.services.stores,
        segments=segments,
        length=length,
    )


def resolve_range(byte_range: ByteRange, text: str, size: int) -> tuple[int, int]:
    """Start and length in bytes of what was asked for as `text`. Raises S3Error InvalidRange."""
    try:
        return byte_range.resolve(size)
    except RangeNotSatisfiable:
        raise S3Error(
            "InvalidRange",
            fields=(("RangeRequested", text.strip()[:256]), ("ActualObjectSize", str(size))),
            headers=(("Content-Range", f"bytes */{size}"),),
        ) from None


def range_applies(if_range: str | None, etag: str, modified: int) -> bool:
    """Whether a range is still of the same bytes (RFC 9110, section 13.1.5)."""
    if if_range is None:
        return True
    if '"' in if_range:
        return not if_range.strip().startswith("W/") and parse_etags(if_range) == (etag,)
    return parse_http_date(if_range) == modified


async def _part(call: Call, content: Content, text: str) -> tuple[int, int]:
    number = parse_number(text, "partNumber", minimum=1, maximum=MAX_PARTS)
    found = await call.services.objects.part_range(content, number)
    if found is None:
        raise S3Error(
            "InvalidPartNumber",
            fields=(("ActualPartCount", str(content.part_count or 1)), ("PartNumberRequested", str(number))),
        )
    return found


async def _checksums(
    call: Call, version: ObjectVersion, part_number: str | None, *, whole: bool
) -> list[tuple[str, str]]:
    """The object's checksum where all of it is read, that of a part where it is one; a range has none."""
    content = readable_content(version)
    if part_number is not None and content.part_count:
        page = await call.services.objects.part_page(version, int(part_number) - 1, 1)
        return checksum_headers(page.parts[0].checksum) if page.parts else []
    return checksum_headers(content.checksum) if whole else []


async def put_object(call: Call) -> Reply:
    conditions = write_conditions(call.headers)
    headers = stored_headers(call.headers)
    tags = header_tags(call.headers)
    sealing, key = asked_encryption(call)
    expect, body = open_body(call)
    result = await call.services.objects.put(
        call.bucket,
        call.key,
        headers=headers,
        tags=tags,
        expect=expect,
        conditions=conditions,
        body=body,
        sealing=sealing,
    )
    answer = [
        ("ETag", f'"{result.etag}"'),
        *version_headers(call.bucket, result.version_id),
        *checksum_headers(result.checksum),
        *encryption_headers(result.encryption, key),
    ]
    if result.image_id is not None:
        answer.append(("x-pixgate-image-id", result.image_id))
    return Reply(200, answer)


async def delete_object(call: Call) -> Reply:
    if_match = call.headers.get("if-match")
    result = await call.services.objects.delete(
        call.bucket, call.key, call.version_id(), if_match=None if if_match is None else single_etag(if_match)
    )
    answer = list(version_headers(call.bucket, result.version_id))
    if result.delete_marker:
        answer.append(("x-amz-delete-marker", "true"))
    return Reply(204, answer)
