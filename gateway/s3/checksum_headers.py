"""The `x-amz-checksum-*` headers and Content-MD5: parsed into what a body must be, and written into answers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from gateway.model.checksums import Checksum, ChecksumAlgorithm, ChecksumType
from gateway.model.objects import Expectations
from gateway.s3.bearer import declared_sha256
from gateway.s3.errors import S3Error, invalid_argument, not_implemented
from signing.sigv4.payload import PayloadMode
from signing.sigv4.verify import Verified

DIGEST_BYTES = {
    ChecksumAlgorithm.CRC32: 4,
    ChecksumAlgorithm.CRC32C: 4,
    ChecksumAlgorithm.CRC64NVME: 8,
    ChecksumAlgorithm.SHA1: 20,
    ChecksumAlgorithm.SHA256: 32,
}
_BY_HEADER = {algorithm.header: algorithm for algorithm in ChecksumAlgorithm}
_UNBUILT = frozenset({"SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"})
XML_NAMES = {algorithm: f"Checksum{algorithm.value}" for algorithm in ChecksumAlgorithm}


def parse_algorithm(value: str, header: str) -> ChecksumAlgorithm:
    """An algorithm by its name. Raises S3Error InvalidRequest or NotImplemented."""
    try:
        return ChecksumAlgorithm(value.upper())
    except ValueError:
        if value.upper() in _UNBUILT:
            raise not_implemented(header) from None
        raise S3Error(
            "InvalidRequest",
            f"Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(sorted(ChecksumAlgorithm))}]",
        ) from None


def parse_type(value: str) -> ChecksumType:
    """Raises S3Error InvalidRequest."""
    try:
        return ChecksumType(value.upper())
    except ValueError:
        raise S3Error("InvalidRequest", "Value for x-amz-checksum-type header is invalid.") from None


def decode_digest(algorithm: ChecksumAlgorithm, value: str) -> bytes | None:
    """The digest behind its base64 form; None where it is no digest of this algorithm."""
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == DIGEST_BYTES[algorithm] else None


def parse_md5(headers: Mapping[str, str]) -> bytes | None:
    """Content-MD5 as bytes. Raises S3Error InvalidDigest."""
    text = headers.get("content-md5")
    if text is None:
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise S3Error("InvalidDigest", fields=(("Content-MD5", text[:128]),)) from None
    if len(digest) != 16:
        raise S3Error("InvalidDigest", fields=(("Content-MD5", text[:128]),))
    return digest


def given_checksum(headers: Mapping[str, str]) -> tuple[ChecksumAlgorithm, str] | None:
    """The one checksum among the headers, its value as sent. Raises S3Error InvalidRequest where there are several."""
    found = [(algorithm, headers[name]) for name, algorithm in _BY_HEADER.items() if name in headers]
    if len(found) > 1:
        raise S3Error(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    return found[0] if found else None


def trailer_names(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The names that x-amz-trailer announces, in lower case."""
    text = headers.get("x-amz-trailer")
    if not text:
        return ()
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def expectations(headers: Mapping[str, str], verified: Verified | None, length: int) -> Expectations:
    """What a body of `length` decoded bytes is said to be. Raises S3Error InvalidDigest, InvalidRequest, NotImplemented."""
    md5 = parse_md5(headers)
    payload = None if verified is None else verified.payload
    sha256 = None
    if payload is None:
        sha256 = declared_sha256(headers)
    elif payload.sha256 is not None:
        sha256 = bytes.fromhex(payload.sha256)
    algorithm: ChecksumAlgorithm | None = None
    value: bytes | None = None
    in_trailer = False
    given = given_checksum(headers)
    trailers = trailer_names(headers) if payload is not None and payload.mode.chunked else ()
    if trailers:
        algorithm = _trailer_algorithm(trailers)
        in_trailer = algorithm is not None
        if in_trailer and given is not None:
            raise S3Error(
                "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
            )
    if given is not None:
        algorithm = given[0]
        value = decode_digest(*given)
        if value is None:
            raise S3Error("InvalidRequest", f"Value for {algorithm.header} header is invalid.")
    named = headers.get("x-amz-sdk-checksum-algorithm")
    if named is not None:
        asked = parse_algorithm(named, "x-amz-sdk-checksum-algorithm")
        if algorithm is None:
            if md5 is None:
                raise S3Error(
                    "InvalidRequest",
                    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
                    "headers were found.",
                )
        elif asked is not algorithm:
            raise S3Error("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
    return Expectations(
        length=length,
        md5=md5,
        sha256=sha256,
        checksum_algorithm=algorithm,
        checksum_value=value,
        checksum_in_trailer=in_trailer,
    )


def _trailer_algorithm(names: tuple[str, ...]) -> ChecksumAlgorithm | None:
    found: ChecksumAlgorithm | None = None
    for name in names:
        algorithm = _BY_HEADER.get(name)
        if algorithm is None:
            if name.startswith("x-amz-checksum-") and name.removeprefix("x-amz-checksum-").upper() in _UNBUILT:
                raise not_implemented("x-amz-trailer")
            raise invalid_argument(
                "The value specified in the x-amz-trailer header is not supported", "x-amz-trailer", name
            )
        if found is not None:
            raise S3Error(
                "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
            )
        found = algorithm
    return found


def checksum_headers(checksum: Checksum | None) -> list[tuple[str, str]]:
    """The headers that tell a checksum."""
    if checksum is None:
        return []
    return [(checksum.algorithm.header, checksum.value), ("x-amz-checksum-type", checksum.type.value)]


BODY_MODES = {
    PayloadMode.HASHED: "sha256",
    PayloadMode.UNSIGNED: "unsigned",
    PayloadMode.STREAMING_SIGNED: "chunked-signed",
    PayloadMode.STREAMING_SIGNED_TRAILER: "chunked-signed-trailer",
    PayloadMode.STREAMING_UNSIGNED_TRAILER: "chunked-unsigned-trailer",
}
"""What the metrics call the forms of a body."""
