"""ListMultipartUploads."""

from __future__ import annotations

from gateway.http.dates import iso_date
from gateway.http.reply import Reply
from gateway.model.uploads import UploadPage
from gateway.s3.call import Call
from gateway.s3.listing_page import MAX_PAGE, key_parameter, list_parameters, write_prefixes
from gateway.s3.render import owner, xml_reply
from gateway.s3.xml import Writer, boolean


async def list_multipart_uploads(call: Call) -> Reply:
    parameters = list_parameters(call)
    limit = call.number("max-uploads", default=MAX_PAGE, maximum=2**31 - 1)
    key_marker = key_parameter(call, "key-marker")
    # Without a key marker S3 overlooks the other.
    upload_marker = key_parameter(call, "upload-id-marker").decode() if key_marker else ""
    # No id holds a NUL, and every id that follows what is before it follows the whole: not every database takes one.
    upload_marker = upload_marker.partition("\0")[0]
    page = UploadPage((), (), False, None, None)
    if limit:
        page = await call.services.listing.uploads(
            call.bucket,
            prefix=parameters.prefix,
            delimiter=parameters.delimiter,
            key_marker=key_marker or None,
            upload_id_marker=upload_marker or None,
            limit=min(limit, MAX_PAGE),
        )

    text = parameters.text
    writer = Writer("ListMultipartUploadsResult")
    writer.add("Bucket", call.bucket.name)
    writer.raw(f"<KeyMarker>{text(key_marker)}</KeyMarker>")
    writer.add("UploadIdMarker", upload_marker)
    if page.truncated and page.next_key is not None:
        writer.raw(f"<NextKeyMarker>{text(page.next_key)}</NextKeyMarker>")
        writer.add_if("NextUploadIdMarker", page.next_upload_id)
    writer.raw(f"<Prefix>{text(parameters.prefix)}</Prefix>")
    if parameters.delimiter:
        writer.raw(f"<Delimiter>{text(parameters.delimiter)}</Delimiter>")
    if parameters.url:
        writer.add("EncodingType", "url")
    writer.add("MaxUploads", min(limit, MAX_PAGE))
    writer.add("IsTruncated", boolean(page.truncated))
    for upload in page.uploads:
        writer.open("Upload")
        writer.raw(f"<Key>{text(upload.key)}</Key>")
        writer.add("UploadId", upload.upload_id)
        writer.raw(f"<Initiator><ID>{upload.initiator}</ID><DisplayName></DisplayName></Initiator>")
        owner(writer, call.bucket.owner)
        writer.add("StorageClass", "STANDARD")
        writer.add("Initiated", iso_date(upload.created_ms))
        if upload.checksum_asked:
            writer.add("ChecksumAlgorithm", upload.checksum_algorithm.value)
            writer.add("ChecksumType", upload.checksum_type.value)
        writer.close("Upload")
    write_prefixes(writer, page.common_prefixes, text)
    return xml_reply(writer.finish())
