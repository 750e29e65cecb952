"""ListObjects and ListObjectsV2."""

from __future__ import annotations

from gateway.http.dates import iso_date
from gateway.http.reply import Reply
from gateway.model.listings import ListedObject, ObjectPage
from gateway.s3.call import Call
from gateway.s3.continuation import decode_token, encode_token
from gateway.s3.errors import invalid_argument
from gateway.s3.listing_page import MAX_PAGE, ListParameters, key_parameter, list_parameters, write_prefixes
from gateway.s3.render import xml_reply
from gateway.s3.view_page import view_page
from gateway.s3.xml import Writer, boolean, escape

_KIND = "objects"
_EMPTY = ObjectPage((), (), False, None)


async def list_objects(call: Call) -> Reply:
    parameters = list_parameters(call)
    limit = call.number("max-keys", default=MAX_PAGE, maximum=2**31 - 1)
    marker = key_parameter(call, "marker")
    page = await _page(call, parameters, marker or None, min(limit, MAX_PAGE))

    writer = Writer("ListBucketResult")
    writer.add("Name", call.bucket.name)
    writer.raw(f"<Prefix>{parameters.text(parameters.prefix)}</Prefix><Marker>{parameters.text(marker)}</Marker>")
    if page.truncated and page.next_key is not None and parameters.delimiter:
        writer.raw(f"<NextMarker>{parameters.text(page.next_key)}</NextMarker>")
    _finish_head(writer, parameters, limit, page)
    _write_objects(writer, page, parameters, _owner(call))
    return xml_reply(writer.finish())


async def list_objects_v2(call: Call) -> Reply:
    parameters = list_parameters(call)
    limit = call.number("max-keys", default=MAX_PAGE, maximum=2**31 - 1)
    start_after = key_parameter(call, "start-after")
    token = call.parameters.get("continuation-token")
    if token == "":
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token", "")
    after = decode_token(token, _KIND) if token is not None else start_after
    page = await _page(call, parameters, after or None, min(limit, MAX_PAGE))

    writer = Writer("ListBucketResult")
    writer.add("Name", call.bucket.name)
    writer.raw(f"<Prefix>{parameters.text(parameters.prefix)}</Prefix>")
    if start_after:
        writer.raw(f"<StartAfter>{parameters.text(start_after)}</StartAfter>")
    writer.add_if("ContinuationToken", token)
    if page.truncated and page.next_key is not None:
        writer.add("NextContinuationToken", encode_token(page.next_key, _KIND))
    writer.add("KeyCount", len(page.objects) + len(page.common_prefixes))
    _finish_head(writer, parameters, limit, page)
    owner = _owner(call) if call.parameters.get("fetch-owner", "").lower() == "true" else ""
    _write_objects(writer, page, parameters, owner)
    return xml_reply(writer.finish())


async def _page(call: Call, parameters: ListParameters, after: bytes | None, limit: int) -> ObjectPage:
    if limit == 0:
        return _EMPTY
    if call.view is not None:
        return await view_page(call, parameters.prefix, parameters.delimiter, after, limit)
    return await call.services.listing.objects(
        call.bucket, prefix=parameters.prefix, delimiter=parameters.delimiter, after=after, limit=limit
    )


def _finish_head(writer: Writer, parameters: ListParameters, limit: int, page: ObjectPage) -> None:
    writer.add("MaxKeys", min(limit, MAX_PAGE))
    if parameters.delimiter:
        writer.raw(f"<Delimiter>{parameters.text(parameters.delimiter)}</Delimiter>")
    if parameters.url:
        writer.add("EncodingType", "url")
    writer.add("IsTruncated", boolean(page.truncated))


def _owner(call: Call) -> str:
    account = call.bucket.owner
    return f"<Owner><ID>{account.canonical_id}</ID><DisplayName>{escape(account.name)}</DisplayName></Owner>"


def _write_objects(writer: Writer, page: ObjectPage, parameters: ListParameters, owner: str) -> None:
    text = parameters.text
    writer.raw("".join([_contents(listed, text(listed.key), owner) for listed in page.objects]))
    write_prefixes(writer, page.common_prefixes, text)


def _contents(listed: ListedObject, key: str, owner: str) -> str:
    checksum = ""
    if listed.checksum_algorithm is not None and listed.checksum_type is not None:
        checksum = (
            f"<ChecksumAlgorithm>{listed.checksum_algorithm.value}</ChecksumAlgorithm>"
            f"<ChecksumType>{listed.checksum_type.value}</ChecksumType>"
        )
    return (
        f"<Contents><Key>{key}</Key><LastModified>{iso_date(listed.modified_ms)}</LastModified>"
        f"<ETag>&quot;{listed.etag}&quot;</ETag>{checksum}<Size>{listed.size}</Size>{owner}"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )
