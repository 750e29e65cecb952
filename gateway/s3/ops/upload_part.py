"""UploadPart, UploadPartCopy."""

from __future__ import annotations

from gateway.errors import InvalidValue
from gateway.http.dates import iso_date
from gateway.http.reply import Reply
from gateway.model.objects import MAX_PUT_BYTES
from gateway.model.uploads import MAX_PARTS, MultipartUpload, Part
from gateway.s3.body import open_body
from gateway.s3.call import Call
from gateway.s3.checksum_headers import XML_NAMES, checksum_headers
from gateway.s3.copy_source import CopySource, find_source, open_source, parse_copy_range
from gateway.s3.encryption_headers import CustomerKey, encryption_headers, part_key
from gateway.s3.errors import S3Error, invalid_argument, too_large
from gateway.s3.ops.objects import readable_content, version_headers
from gateway.s3.patient_reply import patiently
from gateway.s3.render import xml_reply
from gateway.s3.view_source import open_view
from gateway.s3.xml import Writer
from gateway.services.renditions import View


def part_number(call: Call) -> int:
    """Raises S3Error InvalidArgument."""
    text = call.parameters.get("partNumber", "")
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or not 1 <= int(text) <= MAX_PARTS:
        raise invalid_argument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", text)
    return int(text)


async def upload_part(call: Call) -> Reply:
    number = part_number(call)
    upload = await call.services.uploads.get(call.bucket, call.key, call.upload_id())
    key = part_key(call, upload)
    expect, body = open_body(call)
    try:
        result = await call.services.upload_parts.put_part(
            upload, number, expect=expect, body=body, customer_key=None if key is None else key.secret
        )
    except InvalidValue as error:
        raise S3Error("InvalidRequest", str(error)) from None
    return Reply(
        200,
        [
            ("ETag", f'"{result.etag}"'),
            *(pair for pair in checksum_headers(result.checksum) if _of_part(pair[0])),
            *encryption_headers(upload.encryption, key),
        ],
    )


def _of_part(name: str) -> bool:
    return name != "x-amz-checksum-type"


async def upload_part_copy(call: Call) -> Reply:
    number = part_number(call)
    upload = await call.services.uploads.get(call.bucket, call.key, call.upload_id())
    key = part_key(call, upload)
    wanted = call.headers.get("x-amz-copy-source-range")
    found = await find_source(call)
    if found.view is not None:
        return await patiently(call, _copy_shown(call, found.named, found.view, upload, number, wanted, key))
    version, source = await open_source(call, found)
    start, length = parse_copy_range(wanted, readable_content(version).size)
    if length > MAX_PUT_BYTES:
        raise too_large(length)

    async def work() -> Reply:
        part = await call.services.upload_parts.copy_part(
            upload,
            number,
            version,
            start,
            length,
            customer_key=None if key is None else key.secret,
            source_key=source,
        )
        copied = version_headers(found.bucket, version.version_id)
        return _answer(upload, part, key, [("x-amz-copy-source-version-id", value) for _, value in copied])

    return await patiently(call, work())


async def _copy_shown(
    call: Call,
    named: CopySource,
    view: View,
    upload: MultipartUpload,
    number: int,
    wanted: str | None,
    key: CustomerKey | None,
) -> Reply:
    data = (await open_view(call, named, view)).data
    start, length = parse_copy_range(wanted, len(data))
    part = await call.services.upload_parts.copy_made(
        upload,
        number,
        memoryview(data)[start : start + length],
        customer_key=None if key is None else key.secret,
    )
    return _answer(upload, part, key, [])


def _answer(upload: MultipartUpload, part: Part, key: CustomerKey | None, copied: list[tuple[str, str]]) -> Reply:
    writer = Writer("CopyPartResult")
    writer.add("LastModified", iso_date(part.modified_ms))
    writer.add("ETag", f'"{part.etag}"')
    if part.checksum is not None:
        writer.add(XML_NAMES[part.checksum.algorithm], part.checksum.value)
    return xml_reply(writer.finish(), headers=(*copied, *encryption_headers(upload.encryption, key)))
