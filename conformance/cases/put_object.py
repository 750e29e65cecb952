"""PutObject: bodies, headers, digests, conditions (checksums are in checksums, bodies in chunks in aws_chunked)."""

from __future__ import annotations

import email.header
import gzip
import hashlib
from concurrent.futures import ThreadPoolExecutor

from conformance.case import GUIDE, case
from conformance.probe import Probe, etag
from conformance.probe import content_md5 as digest
from conformance.sigv4 import UNSIGNED
from conformance.verdict import check, equal, one_of

_CONDITIONAL = GUIDE + "conditional-writes.html"
_METADATA = GUIDE + "UsingMetadata.html"


@case("PutObject")
def etag_is_the_md5(probe: Probe) -> None:
    """The ETag is the quoted MD5 of the body, from PUT, HEAD and GET; the empty body too."""
    bucket = probe.bucket()
    for body in (b"", b"x", b"hello" * 100_000):
        equal(probe.put(bucket, "key", body)["ETag"], etag(body), "ETag of PUT")
        equal(probe.s3.head_object(Bucket=bucket, Key="key")["ETag"], etag(body), "ETag of HEAD")
        equal(probe.body(bucket, "key"), body, "body")


@case("PutObject")
def replaces(probe: Probe) -> None:
    """A second PUT replaces body, headers and metadata altogether."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"first", ContentType="text/plain", Metadata={"one": "1"}, Tagging="t=1")
    probe.put(bucket, "key", b"second", Metadata={"two": "2"})
    answer = probe.s3.get_object(Bucket=bucket, Key="key")
    equal(answer["Body"].read(), b"second", "body")
    equal(answer["Metadata"], {"two": "2"}, "metadata")
    equal(answer["ContentType"], "binary/octet-stream", "Content-Type")
    equal(probe.s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"], [], "tags")


@case("PutObject", _METADATA)
def default_content_type(probe: Probe) -> None:
    """An object that was given no Content-Type has binary/octet-stream."""
    bucket = probe.bucket()
    probe.send("PUT", bucket, "key", body=b"x").succeeded()
    equal(probe.send("GET", bucket, "key").header("Content-Type"), "binary/octet-stream", "Content-Type")


@case("PutObject", _METADATA)
def system_headers(probe: Probe) -> None:
    """Content-Type, Cache-Control, Content-Disposition, -Encoding, -Language and Expires come back as they were."""
    bucket = probe.bucket()
    given = {
        "Content-Type": "text/x-odd; charset=utf-8",
        "Cache-Control": "max-age=60, private",
        "Content-Disposition": 'attachment; filename="a b.txt"',
        "Content-Encoding": "gzip",
        "Content-Language": "de, en",
        "Expires": "Thu, 01 Dec 2033 16:00:00 GMT",
    }
    probe.send("PUT", bucket, "key", headers=given, body=b"not really gzip").succeeded()
    for method in ("GET", "HEAD"):
        answer = probe.send(method, bucket, "key").succeeded()
        equal({name: answer.header(name) for name in given}, given, f"headers of {method}")
    equal(probe.send("GET", bucket, "key").body, b"not really gzip", "body")


@case("PutObject", _METADATA)
def encoded_bodies_stay_as_they_are(probe: Probe) -> None:
    """A gzip body with Content-Encoding: gzip is neither unpacked on the way in nor on the way out."""
    bucket = probe.bucket()
    body = gzip.compress(b"hello" * 1000, mtime=0)
    probe.send("PUT", bucket, "key", headers={"Content-Encoding": "gzip"}, body=body).succeeded()
    for accept in ("identity", "gzip"):
        answer = probe.send("GET", bucket, "key", headers={"Accept-Encoding": accept}).succeeded()
        equal(answer.body, body, f"body for Accept-Encoding: {accept}")


@case("PutObject", _METADATA)
def user_metadata(probe: Probe) -> None:
    """`x-amz-meta-*` come back, names in lower case, values as they were."""
    bucket = probe.bucket()
    headers = {"x-amz-meta-One": "1", "X-Amz-Meta-two-words": "a, b; c=d", "x-amz-meta-empty": ""}
    probe.send("PUT", bucket, "key", headers=headers, body=b"x").succeeded()
    metadata = probe.s3.head_object(Bucket=bucket, Key="key")["Metadata"]
    equal(metadata.get("one"), "1", "x-amz-meta-one")
    equal(metadata.get("two-words"), "a, b; c=d", "x-amz-meta-two-words")


@case("PutObject", _METADATA)
def metadata_beyond_ascii(probe: Probe) -> None:
    """UTF-8 values come back, as RFC 2047 words or as the same bytes."""
    bucket = probe.bucket()
    text = "grün und 写真"
    probe.send("PUT", bucket, "key", headers={"x-amz-meta-text": text}, body=b"x").succeeded()
    value = probe.send("HEAD", bucket, "key").header("x-amz-meta-text") or ""
    decoded = str(email.header.make_header(email.header.decode_header(value)))
    equal(decoded if value.startswith("=?") else value.encode("latin-1").decode(), text, "x-amz-meta-text")


@case("PutObject", _METADATA)
def too_much_metadata(probe: Probe) -> None:
    """More than 2 KB of user metadata: 400 MetadataTooLarge, and no object."""
    bucket = probe.bucket()
    headers = {f"x-amz-meta-{number}": "v" * 300 for number in range(8)}
    probe.send("PUT", bucket, "key", headers=headers, body=b"x").refused(400, "MetadataTooLarge")
    probe.absent(bucket, "key")


@case("PutObject")
def into_a_missing_bucket(probe: Probe) -> None:
    """404 NoSuchBucket."""
    probe.send("PUT", probe.name(), "key", body=b"x").refused(404, "NoSuchBucket")


@case("PutObject")
def into_a_bucket_of_another_account(probe: Probe) -> None:
    """403 AccessDenied."""
    bucket = probe.bucket()
    with probe.refused("AccessDenied", 403):
        probe.other.put_object(Bucket=bucket, Key="key", Body=b"x" * 100_000)
    probe.absent(bucket, "key")


@case("PutObject", GUIDE + "object-keys.html")
def keys_up_to_1024_bytes(probe: Probe) -> None:
    """A key may have 1,024 bytes of UTF-8; one more is 400 KeyTooLongError."""
    bucket = probe.bucket()
    longest = "/".join("k" * 127 for _ in range(8)) + "k"
    for key in (longest, "/".join("é" * 63 for _ in range(8)) + "é" * 4 + "k"):
        equal(len(key.encode()), 1024, "bytes of the key")
        probe.put(bucket, key, b"long")
        equal(probe.body(bucket, key), b"long", "body")
    probe.send("PUT", bucket, longest + "k", body=b"x").refused(400, "KeyTooLongError")


@case("PutObject", GUIDE + "object-keys.html")
def key_that_is_not_utf8(probe: Probe) -> None:
    """A key whose bytes are no UTF-8 is a 400."""
    bucket = probe.bucket()
    for key in (b"\xff\xfe", b"caf\xe9", b"\xed\xa0\x80"):
        answer = probe.send("PUT", bucket, key, body=b"x")
        check(answer.status == 400 and answer.code, f"{key!r}: {answer.status} {answer.code}")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject")
def no_length(probe: Probe) -> None:
    """Without Content-Length: 411 MissingContentLength."""
    bucket = probe.bucket()
    drop = [("Content-Length", "0")]
    answer = probe.send("PUT", bucket, "key", edit=lambda headers: [pair for pair in headers if pair not in drop])
    answer.refused(411, "MissingContentLength")


@case("PutObject")
def content_md5(probe: Probe) -> None:
    """The right Content-MD5 is accepted; another body's is 400 BadDigest, and no object."""
    bucket = probe.bucket()
    probe.send("PUT", bucket, "right", headers={"Content-MD5": digest(b"x")}, body=b"x").succeeded()
    probe.send("PUT", bucket, "wrong", headers={"Content-MD5": digest(b"y")}, body=b"x").refused(400, "BadDigest")
    equal(probe.keys(bucket), ["right"], "keys")


