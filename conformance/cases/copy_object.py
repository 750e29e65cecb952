"""CopyObject."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

from conformance.case import GUIDE, case
from conformance.probe import Headers, Probe, etag
from conformance.sigv4 import encode, utcnow
from conformance.verdict import check, equal
from conformance.wire import Answer


def _copy(probe: Probe, bucket: str, key: str, source: str, headers: Headers | None = None) -> Answer:
    return probe.send("PUT", bucket, key, headers={"x-amz-copy-source": source, **(headers or {})})


@case("CopyObject")
def bytes_headers_and_metadata(probe: Probe) -> None:
    """A copy has the source's bytes, headers, metadata and ETag; the answer is a CopyObjectResult."""
    one, two = probe.bucket(), probe.bucket()
    probe.put(one, "from", b"copied", ContentType="text/x", CacheControl="no-store", Metadata={"m": "v"})
    answer = _copy(probe, two, "to", f"/{one}/from").succeeded()
    equal(answer.xml.tag, "CopyObjectResult", "root element")
    equal(answer.text("ETag"), etag(b"copied"), "ETag")
    check((answer.text("LastModified") or "").endswith("Z"), "LastModified is no ISO date")
    head = probe.s3.get_object(Bucket=two, Key="to")
    equal(head["Body"].read(), b"copied", "body")
    equal((head["ContentType"], head["CacheControl"], head["Metadata"]), ("text/x", "no-store", {"m": "v"}), "headers")
    equal(probe.body(one, "from"), b"copied", "source afterwards")


@case("CopyObject")
def forms_of_the_source(probe: Probe) -> None:
    """The source is `bucket/key` or `/bucket/key`, percent-encoded; `+` and `%2B`, spaces and Unicode are meant."""
    bucket = probe.bucket()
    for key in ("plain", "a b+c", "per%25cent", "ünï/写", "q?uestion", "a//b"):
        probe.put(bucket, key, key.encode())
        for source in (f"{bucket}/{encode(key, safe='/')}", f"/{bucket}/{encode(key)}"):
            _copy(probe, bucket, "copy", source).succeeded()
            equal(probe.body(bucket, "copy"), key.encode(), f"copy of {source}")


@case("CopyObject")
def metadata_directive(probe: Probe) -> None:
    """COPY (the default) ignores metadata that is sent, REPLACE takes all of it from the request."""
    bucket = probe.bucket()
    probe.put(bucket, "from", b"x", ContentType="text/x", Metadata={"old": "1"})
    new = {"x-amz-meta-new": "2", "Content-Type": "text/y"}
    _copy(probe, bucket, "copied", f"{bucket}/from", {"x-amz-metadata-directive": "COPY", **new}).succeeded()
    head = probe.s3.head_object(Bucket=bucket, Key="copied")
    equal((head["Metadata"], head["ContentType"]), ({"old": "1"}, "text/x"), "COPY")
    _copy(probe, bucket, "replaced", f"{bucket}/from", {"x-amz-metadata-directive": "REPLACE", **new}).succeeded()
    head = probe.s3.head_object(Bucket=bucket, Key="replaced")
    equal((head["Metadata"], head["ContentType"]), ({"new": "2"}, "text/y"), "REPLACE")


@case("CopyObject")
def directives_that_are_none(probe: Probe) -> None:
    """An unknown directive: 400 InvalidArgument."""
    bucket = probe.bucket()
    probe.put(bucket, "from", b"x")
    for name in ("x-amz-metadata-directive", "x-amz-tagging-directive"):
        _copy(probe, bucket, "to", f"{bucket}/from", {name: "MERGE"}).refused(400, "InvalidArgument")
    equal(probe.keys(bucket), ["from"], "keys")


