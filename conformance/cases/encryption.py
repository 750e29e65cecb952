"""Server-side encryption: with the server's keys (SSE-S3), with a customer's (SSE-C), and the default of a bucket."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from botocore.exceptions import ClientError

from conformance.case import GUIDE, case
from conformance.probe import Headers, Probe
from conformance.verdict import Skipped, check, equal

_SSE_C = GUIDE + "ServerSideEncryptionCustomerKeys.html"
_SSE_S3 = GUIDE + "specifying-s3-encryption.html"
_HEADER = "x-amz-server-side-encryption"
_KEY, _OTHER = bytes(range(32)), bytes(32)
_BODY = b"encrypted " * 9000


def _customer(key: bytes = _KEY, prefix: str = "") -> dict[str, Any]:
    """boto3's parameters of a customer's key."""
    return {f"{prefix}SSECustomerAlgorithm": "AES256", f"{prefix}SSECustomerKey": key}


def _headers(key: bytes = _KEY) -> Headers:
    return {
        f"{_HEADER}-customer-algorithm": "AES256",
        f"{_HEADER}-customer-key": base64.b64encode(key).decode(),
        f"{_HEADER}-customer-key-MD5": _md5(key),
    }


def _md5(key: bytes) -> str:
    return base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()


def _put(probe: Probe, bucket: str, key: str = "key", secret: bytes = _KEY) -> dict[str, Any]:
    """PutObject with a customer's key; the case is skipped where the endpoint wants TLS for that and has none."""
    try:
        return probe.put(bucket, key, _BODY, **_customer(secret))
    except ClientError as error:
        if not probe.target.tls and "secure connection" in str(error):
            raise Skipped("keys of customers are taken over https only") from None
        raise


@case("PutObject", _SSE_S3)
def with_the_servers_key(probe: Probe) -> None:
    """`x-amz-server-side-encryption: AES256` comes back on PUT, GET and HEAD; the ETag is still the MD5."""
    bucket = probe.bucket()
    put = probe.put(bucket, "key", _BODY, ServerSideEncryption="AES256")
    equal(put["ETag"].strip('"'), hashlib.md5(_BODY, usedforsecurity=False).hexdigest(), "ETag")
    got = probe.s3.get_object(Bucket=bucket, Key="key")
    equal(got["Body"].read(), _BODY, "body")
    for answer in (put, got, probe.s3.head_object(Bucket=bucket, Key="key")):
        equal(answer.get("ServerSideEncryption"), "AES256", "ServerSideEncryption")


@case("PutObject", _SSE_S3)
def encryption_methods_that_are_none(probe: Probe) -> None:
    """400 InvalidArgument, and nothing is stored."""
    bucket = probe.bucket()
    for value in ("aes256", "AES512", "none"):
        probe.send("PUT", bucket, "key", headers={_HEADER: value}, body=b"x").refused(400, "InvalidArgument")
    probe.absent(bucket, "key")


@case("GetObject", _SSE_S3)
def a_read_does_not_ask_for_encryption(probe: Probe) -> None:
    """`x-amz-server-side-encryption` on a GET is a 400."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    equal(probe.send("GET", bucket, "key", headers={_HEADER: "AES256"}).status, 400, "status")


@case("PutObject", _SSE_C)
def with_a_customers_key(probe: Probe) -> None:
    """Algorithm and MD5 of the key come back on PUT, GET and HEAD; the ETag is not the MD5 of the bytes."""
    bucket = probe.bucket()
    put = _put(probe, bucket)
    check(put["ETag"].strip('"') != hashlib.md5(_BODY, usedforsecurity=False).hexdigest(), "the ETag is the MD5")
    got = probe.s3.get_object(Bucket=bucket, Key="key", **_customer())
    equal(got["Body"].read(), _BODY, "body")
    part = probe.s3.get_object(Bucket=bucket, Key="key", Range="bytes=65530-65545", **_customer())
    equal(part["Body"].read(), _BODY[65530:65546], "range")
    for answer in (put, got, probe.s3.head_object(Bucket=bucket, Key="key", **_customer())):
        equal(answer.get("SSECustomerAlgorithm"), "AES256", "SSECustomerAlgorithm")
        equal(answer.get("SSECustomerKeyMD5"), _md5(_KEY), "SSECustomerKeyMD5")
        check("ServerSideEncryption" not in answer, "told to be SSE-S3 too")


@case("GetObject", _SSE_C)
def without_the_customers_key(probe: Probe) -> None:
    """400 InvalidRequest without the key, for HEAD too."""
    bucket = probe.bucket()
    _put(probe, bucket)
    probe.send("GET", bucket, "key").refused(400, "InvalidRequest")
    equal(probe.send("HEAD", bucket, "key").status, 400, "status of HEAD")


@case("GetObject", _SSE_C)
def with_another_customers_key(probe: Probe) -> None:
    """403 AccessDenied with another key, for HEAD too."""
    bucket = probe.bucket()
    _put(probe, bucket)
    probe.send("GET", bucket, "key", headers=_headers(_OTHER)).refused(403, "AccessDenied")
    equal(probe.send("HEAD", bucket, "key", headers=_headers(_OTHER)).status, 403, "status of HEAD")


@case("GetObject", _SSE_C)
def a_customers_key_that_is_of_no_use(probe: Probe) -> None:
    """400 InvalidRequest for a key to an object that was stored without one."""
    bucket = probe.bucket()
    _put(probe, bucket)
    probe.put(bucket, "open", b"x")
    probe.send("GET", bucket, "open", headers=_headers()).refused(400, "InvalidRequest")


@case("PutObject", _SSE_C)
def customers_keys_that_are_none(probe: Probe) -> None:
    """Headers that are missing, contradict one another or hold no key of 32 bytes: a 400 and nothing stored."""
    bucket = probe.bucket()
    _put(probe, bucket, "first")
    good = _headers()
    algorithm, key, digest = good
    wrong: tuple[tuple[Headers, tuple[str, ...]], ...] = (
        ({algorithm: good[algorithm]}, ("InvalidArgument",)),
        ({key: good[key], digest: good[digest]}, ("InvalidArgument",)),
        (good | {digest: _md5(_OTHER)}, ("InvalidArgument",)),
        (_headers(b"ten bytes."), ("InvalidArgument",)),
        (good | {key: "no base64!"}, ("InvalidArgument",)),
        (good | {algorithm: "AES128"}, ("InvalidEncryptionAlgorithmError", "InvalidArgument")),
        (good | {_HEADER: "AES256"}, ("InvalidArgument",)),
    )
    for headers, codes in wrong:
        probe.send("PUT", bucket, "key", headers=headers, body=b"x").refused(400, *codes)
    probe.absent(bucket, "key")


@case("CopyObject", _SSE_C)
def from_a_customers_key_to_another(probe: Probe) -> None:
    """The source's key comes in headers of its own; the copy opens with its own key only."""
    bucket = probe.bucket()
    _put(probe, bucket, "from")
    source = {"Bucket": bucket, "Key": "from"}
    with probe.refused("InvalidRequest", 400):
        probe.s3.copy_object(Bucket=bucket, Key="to", CopySource=source)
    probe.s3.copy_object(
        Bucket=bucket, Key="to", CopySource=source, **_customer(_OTHER), **_customer(prefix="CopySource")
    )
    equal(probe.body(bucket, "to", **_customer(_OTHER)), _BODY, "body")
    probe.send("GET", bucket, "to", headers=_headers()).refused(403, "AccessDenied")