@case("PutObject")
def content_md5_that_is_none(probe: Probe) -> None:
    """A Content-MD5 that is not 16 bytes in base64: 400 InvalidDigest."""
    bucket = probe.bucket()
    for value in ("rubbish", "", "YWJj", hashlib.md5(b"x", usedforsecurity=False).hexdigest()):
        answer = probe.send("PUT", bucket, "key", headers={"Content-MD5": value}, body=b"x")
        check((answer.status, answer.code) == (400, "InvalidDigest"), f"{value!r}: {answer.status} {answer.code}")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html")
def payload_hash_of_other_bytes(probe: Probe) -> None:
    """x-amz-content-sha256 of another body: 400 XAmzContentSHA256Mismatch, and no object."""
    bucket = probe.bucket()
    probe.put(bucket, "kept", b"kept")
    payload = hashlib.sha256(b"other").hexdigest()
    for key in ("key", "kept"):
        probe.send("PUT", bucket, key, body=b"x", payload=payload).refused(400, "XAmzContentSHA256Mismatch")
    equal(probe.keys(bucket), ["kept"], "keys")
    equal(probe.body(bucket, "kept"), b"kept", "object before")


@case("PutObject")
def payload_hash_that_is_none(probe: Probe) -> None:
    """x-amz-content-sha256 that is neither a SHA-256 nor one of the words: a 400."""
    bucket = probe.bucket()
    answer = probe.send("PUT", bucket, "key", body=b"x", payload="rubbish")
    answer.refused(400, "InvalidArgument", "InvalidRequest", "XAmzContentSHA256Mismatch")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject")
