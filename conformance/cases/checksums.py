"""The five checksums: in headers, in trailers, of parts, of whole objects."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from typing import Any

from awscrt import checksums as crt

from conformance.case import GUIDE, case
from conformance.probe import Probe
from conformance.verdict import check, equal

_PAGE = GUIDE + "checking-object-integrity.html"
_UPLOADS = GUIDE + "checking-object-integrity-upload.html"
_FIVE = 5 * 1024 * 1024
_BODY = b"The quick brown fox jumps over the lazy dog"

DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "CRC32C": lambda body: crt.crc32c(body).to_bytes(4, "big"),
    "CRC64NVME": lambda body: crt.crc64nvme(body).to_bytes(8, "big"),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}


def value(algorithm: str, body: bytes) -> str:
    """A checksum as headers and XML carry it: base64 of its big-endian bytes."""
    return base64.b64encode(DIGESTS[algorithm](body)).decode()


def _header(algorithm: str) -> str:
    return f"x-amz-checksum-{algorithm.lower()}"


@case("PutObject", _PAGE)
def checksum_in_a_header(probe: Probe) -> None:
    """Each algorithm's header is verified, answered, stored, and told by GET and HEAD with checksum mode enabled."""
    bucket = probe.bucket()
    for algorithm in DIGESTS:
        name, expected = _header(algorithm), value(algorithm, _BODY)
        answer = probe.send("PUT", bucket, algorithm, headers={name: expected}, body=_BODY).succeeded()
        equal(answer.header(name), expected, f"{name} of PUT")
        equal(answer.header("x-amz-checksum-type"), "FULL_OBJECT", "x-amz-checksum-type of PUT")
        for method in ("GET", "HEAD"):
            answer = probe.send(method, bucket, algorithm, headers={"x-amz-checksum-mode": "ENABLED"}).succeeded()
            equal(answer.header(name), expected, f"{name} of {method}")
            equal(answer.header("x-amz-checksum-type"), "FULL_OBJECT", f"x-amz-checksum-type of {method}")
            answer = probe.send(method, bucket, algorithm).succeeded()
            equal(answer.header(name), None, f"{name} of {method} without checksum mode")


@case("PutObject", _PAGE)
def wrong_checksum(probe: Probe) -> None:
    """A checksum of other bytes: 400 BadDigest, and no object."""
    bucket = probe.bucket()
    for algorithm in DIGESTS:
        headers = {_header(algorithm): value(algorithm, b"other")}
        probe.send("PUT", bucket, "key", headers=headers, body=_BODY).refused(400, "BadDigest")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", _PAGE)
def checksum_that_is_none(probe: Probe) -> None:
    """A value that is not base64 of the right length, two checksums, an unknown algorithm: 400 InvalidRequest."""
    bucket = probe.bucket()
    for headers in (
        {"x-amz-checksum-crc32": "rubbish"},
        {"x-amz-checksum-crc32": value("SHA1", _BODY)},
        {"x-amz-checksum-sha256": ""},
        {"x-amz-checksum-crc32": value("CRC32", _BODY), "x-amz-checksum-sha1": value("SHA1", _BODY)},
        {"x-amz-sdk-checksum-algorithm": "CRC32"},
        {"x-amz-sdk-checksum-algorithm": "MD4", "x-amz-checksum-crc32": value("CRC32", _BODY)},
    ):
        answer = probe.send("PUT", bucket, "key", headers=headers, body=_BODY)
        check((answer.status, answer.code) == (400, "InvalidRequest"), f"{headers}: {answer.status} {answer.code}")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", _PAGE)
def checksum_by_default(probe: Probe) -> None:
    """An upload without a checksum gets a CRC64NVME from the server."""
    bucket = probe.bucket()
    probe.send("PUT", bucket, "key", body=_BODY).succeeded()
    answer = probe.send("HEAD", bucket, "key", headers={"x-amz-checksum-mode": "ENABLED"}).succeeded()
    equal(answer.header("x-amz-checksum-crc64nvme"), value("CRC64NVME", _BODY), "x-amz-checksum-crc64nvme")