@case("CopyObject")
def onto_itself(probe: Probe) -> None:
    """Onto itself without any change: 400 InvalidRequest; with REPLACE the metadata changes."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x", Metadata={"old": "1"})
    _copy(probe, bucket, "key", f"{bucket}/key").refused(400, "InvalidRequest")
    headers = {"x-amz-metadata-directive": "REPLACE", "x-amz-meta-new": "2"}
    _copy(probe, bucket, "key", f"{bucket}/key", headers).succeeded()
    head = probe.s3.get_object(Bucket=bucket, Key="key")
    equal((head["Body"].read(), head["Metadata"]), (b"x", {"new": "2"}), "object")


@case("CopyObject")
def tagging_directive(probe: Probe) -> None:
    """Tags are copied, unless the directive is REPLACE: then those of the request are set."""
    bucket = probe.bucket()
    probe.put(bucket, "from", b"x", Tagging="old=1")
    for key, headers, expected in (
        ("default", {}, {"old": "1"}),
        ("copy", {"x-amz-tagging-directive": "COPY"}, {"old": "1"}),
        ("replace", {"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "new=2"}, {"new": "2"}),
        ("none", {"x-amz-tagging-directive": "REPLACE"}, {}),
    ):
        _copy(probe, bucket, key, f"{bucket}/from", headers).succeeded()
        tags = probe.s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        equal({tag["Key"]: tag["Value"] for tag in tags}, expected, f"tags of {key}")


@case("CopyObject")
def missing_sources(probe: Probe) -> None:
    """A missing source key is 404 NoSuchKey, a missing bucket on either side 404 NoSuchBucket."""
    bucket, missing = probe.bucket(), probe.name()
    probe.put(bucket, "from", b"x")
    _copy(probe, bucket, "to", f"{bucket}/missing").refused(404, "NoSuchKey")
    _copy(probe, bucket, "to", f"{missing}/from").refused(404, "NoSuchBucket")
    _copy(probe, missing, "to", f"{bucket}/from").refused(404, "NoSuchBucket")


@case("CopyObject")
def sources_that_are_none(probe: Probe) -> None:
    """A source without a key: 400 InvalidArgument."""
    bucket = probe.bucket()
    for source in ("", "/", bucket, f"{bucket}/", "x"):
        answer = _copy(probe, bucket, "to", source)
        check((answer.status, answer.code) == (400, "InvalidArgument"), f"{source!r}: {answer.status} {answer.code}")


@case("CopyObject")
def source_of_another_account(probe: Probe) -> None:
    """The source is authorised like a GET: 403 AccessDenied, and nothing is written."""
    mine = probe.bucket()
    probe.put(mine, "secret", b"secret")
    theirs = probe.claim(probe.name() + "-o")
    probe.other.create_bucket(Bucket=theirs)
    try:
        with probe.refused("AccessDenied", 403):
            probe.other.copy_object(Bucket=theirs, Key="stolen", CopySource={"Bucket": mine, "Key": "secret"})
        with probe.refused("AccessDenied", 403):
            probe.other.copy_object(Bucket=mine, Key="planted", CopySource={"Bucket": mine, "Key": "secret"})
    finally:
        probe.other.delete_bucket(Bucket=theirs)
    equal(probe.keys(mine), ["secret"], "keys")


@case("CopyObject")
def conditions_on_the_source(probe: Probe) -> None:
    """`x-amz-copy-source-if-*` are checked against the source: 412 PreconditionFailed where one does not hold."""
    bucket = probe.bucket()
    probe.put(bucket, "from", b"x")
    right, wrong = etag(b"x"), etag(b"y")
    past = format_datetime(utcnow() - timedelta(days=1), usegmt=True)
    exact = probe.send("HEAD", bucket, "from").header("Last-Modified") or ""
    prefix = "x-amz-copy-source-if-"
    for headers, expected in (
        ({"match": right}, 200),
        ({"match": wrong}, 412),
        ({"none-match": wrong}, 200),
        ({"none-match": right}, 412),
        ({"modified-since": past}, 200),
        ({"modified-since": exact}, 412),
        ({"unmodified-since": exact}, 200),
        ({"unmodified-since": past}, 412),
        ({"match": right, "unmodified-since": past}, 200),
        ({"none-match": right, "modified-since": past}, 412),
    ):
        conditions = {prefix + name: value for name, value in headers.items()}
        answer = _copy(probe, bucket, "to", f"{bucket}/from", conditions)
        equal(answer.status, expected, f"status with {headers}")
        if expected == 412:
            equal(answer.code, "PreconditionFailed", "code")


@case("CopyObject", GUIDE + "conditional-writes.html")
def condition_on_the_destination(probe: Probe) -> None:
    """If-None-Match: * on a copy writes only where no object is (501 where not built), and never overwrites."""
    bucket = probe.bucket()
    probe.put(bucket, "from", b"x")
    probe.put(bucket, "to", b"kept")
    answer = _copy(probe, bucket, "to", f"{bucket}/from", {"If-None-Match": "*"})
    answer.refused_any((412, "PreconditionFailed"), (501, "NotImplemented"))
    equal(probe.body(bucket, "to"), b"kept", "destination")


@case("CopyObject")
def of_a_version(probe: Probe) -> None:
    """`?versionId=` in the source copies that version, `null` too; the answer names it and the new one."""
    bucket = probe.bucket(versioning="Enabled")
    old = probe.put(bucket, "key", b"old")["VersionId"]
    probe.put(bucket, "key", b"new")
    answer = _copy(probe, bucket, "key", f"{bucket}/key?versionId={old}").succeeded()
    equal(answer.header("x-amz-copy-source-version-id"), old, "x-amz-copy-source-version-id")
    check(answer.header("x-amz-version-id") not in (None, old), "the copy has no version id of its own")
    equal(probe.body(bucket, "key"), b"old", "current body")
    equal(len(probe.s3.list_object_versions(Bucket=bucket)["Versions"]), 3, "number of versions")


@case("CopyObject")
def of_a_delete_marker(probe: Probe) -> None:
    """A source whose current version is a marker is 404 NoSuchKey; the marker by its version id 400 InvalidRequest."""
    bucket = probe.bucket(versioning="Enabled")
    probe.put(bucket, "key", b"x")
    marker = probe.s3.delete_object(Bucket=bucket, Key="key")["VersionId"]
    _copy(probe, bucket, "to", f"{bucket}/key").refused(404, "NoSuchKey")
    answer = _copy(probe, bucket, "to", f"{bucket}/key?versionId={marker}")
    answer.refused_any((400, "InvalidRequest"), (405, "MethodNotAllowed"))


@case("CopyObject")
def of_a_missing_version(probe: Probe) -> None:
    """A version that is not there: 404 NoSuchVersion, or 400 InvalidArgument where it cannot be one."""
    bucket = probe.bucket(versioning="Enabled")
    probe.put(bucket, "key", b"x")
    answer = _copy(probe, bucket, "to", f"{bucket}/key?versionId=none-such")
    answer.refused_any((404, "NoSuchVersion"), (400, "InvalidArgument"))


@case("CopyObject", GUIDE + "checking-object-integrity.html")
def checksum_of_a_copy(probe: Probe) -> None:
    """A copy keeps the source's checksum; where another algorithm is asked for, it is computed."""
    bucket = probe.bucket()
    probe.put(bucket, "from", b"x", ChecksumAlgorithm="SHA256")
    source = probe.s3.head_object(Bucket=bucket, Key="from", ChecksumMode="ENABLED")["ChecksumSHA256"]
    probe.s3.copy_object(Bucket=bucket, Key="same", CopySource=f"{bucket}/from")
    head = probe.s3.head_object(Bucket=bucket, Key="same", ChecksumMode="ENABLED")
    equal(head.get("ChecksumSHA256"), source, "ChecksumSHA256")
    answer = probe.s3.copy_object(Bucket=bucket, Key="other", CopySource=f"{bucket}/from", ChecksumAlgorithm="CRC32C")
    head = probe.s3.head_object(Bucket=bucket, Key="other", ChecksumMode="ENABLED")
    check(head.get("ChecksumCRC32C"), "no CRC32C was computed")
    equal(answer["CopyObjectResult"].get("ChecksumCRC32C"), head["ChecksumCRC32C"], "ChecksumCRC32C answered")