def unsigned_payload(probe: Probe) -> None:
    """UNSIGNED-PAYLOAD leaves the body out of the signature."""
    bucket = probe.bucket()
    probe.send("PUT", bucket, "key", body=b"any", payload=UNSIGNED).succeeded()
    equal(probe.body(bucket, "key"), b"any", "body")


@case("PutObject")
def body_cut_short(probe: Probe) -> None:
    """A body shorter than declared leaves nothing behind, whatever the answer; an older object stays."""
    bucket = probe.bucket()
    probe.put(bucket, "kept", b"kept")
    for key in ("key", "kept"):
        headers = probe.signed_headers("PUT", probe.path(bucket, key), payload=UNSIGNED)
        with probe.open(timeout=20) as connection:
            connection.head("PUT", probe.path(bucket, key), [*headers, ("Content-Length", "1000")])
            connection.body(b"x" * 999)
    equal(probe.keys(bucket), ["kept"], "keys")
    equal(probe.body(bucket, "kept"), b"kept", "object before")


@case("PutObject")
def body_longer_than_declared(probe: Probe) -> None:
    """Of a body longer than declared only the declared bytes count (or it is a 400); the rest is no part of the
    object."""
    bucket = probe.bucket()
    answer = probe.send("PUT", bucket, "key", body=b"0123456789", length=5, payload=UNSIGNED)
    if answer.status == 400:
        probe.absent(bucket, "key")
    else:
        answer.succeeded()
        equal(probe.body(bucket, "key"), b"01234", "body")


@case("PutObject")
def beyond_five_gib(probe: Probe) -> None:
    """Content-Length over 5 GiB: 400 EntityTooLarge, before any of the body is asked for."""
    bucket = probe.bucket()
    path = probe.path(bucket, "key")
    headers = probe.signed_headers("PUT", path, payload=UNSIGNED)
    length = ("Content-Length", str(5 * 1024**3 + 1))
    with probe.open() as connection:
        connection.head("PUT", path, [*headers, length, ("Expect", "100-continue")])
        connection.answer().refused(400, "EntityTooLarge")


@case("PutObject")
def lengths_that_are_none(probe: Probe) -> None:
    """A Content-Length that is no number, negative, or given twice is a 400."""
    bucket = probe.bucket()
    path = probe.path(bucket, "key")
    headers = probe.signed_headers("PUT", path, payload=UNSIGNED)
    for lengths in (["x"], ["-1"], ["1", "2"], ["99999999999999999999999"]):
        sent = [*headers, *(("Content-Length", length) for length in lengths)]
        answer = probe.exchange("PUT", path, [], sent, b"a")
        equal(answer.status, 400, f"status for Content-Length {lengths}")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", "https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPUT.html")
def expect_continue(probe: Probe) -> None:
    """`Expect: 100-continue` is answered 100 before the body; a refused request gets its error instead."""
    bucket = probe.bucket()
    for keys, expected in (([bucket, "key"], b"100"), ([probe.name(), "key"], b"404")):
        path = probe.path(*keys)
        headers = probe.signed_headers("PUT", path, payload=UNSIGNED)
        with probe.open() as connection:
            connection.head("PUT", path, [*headers, ("Content-Length", "5"), ("Expect", "100-continue")])
            first = connection.interim()
            equal(first.split(b" ")[1:2], [expected], "first status")
            if expected == b"100":
                connection.body(b"hello")
                connection.answer().succeeded()
    equal(probe.body(bucket, "key"), b"hello", "body")