@case("GetObject", _PAGE)
def checksum_and_ranges(probe: Probe) -> None:
    """A range is not answered with the checksum of the whole as if it were its own."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY, ChecksumAlgorithm="SHA256")
    headers = {"x-amz-checksum-mode": "ENABLED", "Range": "bytes=0-3"}
    answer = probe.send("GET", bucket, "key", headers=headers).succeeded(206)
    equal(answer.header("x-amz-checksum-sha256"), None, "x-amz-checksum-sha256 of a range")


def _upload(probe: Probe, bucket: str, parts: list[bytes], algorithm: str, kind: str) -> dict[str, Any]:
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm=algorithm, ChecksumType=kind)[
        "UploadId"
    ]
    done = [
        probe.part(bucket, "key", upload, number, part, ChecksumAlgorithm=algorithm)
        for number, part in enumerate(parts, 1)
    ]
    for entry, part in zip(done, parts, strict=True):
        equal(entry.get(f"Checksum{algorithm}"), value(algorithm, part), f"checksum of part {entry['PartNumber']}")
    answer: dict[str, Any] = probe.s3.complete_multipart_upload(
        Bucket=bucket, Key="key", UploadId=upload, MultipartUpload={"Parts": done}
    )
    return answer


@case("CompleteMultipartUpload", _UPLOADS)
def composite_checksums(probe: Probe) -> None:
    """COMPOSITE: the checksum of the parts' checksums, a hyphen and their number (not for CRC64NVME)."""
    bucket = probe.bucket()
    parts = [b"a" * _FIVE, b"b" * 10]
    for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256"):
        joined = b"".join(DIGESTS[algorithm](part) for part in parts)
        expected = f"{value(algorithm, joined)}-2"
        answer = _upload(probe, bucket, parts, algorithm, "COMPOSITE")
        equal(answer.get(f"Checksum{algorithm}"), expected, f"{algorithm} answered")
        equal(answer.get("ChecksumType"), "COMPOSITE", "ChecksumType answered")
        head = probe.s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
        equal(head.get(f"Checksum{algorithm}"), expected, f"{algorithm} of HEAD")
        equal(head.get("ChecksumType"), "COMPOSITE", "ChecksumType of HEAD")


@case("CompleteMultipartUpload", _UPLOADS)
def full_object_checksums(probe: Probe) -> None:
    """FULL_OBJECT: the CRC of the whole, though no request carried the whole (not for SHA)."""
    bucket = probe.bucket()
    parts = [b"a" * _FIVE, b"b" * 10]
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME"):
        expected = value(algorithm, b"".join(parts))
        answer = _upload(probe, bucket, parts, algorithm, "FULL_OBJECT")
        equal(answer.get(f"Checksum{algorithm}"), expected, f"{algorithm} answered")
        head = probe.s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
        equal(head.get(f"Checksum{algorithm}"), expected, f"{algorithm} of HEAD")
        equal(head.get("ChecksumType"), "FULL_OBJECT", "ChecksumType of HEAD")


@case("CreateMultipartUpload", _UPLOADS)
def checksum_types_by_default(probe: Probe) -> None:
    """CRC64NVME is FULL_OBJECT; the others are COMPOSITE where no type was asked for."""
    bucket = probe.bucket()
    for algorithm, kind in (("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE"), ("CRC64NVME", "FULL_OBJECT")):
        answer = probe.s3.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm=algorithm)
        equal(answer.get("ChecksumAlgorithm"), algorithm, "ChecksumAlgorithm")
        equal(answer.get("ChecksumType"), kind, f"ChecksumType of {algorithm}")


@case("CreateMultipartUpload", _UPLOADS)
def checksum_types_that_cannot_be(probe: Probe) -> None:
    """CRC64NVME has no COMPOSITE, SHA no FULL_OBJECT: 400 InvalidRequest; an unknown algorithm too."""
    bucket = probe.bucket()
    for algorithm, kind in (
        ("CRC64NVME", "COMPOSITE"),
        ("SHA256", "FULL_OBJECT"),
        ("SHA1", "FULL_OBJECT"),
        ("MD4", ""),
    ):
        headers = {"x-amz-checksum-algorithm": algorithm} | ({"x-amz-checksum-type": kind} if kind else {})
        answer = probe.send("POST", bucket, "key", query=[("uploads", "")], headers=headers)
        answer.refused_any((400, "InvalidRequest"), (400, "InvalidArgument"))


@case("UploadPart", _UPLOADS)
def wrong_checksum_of_a_part(probe: Probe) -> None:
    """400 BadDigest, and no part."""
    bucket = probe.bucket()
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm="CRC32C")["UploadId"]
    headers = {"x-amz-checksum-crc32c": value("CRC32C", b"other")}
    query = [("partNumber", "1"), ("uploadId", upload)]
    probe.send("PUT", bucket, "key", query=query, headers=headers, body=_BODY).refused(400, "BadDigest")
    check("Parts" not in probe.s3.list_parts(Bucket=bucket, Key="key", UploadId=upload), "a part was made")