@case("CopyObject")
def of_a_multipart_object(probe: Probe) -> None:
    """A copy of an object uploaded in parts is one object: its ETag is the MD5 of the bytes."""
    bucket = probe.bucket()
    parts = [b"a" * 5 * 1024 * 1024, b"b"]
    probe.multipart(bucket, "from", parts)
    probe.s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/from")
    check(probe.body(bucket, "to") == b"".join(parts), "the bytes differ")
    equal(probe.s3.head_object(Bucket=bucket, Key="to")["ETag"], etag(b"".join(parts)), "ETag")


@case("CopyObject")
def encryption_is_never_ignored(probe: Probe) -> None:
    """A copy that asks for encryption, a lock or a redirect gets it or an error."""
    bucket = probe.bucket()
    probe.put(bucket, "from", b"x")
    for name, value in (
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        ("x-amz-website-redirect-location", "/x"),
    ):
        answer = _copy(probe, bucket, "to", f"{bucket}/from", {name: value})
        if answer.status == 200:
            equal(probe.send("HEAD", bucket, "to").header(name), value, name)
        else:
            check(answer.code and answer.status in (400, 403, 501), f"{name}: {answer.status} {answer.code}")


@case("CopyObject")
def headers_a_copy_never_ignores(probe: Probe) -> None:
    """A storage class, an open ACL and the expected owner of the source are followed or refused."""
    bucket = probe.bucket()
    probe.put(bucket, "from", b"x")
    for name, value in (
        ("x-amz-acl", "public-read"),
        ("x-amz-storage-class", "RUBBISH"),
        ("x-amz-source-expected-bucket-owner", "000000000000"),
        ("x-amz-expected-bucket-owner", "000000000000"),
    ):
        answer = _copy(probe, bucket, "to", f"{bucket}/from", {name: value})
        check(answer.code and answer.status in (400, 403, 501), f"{name}: {answer.status} {answer.code}")
    equal(probe.keys(bucket), ["from"], "keys")


@case("CopyObject")
def replaced_content_type_by_default(probe: Probe) -> None:
    """REPLACE without a Content-Type gives the default one; metadata is gone."""
    bucket = probe.bucket()
    probe.put(bucket, "from", b"x", ContentType="text/x", Metadata={"m": "1"}, CacheControl="no-store")
    _copy(probe, bucket, "to", f"{bucket}/from", {"x-amz-metadata-directive": "REPLACE"}).succeeded()
    head = probe.s3.head_object(Bucket=bucket, Key="to")
    equal((head["ContentType"], head["Metadata"]), ("binary/octet-stream", {}), "headers")
    check("CacheControl" not in head, "Cache-Control was kept")