@case("PutObject", _CONDITIONAL)
def only_if_absent(probe: Probe) -> None:
    """If-None-Match: * writes where no object is, else 412 PreconditionFailed; after a DELETE it writes again."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"first", IfNoneMatch="*")
    with probe.refused("PreconditionFailed", 412):
        probe.put(bucket, "key", b"second", IfNoneMatch="*")
    equal(probe.body(bucket, "key"), b"first", "body")
    probe.s3.delete_object(Bucket=bucket, Key="key")
    probe.put(bucket, "key", b"third", IfNoneMatch="*")


@case("PutObject", _CONDITIONAL)
def only_if_absent_above_a_marker(probe: Probe) -> None:
    """A key whose current version is a delete marker counts as absent."""
    bucket = probe.bucket(versioning="Enabled")
    probe.put(bucket, "key", b"first")
    probe.s3.delete_object(Bucket=bucket, Key="key")
    probe.put(bucket, "key", b"second", IfNoneMatch="*")
    equal(probe.body(bucket, "key"), b"second", "body")


@case("PutObject", _CONDITIONAL)
def only_if_absent_has_one_winner(probe: Probe) -> None:
    """Of many at once exactly one writes; the others get 412, or 409 ConditionalRequestConflict."""
    bucket = probe.bucket()

    def write(number: int) -> tuple[int, int]:
        answer = probe.send("PUT", bucket, "key", headers={"If-None-Match": "*"}, body=b"%d" % number)
        return answer.status, number

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(write, range(16)))
    winners = [number for status, number in results if status == 200]
    equal(len(winners), 1, "number of winners")
    check({status for status, _ in results} <= {200, 409, 412}, f"statuses {results}")
    equal(probe.body(bucket, "key"), b"%d" % winners[0], "body")


@case("PutObject", _CONDITIONAL)
def only_if_unchanged(probe: Probe) -> None:
    """If-Match writes over the object with that ETag, else 412; where there is none 404 NoSuchKey."""
    bucket = probe.bucket()
    with probe.refused("NoSuchKey", 404):
        probe.put(bucket, "key", b"none", IfMatch=etag(b"one"))
    probe.put(bucket, "key", b"one")
    probe.put(bucket, "key", b"two", IfMatch=etag(b"one"))
    with probe.refused("PreconditionFailed", 412):
        probe.put(bucket, "key", b"three", IfMatch=etag(b"one"))
    equal(probe.body(bucket, "key"), b"two", "body")


@case("PutObject", _CONDITIONAL)
def only_if_unchanged_has_one_winner(probe: Probe) -> None:
    """Of many at once that expect the same ETag exactly one writes."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"start")

    def write(number: int) -> int:
        return probe.send("PUT", bucket, "key", headers={"If-Match": etag(b"start")}, body=b"%d" % number).status

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(write, range(16)))
    equal(statuses.count(200), 1, "number of winners")
    check(set(statuses) <= {200, 409, 412}, f"statuses {statuses}")


@case("PutObject")
def conditions_not_built_are_errors(probe: Probe) -> None:
    """If-None-Match with an ETag, and the dates, are not for writes: 501 NotImplemented, and no object."""
    bucket = probe.bucket()
    headers = {"If-None-Match": etag(b"x")}
    probe.send("PUT", bucket, "key", headers=headers, body=b"x").refused(501, "NotImplemented")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", GUIDE + "object-tagging.html")
