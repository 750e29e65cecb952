"""CreateMultipartUpload, CompleteMultipartUpload, AbortMultipartUpload."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.errors import InvalidValue, UploadNotFound
from gateway.http.reply import Reply
from gateway.model.checksums import ChecksumAlgorithm
from gateway.model.contents import Encryption
from gateway.model.uploads import MAX_PARTS, CompletedPart
from gateway.s3.body import MAX_COMPLETION, read_parsed
from gateway.s3.call import Call, parse_number
from gateway.s3.checksum_headers import (
    XML_NAMES,
    checksum_headers,
    given_checksum,
    parse_algorithm,
    parse_type,
)
from gateway.s3.encryption_headers import CUSTOMER_HEADERS, SSE, asked_encryption, encryption_headers, part_key
from gateway.s3.errors import S3Error
from gateway.s3.object_headers import stored_headers
from gateway.s3.ops.objects import version_headers
from gateway.s3.patient_reply import patiently
from gateway.s3.render import xml_reply
from gateway.s3.tags import header_tags
from gateway.s3.write_conditions import write_conditions
from gateway.s3.xml import Writer, parse, url_encode


async def create_multipart_upload(call: Call) -> Reply:
    text = call.headers.get("x-amz-checksum-algorithm")
    algorithm = None if text is None else parse_algorithm(text, "x-amz-checksum-algorithm")
    kind = call.headers.get("x-amz-checksum-type")
    sealing, key = asked_encryption(call)
    try:
        upload = await call.services.uploads.create(
            call.bucket,
            call.key,
            headers=stored_headers(call.headers),
            tags=header_tags(call.headers),
            algorithm=algorithm,
            type=None if kind is None else parse_type(kind),
            initiator=call.account.canonical_id,
            sealing=sealing,
        )
    except InvalidValue as error:
        raise S3Error("InvalidRequest", str(error)) from None
    writer = Writer("InitiateMultipartUploadResult")
    writer.add("Bucket", call.bucket.name)
    writer.add("Key", call.key.decode())
    writer.add("UploadId", upload.upload_id)
    headers = encryption_headers(upload.encryption, key)
    if upload.checksum_asked:
        headers += [
            ("x-amz-checksum-algorithm", upload.checksum_algorithm.value),
            ("x-amz-checksum-type", upload.checksum_type.value),
        ]
    return xml_reply(writer.finish(), headers=tuple(headers))


_ENCRYPTION = CUSTOMER_HEADERS | {SSE}
_CHECKSUMS = {name: algorithm for algorithm, name in XML_NAMES.items()}


async def complete_multipart_upload(call: Call) -> Reply:
    conditions = write_conditions(call.headers)
    kind = call.headers.get("x-amz-checksum-type")
    checksum_type = None if kind is None else parse_type(kind)
    size_text = call.headers.get("x-amz-mp-object-size")
    size = None
    if size_text is not None:
        size = parse_number(size_text, "x-amz-mp-object-size", minimum=0, maximum=2**62)
    # Of the whole object, not of the XML that is this request's body.
    checksum = given_checksum(call.headers)
    if call.incoming.length == 0:
        raise S3Error("InvalidRequest", "You must specify at least one part")
    parts = await read_parsed(call.without_checksums(), completed_parts, limit=MAX_COMPLETION)

    customer_key = await _customer_key(call)

    async def work() -> Reply:
        result = await call.services.uploads.complete(
            call.bucket,
            call.key,
            call.upload_id(),
            parts,
            conditions=conditions,
            checksum_value=checksum,
            checksum_type=checksum_type,
            size=size,
            customer_key=customer_key,
        )
        writer = Writer("CompleteMultipartUploadResult")
        writer.add("Location", f"{call.settings.public_url or ''}/{call.bucket.name}/{url_encode(call.key)}")
        writer.add("Bucket", call.bucket.name)
        writer.add("Key", call.key.decode())
        writer.add("ETag", f'"{result.etag}"')
        if result.checksum is not None:
            writer.add(XML_NAMES[result.checksum.algorithm], result.checksum.value)
            writer.add("ChecksumType", result.checksum.type.value)
        headers = [*version_headers(call.bucket, result.version_id), *checksum_headers(result.checksum)]
        # A customer's key is no part of a completion, and so is not told back.
        if result.encryption is Encryption.SSE_S3:
            headers += encryption_headers(result.encryption)
        if result.image_id is not None:
            headers.append(("x-pixgate-image-id", result.image_id))
        return xml_reply(writer.finish(), headers=tuple(headers))

    return await patiently(call, work())


async def _customer_key(call: Call) -> bytes | None:
    """The key that a completion brings, held against the upload's. One that is completed already needs none."""
    if _ENCRYPTION.isdisjoint(call.headers):
        return None
    try:
        upload = await call.services.uploads.get(call.bucket, call.key, call.upload_id())
    except UploadNotFound:
        return None
    key = part_key(call, upload, required=False)
    return None if key is None else key.secret


