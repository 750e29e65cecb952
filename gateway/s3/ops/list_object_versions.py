"""ListObjectVersions."""

from __future__ import annotations

from gateway.http.dates import iso_date
from gateway.http.reply import Reply
from gateway.model.listings import ListedVersion, VersionPage
from gateway.s3.call import Call
from gateway.s3.errors import invalid_argument
from gateway.s3.listing_page import MAX_PAGE, key_parameter, list_parameters, write_prefixes
from gateway.s3.render import xml_reply
from gateway.s3.xml import Writer, boolean, escape


async def list_object_versions(call: Call) -> Reply:
    parameters = list_parameters(call)
    limit = call.number("max-keys", default=MAX_PAGE, maximum=2**31 - 1)
    key_marker = key_parameter(call, "key-marker")
    version_marker = call.parameters.get("version-id-marker")
    if version_marker is not None:
        if version_marker == "":
            raise invalid_argument("A version-id marker cannot be empty.", "version-id-marker", "")
        if not key_marker:
            raise invalid_argument(
                "A version-id marker cannot be specified without a key marker.", "version-id-marker", version_marker
            )
    page = VersionPage((), (), False, None, None)
    if limit:
        page = await call.services.listing.versions(
            call.bucket,
            prefix=parameters.prefix,
            delimiter=parameters.delimiter,
            key_marker=key_marker or None,
            version_id_marker=version_marker,
            limit=min(limit, MAX_PAGE),
        )

    text = parameters.text
    writer = Writer("ListVersionsResult")
    writer.add("Name", call.bucket.name)
    writer.raw(f"<Prefix>{text(parameters.prefix)}</Prefix><KeyMarker>{text(key_marker)}</KeyMarker>")
    writer.add("VersionIdMarker", version_marker or "")
    if page.truncated and page.next_key is not None:
        writer.raw(f"<NextKeyMarker>{text(page.next_key)}</NextKeyMarker>")
        writer.add_if("NextVersionIdMarker", page.next_version_id)
    writer.add("MaxKeys", min(limit, MAX_PAGE))
    if parameters.delimiter:
        writer.raw(f"<Delimiter>{text(parameters.delimiter)}</Delimiter>")
    if parameters.url:
        writer.add("EncodingType", "url")
    writer.add("IsTruncated", boolean(page.truncated))
    account = call.bucket.owner
    owner = f"<Owner><ID>{account.canonical_id}</ID><DisplayName>{escape(account.name)}</DisplayName></Owner>"
    writer.raw("".join([_version(listed, text(listed.key), owner) for listed in page.versions]))
    write_prefixes(writer, page.common_prefixes, text)
    return xml_reply(writer.finish())


def _version(listed: ListedVersion, key: str, owner: str) -> str:
    head = (
        f"<Key>{key}</Key><VersionId>{listed.version_id}</VersionId><IsLatest>{boolean(listed.is_latest)}</IsLatest>"
        f"<LastModified>{iso_date(listed.modified_ms)}</LastModified>"
    )
    if listed.delete_marker:
        return f"<DeleteMarker>{head}{owner}</DeleteMarker>"
    checksum = ""
    if listed.checksum_algorithm is not None and listed.checksum_type is not None:
        checksum = (
            f"<ChecksumAlgorithm>{listed.checksum_algorithm.value}</ChecksumAlgorithm>"
            f"<ChecksumType>{listed.checksum_type.value}</ChecksumType>"
        )
    return (
        f"<Version>{head}<ETag>&quot;{listed.etag}&quot;</ETag>{checksum}<Size>{listed.size}</Size>"
        f"<StorageClass>STANDARD</StorageClass>{owner}</Version>"
    )