@case("UploadPart", _UPLOADS)
def checksum_of_another_algorithm(probe: Probe) -> None:
    """A part whose checksum is not of the upload's algorithm: 400 InvalidRequest."""
    bucket = probe.bucket()
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm="SHA256")["UploadId"]
    headers = {"x-amz-checksum-crc32": value("CRC32", _BODY)}
    query = [("partNumber", "1"), ("uploadId", upload)]
    answer = probe.send("PUT", bucket, "key", query=query, headers=headers, body=_BODY)
    answer.refused_any((400, "InvalidRequest"), (400, "InvalidArgument"))


@case("CompleteMultipartUpload", _UPLOADS)
def wrong_checksums_in_the_list(probe: Probe) -> None:
    """A part's checksum that is not the one stored: 400 InvalidPart (BadDigest); nothing is visible."""
    bucket = probe.bucket()
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm="SHA256")["UploadId"]
    part = probe.part(bucket, "key", upload, 1, _BODY, ChecksumAlgorithm="SHA256")
    part["ChecksumSHA256"] = value("SHA256", b"other")
    with probe.refused(("InvalidPart", "BadDigest", "InvalidRequest"), 400):
        probe.s3.complete_multipart_upload(Bucket=bucket, Key="key", UploadId=upload, MultipartUpload={"Parts": [part]})
    probe.absent(bucket, "key")


@case("CompleteMultipartUpload", _UPLOADS)
def wrong_checksum_of_the_whole(probe: Probe) -> None:
    """A checksum header of the completion that is not the object's: 400 BadDigest; the right one is accepted."""
    bucket = probe.bucket()
    upload = probe.s3.create_multipart_upload(
        Bucket=bucket, Key="key", ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT"
    )["UploadId"]
    part = probe.part(bucket, "key", upload, 1, _BODY, ChecksumAlgorithm="CRC64NVME")
    request = {"Bucket": bucket, "Key": "key", "UploadId": upload, "MultipartUpload": {"Parts": [part]}}
    with probe.refused(("BadDigest", "InvalidRequest"), 400):
        probe.s3.complete_multipart_upload(**request, ChecksumCRC64NVME=value("CRC64NVME", b"other"))
    probe.absent(bucket, "key")
    probe.s3.complete_multipart_upload(**request, ChecksumCRC64NVME=value("CRC64NVME", _BODY))


@case("ListParts", _UPLOADS)
def checksums_of_parts(probe: Probe) -> None:
    """ListParts tells the upload's algorithm and type, and each part's checksum."""
    bucket = probe.bucket()
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm="SHA1")["UploadId"]
    probe.part(bucket, "key", upload, 1, _BODY, ChecksumAlgorithm="SHA1")
    page = probe.s3.list_parts(Bucket=bucket, Key="key", UploadId=upload)
    equal((page.get("ChecksumAlgorithm"), page.get("ChecksumType")), ("SHA1", "COMPOSITE"), "algorithm and type")
    equal(page["Parts"][0].get("ChecksumSHA1"), value("SHA1", _BODY), "ChecksumSHA1")


@case("ListObjectsV2", _PAGE)
def algorithm_in_listings(probe: Probe) -> None:
    """A listing names the algorithm of each object's checksum."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY, ChecksumAlgorithm="SHA256")
    entry = probe.s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    equal(entry.get("ChecksumAlgorithm"), ["SHA256"], "ChecksumAlgorithm")


@case("GetObject", _PAGE)
def checksum_of_a_part(probe: Probe) -> None:
    """GET and HEAD by partNumber with checksum mode tell that part's checksum."""
    bucket = probe.bucket()
    parts = [b"a" * _FIVE, b"b" * 10]
    _upload(probe, bucket, parts, "SHA256", "COMPOSITE")
    for number, part in enumerate(parts, 1):
        headers = {"x-amz-checksum-mode": "ENABLED"}
        answer = probe.send("HEAD", bucket, "key", query=[("partNumber", str(number))], headers=headers).succeeded(206)
        equal(answer.header("x-amz-checksum-sha256"), value("SHA256", part), f"checksum of part {number}")
