"""ListParts."""

from __future__ import annotations

from gateway.http.dates import iso_date
from gateway.http.reply import Reply
from gateway.model.uploads import PartPage
from gateway.s3.call import Call
from gateway.s3.checksum_headers import XML_NAMES
from gateway.s3.listing_page import MAX_PAGE
from gateway.s3.render import owner, xml_reply
from gateway.s3.xml import Writer, boolean


async def list_parts(call: Call) -> Reply:
    limit = call.number("max-parts", default=MAX_PAGE, maximum=2**31 - 1)
    after = call.number("part-number-marker", default=0, maximum=2**31 - 1)
    upload = await call.services.uploads.get(call.bucket, call.key, call.upload_id())
    page = PartPage((), False, None)
    if limit:
        page = await call.services.uploads.parts(upload, after, min(limit, MAX_PAGE))

    writer = Writer("ListPartsResult")
    writer.add("Bucket", call.bucket.name)
    writer.add("Key", call.key.decode())
    writer.add("UploadId", upload.upload_id)
    writer.raw(f"<Initiator><ID>{upload.initiator}</ID><DisplayName></DisplayName></Initiator>")
    owner(writer, call.bucket.owner)
    writer.add("StorageClass", "STANDARD")
    writer.add("PartNumberMarker", after)
    writer.add_if("NextPartNumberMarker", page.next_number)
    writer.add("MaxParts", min(limit, MAX_PAGE))
    writer.add("IsTruncated", boolean(page.truncated))
    if upload.checksum_asked:
        writer.add("ChecksumAlgorithm", upload.checksum_algorithm.value)
        writer.add("ChecksumType", upload.checksum_type.value)
    for part in page.parts:
        writer.open("Part")
        writer.add("PartNumber", part.number)
        writer.add("LastModified", iso_date(part.modified_ms))
        writer.add("ETag", f'"{part.etag}"')
        writer.add("Size", part.size)
        if part.checksum is not None:
            writer.add(XML_NAMES[part.checksum.algorithm], part.checksum.value)
        writer.close("Part")
    return xml_reply(writer.finish())