_TEXT = r"(?:[ \t\r\n!-%'-;=?-~]|&quot;|&#34;)*+"
_CHILD = rf"\s*+<(?:PartNumber|ETag|Checksum[A-Z0-9]++)>{_TEXT}</[A-Za-z0-9]++>"
_PLAIN = re.compile(
    r"(?:<\?xml version=\"1\.0\"(?: encoding=\"[Uu][Tt][Ff]-8\")?(?: standalone=\"(?:yes|no)\")?\s*\?>)?\s*+"
    r"<CompleteMultipartUpload(?:\s++xmlns=\"[!#-%'-;=?-~]*+\")?\s*+>\s*+"
    rf"((?:<Part>(?:{_CHILD})++\s*+</Part>\s*+)++)</CompleteMultipartUpload>\s*+".encode()
)
"""A completion as every SDK writes it: no attributes, prefixes, comments, entities but quotes, nothing that is not ASCII."""
_FIELD = re.compile(r"<(\w+)>([^<]*)</\1>")


def completed_parts(document: bytes) -> list[CompletedPart]:
    """The parts that a completion names. Raises S3Error MalformedXML, InvalidArgument."""
    plain = _PLAIN.fullmatch(document)
    if plain is not None:
        # Ten thousand parts are thirty thousand elements: what is written as usual is not taken apart one by one.
        return [_plain_part(text) for text in plain[1].decode().split("</Part>")[:-1]]
    root = parse(document, "CompleteMultipartUpload")
    root.only("Part")
    if not root.children:
        raise S3Error("MalformedXML")
    return [
        _part({child.name: child.text for child in element.children}, len(element.children))
        for element in root.children
    ]


def _plain_part(text: str) -> CompletedPart:
    if "&" in text:
        text = text.replace("&quot;", '"').replace("&#34;", '"')
    # A tag that another closes is no field.
    return _part(dict(_FIELD.findall(text)), text.count("</"))


def _part(values: Mapping[str, str], count: int) -> CompletedPart:
    """A part of so many elements, by their names."""
    if len(values) != count:
        raise S3Error("MalformedXML")
    number, etag = values.get("PartNumber", "").strip(), values.get("ETag")
    if etag is None or not (number.isascii() and number.isdigit()) or len(number) > 9:
        raise S3Error("MalformedXML")
    if not 1 <= int(number) <= MAX_PARTS:
        raise S3Error("InvalidArgument", "PartNumber must be >= 1 and <= 10000")
    checksums: tuple[tuple[ChecksumAlgorithm, str], ...] = ()
    if len(values) > 2:
        given = [(_CHECKSUMS[name], value.strip()) for name, value in values.items() if name in _CHECKSUMS]
        checksums = tuple((algorithm, value) for algorithm, value in given if value)
    return CompletedPart(int(number), etag.strip().strip('"'), checksums)


async def abort_multipart_upload(call: Call) -> Reply:
    await call.services.uploads.abort(call.bucket, call.key, call.upload_id())
    return Reply(204)
