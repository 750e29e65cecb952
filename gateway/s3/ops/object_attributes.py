"""GetObjectAttributes."""

from __future__ import annotations

from gateway.http.dates import http_date
from gateway.http.reply import Reply
from gateway.model.contents import Content
from gateway.model.objects import ObjectVersion
from gateway.model.uploads import MAX_PARTS
from gateway.s3.call import Call, parse_number
from gateway.s3.checksum_headers import XML_NAMES
from gateway.s3.encryption_headers import reading_key
from gateway.s3.errors import invalid_argument
from gateway.s3.ops.objects import readable_content, version_headers
from gateway.s3.render import xml_reply
from gateway.s3.xml import Writer, boolean

_ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
_DEFAULT_PARTS = 1000


async def get_object_attributes(call: Call) -> Reply:
    name = "x-amz-object-attributes"
    text = call.headers.get(name, "")
    wanted = {piece.strip() for piece in text.split(",") if piece.strip()}
    if not wanted or wanted - _ATTRIBUTES:
        raise invalid_argument("Invalid attribute name specified.", name, text)
    after, limit = 0, _DEFAULT_PARTS
    if "x-amz-part-number-marker" in call.headers:
        after = _number(call, "x-amz-part-number-marker", MAX_PARTS)
    if "x-amz-max-parts" in call.headers:
        limit = _number(call, "x-amz-max-parts", 1000)
    version = await call.services.objects.get(call.bucket, call.key, call.version_id())
    version = await call.services.adopted.checked(call.bucket, version, call.version_id())
    content = readable_content(version)
    reading_key(call, content)

    writer = Writer("GetObjectAttributesResponse")
    if "ETag" in wanted:
        writer.add("ETag", content.etag)
    if "Checksum" in wanted and content.checksum is not None:
        writer.open("Checksum")
        writer.add(XML_NAMES[content.checksum.algorithm], content.checksum.value)
        writer.add("ChecksumType", content.checksum.type.value)
        writer.close("Checksum")
    if "ObjectParts" in wanted and content.part_count:
        await _write_parts(call, writer, version, content, after, limit)
    if "StorageClass" in wanted:
        writer.add("StorageClass", "STANDARD")
    if "ObjectSize" in wanted:
        writer.add("ObjectSize", content.size)
    headers = (
        ("Last-Modified", http_date(version.modified_ms // 1000)),
        *version_headers(call.bucket, version.version_id),
    )
    return xml_reply(writer.finish(), headers=headers)


def _number(call: Call, name: str, maximum: int) -> int:
    return parse_number(call.headers[name], name, minimum=0, maximum=maximum, cap=True)


async def _write_parts(
    call: Call, writer: Writer, version: ObjectVersion, content: Content, after: int, limit: int
) -> None:
    writer.open("ObjectParts")
    writer.add("PartsCount", content.part_count)
    # Without an additional checksum S3 tells the number of parts and nothing of each.
    if content.checksum is not None:
        page = await call.services.objects.part_page(version, after, limit)
        writer.add("PartNumberMarker", after)
        writer.add_if("NextPartNumberMarker", page.next_number)
        writer.add("MaxParts", limit)
        writer.add("IsTruncated", boolean(page.truncated))
        for part in page.parts:
            writer.open("Part")
            writer.add("PartNumber", part.number)
            writer.add("Size", part.size)
            if part.checksum is not None:
                writer.add(XML_NAMES[part.checksum.algorithm], part.checksum.value)
            writer.close("Part")
    writer.close("ObjectParts")