@case("CreateMultipartUpload", _SSE_C)
def tells_the_customers_key(probe: Probe) -> None:
    """Algorithm and MD5 of the key come back when the upload is begun."""
    bucket = probe.bucket()
    _put(probe, bucket)
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="key", **_customer())
    equal(upload.get("SSECustomerAlgorithm"), "AES256", "SSECustomerAlgorithm")
    equal(upload.get("SSECustomerKeyMD5"), _md5(_KEY), "SSECustomerKeyMD5")


@case("UploadPart", _SSE_C)
def parts_with_the_customers_key(probe: Probe) -> None:
    """Every part needs the key that the upload was begun with; 400 InvalidRequest without it."""
    bucket = probe.bucket()
    _put(probe, bucket, "first")
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="key", **_customer())
    query = [("partNumber", "1"), ("uploadId", upload["UploadId"])]
    probe.send("PUT", bucket, "key", query=query, body=b"x").refused(400, "InvalidRequest")
    probe.send("PUT", bucket, "key", query=query, body=b"x", headers=_headers(_OTHER)).refused(400, "InvalidRequest")
    part = probe.part(bucket, "key", upload["UploadId"], 1, _BODY, **_customer())
    probe.s3.complete_multipart_upload(
        Bucket=bucket, Key="key", UploadId=upload["UploadId"], MultipartUpload={"Parts": [part]}, **_customer()
    )
    equal(probe.body(bucket, "key", **_customer()), _BODY, "body")


def _default(algorithm: str = "AES256") -> dict[str, Any]:
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]}


@case("PutBucketEncryption")
def default_of_a_bucket(probe: Probe) -> None:
    """The default is read back, and holds for objects and uploads that ask for nothing."""
    bucket = probe.bucket()
    probe.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=_default())
    rules = probe.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    equal([rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules], ["AES256"], "algorithms")
    equal(probe.put(bucket, "key", b"x").get("ServerSideEncryption"), "AES256", "ServerSideEncryption of PUT")
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="parts")
    equal(upload.get("ServerSideEncryption"), "AES256", "ServerSideEncryption of the upload")


@case("PutBucketEncryption")
def defaults_that_cannot_be(probe: Probe) -> None:
    """No rule or two of them is 400 MalformedXML."""
    bucket = probe.bucket()
    rule = (
        "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
        "</ApplyServerSideEncryptionByDefault></Rule>"
    )
    for rules in ("", rule * 2, "<Rule/>" * 2):
        body = f"<ServerSideEncryptionConfiguration>{rules}</ServerSideEncryptionConfiguration>".encode()
        headers = {"Content-MD5": _md5(body)}
        answer = probe.send("PUT", bucket, query=[("encryption", "")], body=body, headers=headers)
        answer.refused(400, "MalformedXML")


@case("DeleteBucketEncryption")
def deleted_twice(probe: Probe) -> None:
    """204 each time."""
    bucket = probe.bucket()
    probe.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=_default())
    for _ in range(2):
        equal(probe.send("DELETE", bucket, query=[("encryption", "")]).status, 204, "status")