def with_tags(probe: Probe) -> None:
    """`x-amz-tagging` is a URL query of tags; GET and HEAD tell their number."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x", Tagging="a=1&b%20c=%2B%3D&empty=")
    tags = probe.s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"]
    equal({tag["Key"]: tag["Value"] for tag in tags}, {"a": "1", "b c": "+=", "empty": ""}, "tags")
    equal(probe.send("GET", bucket, "key").header("x-amz-tagging-count"), "3", "x-amz-tagging-count")
    probe.put(bucket, "plain", b"x")
    equal(probe.send("GET", bucket, "plain").header("x-amz-tagging-count"), None, "x-amz-tagging-count of none")


@case("PutObject", GUIDE + "object-tagging.html")
def with_bad_tags(probe: Probe) -> None:
    """11 tags, a key twice, a key over 128 or a value over 256 characters: a 400, and no object."""
    bucket = probe.bucket()
    many = "&".join(f"k{number}=v" for number in range(11))
    for tagging in (many, "a=1&a=2", "k" * 129 + "=v", "k=" + "v" * 257, "=v"):
        answer = probe.send("PUT", bucket, "key", headers={"x-amz-tagging": tagging}, body=b"x")
        check(answer.status == 400, f"{tagging[:20]}: {answer.status} {answer.code}")
        one_of(answer.code, ("InvalidTag", "BadRequest", "InvalidArgument"), "code")
    equal(probe.keys(bucket), [], "keys")


@case("PutObject", GUIDE + "about-object-ownership.html")
def canned_acls(probe: Probe) -> None:
    """Where ACLs are off bucket-owner-full-control is accepted, and ones that open the object are
    400 AccessControlListNotSupported."""
    bucket = probe.bucket()
    for acl in ("bucket-owner-full-control", "private"):
        probe.send("PUT", bucket, "key", headers={"x-amz-acl": acl}, body=b"x").succeeded()
    for acl in ("public-read", "public-read-write", "authenticated-read"):
        answer = probe.send("PUT", bucket, "open", headers={"x-amz-acl": acl}, body=b"x")
        answer.refused(400, "AccessControlListNotSupported")
    probe.send("PUT", bucket, "open", headers={"x-amz-acl": "rubbish"}, body=b"x").refused(400, "InvalidArgument")
    equal(probe.keys(bucket), ["key"], "keys")


@case("PutObject", GUIDE + "storage-class-intro.html")
def storage_classes(probe: Probe) -> None:
    """STANDARD is accepted and not answered; an unknown class is 400 InvalidStorageClass; no class is ignored."""
    bucket = probe.bucket()
    probe.send("PUT", bucket, "key", headers={"x-amz-storage-class": "STANDARD"}, body=b"x").succeeded()
    equal(probe.send("HEAD", bucket, "key").header("x-amz-storage-class"), None, "x-amz-storage-class")
    answer = probe.send("PUT", bucket, "other", headers={"x-amz-storage-class": "RUBBISH"}, body=b"x")
    answer.refused(400, "InvalidStorageClass")
    answer = probe.send("PUT", bucket, "cold", headers={"x-amz-storage-class": "GLACIER"}, body=b"x")
    if answer.status == 200:
        equal(probe.send("HEAD", bucket, "cold").header("x-amz-storage-class"), "GLACIER", "x-amz-storage-class")
    else:
        answer.refused_any((501, "NotImplemented"), (400, "InvalidStorageClass"))


@case("PutObject")
def headers_are_never_ignored(probe: Probe) -> None:
    """A header that asks for encryption, a lock or a redirect is followed or refused, never ignored."""
    bucket = probe.bucket()
    wishes = {
        "x-amz-server-side-encryption": "AES256",
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-legal-hold": "ON",
        "x-amz-website-redirect-location": "/elsewhere",
        "x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
        "x-amz-write-offset-bytes": "5",
    }
    for name, value in wishes.items():
        answer = probe.send("PUT", bucket, f"key/{name}", headers={name: value}, body=b"x")
        if answer.status == 200:
            head = probe.send("HEAD", bucket, f"key/{name}")
            equal(head.header(name), value, f"{name} of HEAD")
        else:
            check(answer.code, f"{name}: {answer.status} without a code")
            check(answer.status in (400, 403, 501), f"{name}: {answer.status} {answer.code}")


@case("PutObject")
def copy_of_the_upload_is_signed(probe: Probe) -> None:
    """The digest of a signed payload covers big bodies too: 3 MiB altered in one byte are refused."""
    bucket = probe.bucket()
    body = bytes(3 * 1024 * 1024)
    payload = hashlib.sha256(body).hexdigest()
    altered = body[:-1] + b"\x01"
    probe.send("PUT", bucket, "key", body=altered, payload=payload).refused(400, "XAmzContentSHA256Mismatch")
    probe.send("PUT", bucket, "key", body=body, payload=payload).succeeded()


@case("PutObject", "https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1")
def expect_continue_of_an_empty_body(probe: Probe) -> None:
    """An empty body that is expected gets its 100 too; a refusal without a 100 ends the connection. SDKs of one family
    misread the next answer of the connection otherwise, and wait for a minute."""
    bucket = probe.bucket()
    path = probe.path(bucket, "key")
    headers = [*probe.signed_headers("PUT", path), ("Content-Length", "0"), ("Expect", "100-continue")]
    with probe.open() as connection:
        connection.head("PUT", path, headers)
        equal(connection.interim().split(b" ")[1:2], [b"100"], "first status")
        connection.answer().succeeded()
    missing = probe.path(probe.name(), "key")
    headers = [*probe.signed_headers("PUT", missing), ("Content-Length", "0"), ("Expect", "100-continue")]
    with probe.open() as connection:
        connection.head("PUT", missing, headers)
        answer = connection.answer().refused(404, "NoSuchBucket")
        equal((answer.header("Connection") or "").lower(), "close", "Connection of a refusal")
