"""CopyObject: of an object, or of what a view shows of one."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.http.dates import iso_date
from gateway.http.reply import Reply
from gateway.model.checksums import ChecksumAlgorithm
from gateway.model.contents import Sealing
from gateway.model.objects import Headers, Tags, WriteConditions
from gateway.s3.call import Call
from gateway.s3.checksum_headers import XML_NAMES, parse_algorithm
from gateway.s3.copy_source import CopySource, find_source, open_source
from gateway.s3.encryption_headers import CustomerKey, asked_encryption, encryption_headers
from gateway.s3.errors import S3Error, invalid_argument
from gateway.s3.object_headers import stored_headers
from gateway.s3.ops.objects import readable_content, version_headers
from gateway.s3.patient_reply import patiently
from gateway.s3.render import xml_reply
from gateway.s3.tags import header_tags
from gateway.s3.view_source import open_view
from gateway.s3.write_conditions import write_conditions
from gateway.s3.xml import Writer
from gateway.services.copying import CopyResult
from gateway.services.renditions import View

CONTENT_TYPE = "content-type"


async def copy_object(call: Call) -> Reply:
    replace_headers = _directive(call, "x-amz-metadata-directive")
    replace_tags = _directive(call, "x-amz-tagging-directive")
    conditions = write_conditions(call.headers)
    text = call.headers.get("x-amz-checksum-algorithm")
    algorithm = None if text is None else parse_algorithm(text, "x-amz-checksum-algorithm")
    sealing, key = asked_encryption(call)
    headers = stored_headers(call.headers) if replace_headers else None
    tags = header_tags(call.headers) if replace_tags else None
    found = await find_source(call)
    if found.view is not None:
        wanted = Wanted(headers, tags or (), algorithm, conditions, sealing, key)
        return await patiently(call, _copy_shown(call, found.named, found.view, wanted))
    version, source_key = await open_source(call, found)
    source = found.named
    stored = readable_content(version).checksum
    if (
        source.bucket == call.bucket_name
        and source.key == call.key
        and source.version_id is None
        and not replace_headers
        and not replace_tags
        and sealing is None
        and (algorithm is None or (stored is not None and stored.algorithm is algorithm))
    ):
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )

    async def work() -> Reply:
        result = await call.services.copying.copy(
            version,
            call.bucket,
            call.key,
            headers=headers,
            tags=tags,
            checksum_algorithm=algorithm,
            conditions=conditions,
            sealing=sealing,
            source_key=source_key,
        )
        copied = version_headers(found.bucket, version.version_id)
        return _answer(call, result, key, [("x-amz-copy-source-version-id", value) for _, value in copied])

    return await patiently(call, work())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a copy of a rendition is to be. `headers` is None where it keeps those that the view shows."""

    headers: Headers | None
    tags: Tags
    algorithm: ChecksumAlgorithm | None
    conditions: WriteConditions
    sealing: Sealing | None
    key: CustomerKey | None


async def _copy_shown(call: Call, named: CopySource, view: View, wanted: Wanted) -> Reply:
    source = await open_view(call, named, view)
    headers = wanted.headers or ()
    if not any(name == CONTENT_TYPE for name, _ in headers):
        headers = ((CONTENT_TYPE, source.content_type), *headers)
    result = await call.services.copying.copy_made(
        source.data,
        source.made_of,
        call.bucket,
        call.key,
        headers=headers,
        tags=wanted.tags,
        checksum_algorithm=wanted.algorithm,
        conditions=wanted.conditions,
        sealing=wanted.sealing,
    )
    return _answer(call, result, wanted.key, [])


def _answer(call: Call, result: CopyResult, key: CustomerKey | None, copied: list[tuple[str, str]]) -> Reply:
    writer = Writer("CopyObjectResult")
    writer.add("LastModified", iso_date(result.modified_ms))
    writer.add("ETag", f'"{result.etag}"')
    if result.checksum is not None:
        writer.add("ChecksumType", result.checksum.type.value)
        writer.add(XML_NAMES[result.checksum.algorithm], result.checksum.value)
    answer = [*version_headers(call.bucket, result.version_id), *copied, *encryption_headers(result.encryption, key)]
    if result.image_id is not None:
        answer.append(("x-pixgate-image-id", result.image_id))
    return xml_reply(writer.finish(), headers=tuple(answer))


def _directive(call: Call, name: str) -> bool:
    """Whether the directive says REPLACE. Raises S3Error InvalidArgument."""
    value = call.headers.get(name, "COPY")
    if value not in ("COPY", "REPLACE"):
        raise invalid_argument(f"Unknown {name.removeprefix('x-amz-')}.", name, value)
    return value == "REPLACE"
