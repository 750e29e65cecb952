"""CreateMultipartUpload, UploadPart, UploadPartCopy, CompleteMultipartUpload, AbortMultipartUpload."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from conformance.case import GUIDE, case
from conformance.probe import Headers, Probe, content_md5, etag, etag_of_parts
from conformance.verdict import check, equal
from conformance.wire import Answer

_MIB = 1024 * 1024
_FIVE = 5 * _MIB
_CONDITIONAL = GUIDE + "conditional-writes.html"


def _begin(probe: Probe, bucket: str, key: str = "key", **parameters: Any) -> str:
    upload: str = probe.s3.create_multipart_upload(Bucket=bucket, Key=key, **parameters)["UploadId"]
    return upload


def _document(parts: list[tuple[int, str]]) -> bytes:
    inside = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>" for n, tag in parts)
    return f"<CompleteMultipartUpload>{inside}</CompleteMultipartUpload>".encode()


def _complete(
    probe: Probe, bucket: str, upload: str, body: bytes, headers: Headers | None = None, key: str = "key"
) -> Answer:
    return probe.send("POST", bucket, key, query=[("uploadId", upload)], headers=headers, body=body)


def _copied_part(
    probe: Probe, bucket: str, upload: str, number: int, source: str, headers: Headers | None = None
) -> Answer:
    query = [("partNumber", str(number)), ("uploadId", upload)]
    return probe.send("PUT", bucket, "key", query=query, headers={"x-amz-copy-source": source, **(headers or {})})


@case("CreateMultipartUpload")
def answers_an_upload_id(probe: Probe) -> None:
    """Bucket, key and a new UploadId; two uploads of one key are independent. Nothing is visible yet."""
    bucket = probe.bucket()
    answer = probe.send("POST", bucket, "dir/key", query=[("uploads", "")]).succeeded()
    equal(answer.xml.tag, "InitiateMultipartUploadResult", "root element")
    equal((answer.text("Bucket"), answer.text("Key")), (bucket, "dir/key"), "Bucket and Key")
    second = probe.send("POST", bucket, "dir/key", query=[("uploads", "")]).succeeded()
    check(answer.text("UploadId") and answer.text("UploadId") != second.text("UploadId"), "upload ids are not unique")
    equal(probe.keys(bucket), [], "keys")


@case("CreateMultipartUpload")
def missing_bucket(probe: Probe) -> None:
    """404 NoSuchBucket."""
    probe.send("POST", probe.name(), "key", query=[("uploads", "")]).refused(404, "NoSuchBucket")


@case("CreateMultipartUpload")
def headers_become_the_objects(probe: Probe) -> None:
    """Content-Type, metadata and tags given at the beginning are those of the object."""
    bucket = probe.bucket()
    given = {"ContentType": "text/x", "CacheControl": "no-store", "Metadata": {"m": "v"}, "Tagging": "t=1"}
    probe.multipart(bucket, "key", [b"only part"], **given)
    head = probe.s3.head_object(Bucket=bucket, Key="key")
    equal((head["ContentType"], head["CacheControl"], head["Metadata"]), ("text/x", "no-store", {"m": "v"}), "headers")
    tags = probe.s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"]
    equal(tags, [{"Key": "t", "Value": "1"}], "tags")


@case("CreateMultipartUpload")
def encryption_is_never_ignored(probe: Probe) -> None:
    """An upload that asks for encryption, a lock or an open ACL gets it or an error."""
    bucket = probe.bucket()
    for name, value in (
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-object-lock-mode", "COMPLIANCE"),
        ("x-amz-acl", "public-read"),
    ):
        answer = probe.send("POST", bucket, "key", query=[("uploads", "")], headers={name: value})
        if answer.status == 200:
            equal(answer.header(name), value, name)
        else:
            check(answer.code and answer.status in (400, 403, 501), f"{name}: {answer.status} {answer.code}")


@case("UploadPart")
def etag_is_the_md5(probe: Probe) -> None:
    """A part's ETag is its MD5; a wrong Content-MD5 is 400 BadDigest and no part."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    query = [("partNumber", "1"), ("uploadId", upload)]
    answer = probe.send("PUT", bucket, "key", query=query, body=b"part").succeeded()
    equal(answer.header("ETag"), etag(b"part"), "ETag")
    query = [("partNumber", "2"), ("uploadId", upload)]
    headers = {"Content-MD5": content_md5(b"other")}
    probe.send("PUT", bucket, "key", query=query, headers=headers, body=b"part").refused(400, "BadDigest")
    parts = probe.s3.list_parts(Bucket=bucket, Key="key", UploadId=upload)["Parts"]
    equal([part["PartNumber"] for part in parts], [1], "part numbers")


@case("UploadPart")
def numbers_from_1_to_10000(probe: Probe) -> None:
    """Part numbers go from 1 to 10,000; others are 400 InvalidArgument."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    for number in ("0", "-1", "10001", "x", ""):
        query = [("partNumber", number), ("uploadId", upload)]
        answer = probe.send("PUT", bucket, "key", query=query, body=b"x")
        check((answer.status, answer.code) == (400, "InvalidArgument"), f"{number}: {answer.status} {answer.code}")
    probe.part(bucket, "key", upload, 10000, b"x")


@case("UploadPart")
def of_an_upload_that_is_none(probe: Probe) -> None:
    """404 NoSuchUpload, also for the upload of another key."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    for key, identifier in (("key", "made-up"), ("other", upload)):
        query = [("partNumber", "1"), ("uploadId", identifier)]
        probe.send("PUT", bucket, key, query=query, body=b"x").refused(404, "NoSuchUpload")


@case("UploadPart")
def another_account_is_denied(probe: Probe) -> None:
    """403 AccessDenied."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    with probe.refused("AccessDenied", 403):
        probe.other.upload_part(Bucket=bucket, Key="key", UploadId=upload, PartNumber=1, Body=b"x")
    with probe.refused("AccessDenied", 403):
        probe.other.abort_multipart_upload(Bucket=bucket, Key="key", UploadId=upload)


@case("CompleteMultipartUpload")
def joins_the_parts(probe: Probe) -> None:
    """The object is the parts in order; its ETag the MD5 of their MD5s, a hyphen and their number."""
    bucket = probe.bucket()
    parts = [bytes([number]) * (_FIVE + number) for number in range(3)] + [b"tail"]
    upload = _begin(probe, bucket)
    numbers = [(number, probe.part(bucket, "key", upload, number, part)) for number, part in enumerate(parts, 1)]
    answer = _complete(probe, bucket, upload, _document([(n, part["ETag"]) for n, part in numbers])).succeeded()
    equal(answer.xml.tag, "CompleteMultipartUploadResult", "root element")
    equal((answer.text("Bucket"), answer.text("Key")), (bucket, "key"), "Bucket and Key")
    check(answer.text("Location"), "no Location")
    equal(answer.text("ETag"), etag_of_parts(parts), "ETag")
    check(probe.body(bucket, "key") == b"".join(parts), "the bytes differ")
    equal(probe.s3.head_object(Bucket=bucket, Key="key")["ETag"], etag_of_parts(parts), "ETag of HEAD")


@case("CompleteMultipartUpload")
def uploaded_out_of_order(probe: Probe) -> None:
    """The order is that of the numbers, which may have gaps, not that of the uploads; many at once."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    bodies = {30: b"c" * 10, 7: b"a" * _FIVE, 19: b"b" * _FIVE}
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda number: probe.part(bucket, "key", upload, number, bodies[number]), bodies))
    listed = [(part["PartNumber"], part["ETag"]) for part in sorted(done, key=lambda part: int(part["PartNumber"]))]
    _complete(probe, bucket, upload, _document(listed)).succeeded()
    check(probe.body(bucket, "key") == bodies[7] + bodies[19] + bodies[30], "the bytes differ")


@case("CompleteMultipartUpload")
def one_part_of_any_size(probe: Probe) -> None:
    """The last part may be small, so one small part (or an empty one) is enough; the ETag ends in -1."""
    bucket = probe.bucket()
    for body in (b"small", b""):
        equal(probe.multipart(bucket, "key", [body])["ETag"], etag_of_parts([body]), "ETag")
        equal(probe.body(bucket, "key"), body, "body")


@case("CompleteMultipartUpload")
def a_part_replaced(probe: Probe) -> None:
    """A part uploaded again replaces the first; its old ETag is then 400 InvalidPart."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    old = probe.part(bucket, "key", upload, 1, b"old")
    new = probe.part(bucket, "key", upload, 1, b"new one")
    _complete(probe, bucket, upload, _document([(1, old["ETag"])])).refused(400, "InvalidPart")
    _complete(probe, bucket, upload, _document([(1, new["ETag"])])).succeeded()
    equal(probe.body(bucket, "key"), b"new one", "body")


@case("CompleteMultipartUpload")
def only_the_parts_named(probe: Probe) -> None:
    """Parts that the list leaves out are not in the object."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    done = [probe.part(bucket, "key", upload, number, b"%d" % number * _FIVE) for number in (1, 2, 3)]
    _complete(probe, bucket, upload, _document([(n, done[n - 1]["ETag"]) for n in (1, 3)])).succeeded()
    check(probe.body(bucket, "key") == b"1" * _FIVE + b"3" * _FIVE, "the bytes differ")


@case("CompleteMultipartUpload")
def small_parts(probe: Probe) -> None:
    """A part under 5 MiB that is not the last: 400 EntityTooSmall; nothing is visible, the upload goes on."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    done = [(number, probe.part(bucket, "key", upload, number, b"x" * (_FIVE - 1))["ETag"]) for number in (1, 2)]
    _complete(probe, bucket, upload, _document(done)).refused(400, "EntityTooSmall")
    probe.absent(bucket, "key")
    done[0] = (1, probe.part(bucket, "key", upload, 1, b"x" * _FIVE)["ETag"])
    _complete(probe, bucket, upload, _document(done)).succeeded()


@case("CompleteMultipartUpload")
def lists_that_are_wrong(probe: Probe) -> None:
    """An unknown part or another ETag: 400 InvalidPart; not in ascending order: 400 InvalidPartOrder."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    tags = {number: probe.part(bucket, "key", upload, number, b"x" * _FIVE)["ETag"] for number in (1, 2)}
    for parts, code in (
        ([(1, tags[1]), (3, tags[2])], "InvalidPart"),
        ([(1, etag(b"other"))], "InvalidPart"),
        ([(2, tags[2]), (1, tags[1])], "InvalidPartOrder"),
        ([(1, tags[1]), (1, tags[1])], "InvalidPartOrder"),
    ):
        _complete(probe, bucket, upload, _document(parts)).refused(400, code)
    probe.absent(bucket, "key")
    _complete(probe, bucket, upload, _document([(1, tags[1].strip('"')), (2, tags[2])])).succeeded()


@case("CompleteMultipartUpload")
def documents_that_are_none(probe: Probe) -> None:
    """Malformed XML, a document type, no parts: 400 MalformedXML (an empty body may have a code of its own)."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    tag = probe.part(bucket, "key", upload, 1, b"x")["ETag"]
    good = _document([(1, tag)])
    for body in (
        b"<CompleteMultipartUpload>",
        b"<CompleteMultipartUpload/>",
        good.replace(b"CompleteMultipartUpload", b"Other"),
        b"<!DOCTYPE x>" + good,
        good.replace(b">1<", b">one<"),
        b"",
    ):
        answer = _complete(probe, bucket, upload, body)
        answer.refused_any((400, "MalformedXML"), (400, "InvalidRequest"), (400, "MissingRequestBodyError"))
    probe.absent(bucket, "key")


@case("CompleteMultipartUpload")
def an_upload_that_is_none(probe: Probe) -> None:
    """404 NoSuchUpload: made up, aborted, of another key; 404 NoSuchBucket."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    tag = probe.part(bucket, "key", upload, 1, b"x")["ETag"]
    body = _document([(1, tag)])
    _complete(probe, bucket, "made-up", body).refused(404, "NoSuchUpload")
    _complete(probe, bucket, upload, body, key="other").refused(404, "NoSuchUpload")
    _complete(probe, probe.name(), upload, body).refused(404, "NoSuchBucket")
    probe.s3.abort_multipart_upload(Bucket=bucket, Key="key", UploadId=upload)
    _complete(probe, bucket, upload, body).refused(404, "NoSuchUpload")


@case("CompleteMultipartUpload")
def twice(probe: Probe) -> None:
    """Completing again with the same parts answers the same 200; it does not bring back what was written over."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    body = _document([(1, probe.part(bucket, "key", upload, 1, b"first")["ETag"])])
    first = _complete(probe, bucket, upload, body).succeeded()
    again = _complete(probe, bucket, upload, body).succeeded()
    equal(again.text("ETag"), first.text("ETag"), "ETag")
    probe.put(bucket, "key", b"written over")
    _complete(probe, bucket, upload, body)
    equal(probe.body(bucket, "key"), b"written over", "body")


@case("CompleteMultipartUpload")
def many_at_once(probe: Probe) -> None:
    """Completed by several at once, there is one object and one version, and each who gets 200 gets its ETag."""
    bucket = probe.bucket(versioning="Enabled")
    upload = _begin(probe, bucket)
    part = probe.part(bucket, "key", upload, 1, b"part")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _complete(probe, bucket, upload, _document([(1, part["ETag"])])), range(8)))
    check(any(answer.status == 200 for answer in answers), "nobody completed")
    for answer in answers:
        if answer.status == 200:
            equal(answer.text("ETag"), etag_of_parts([b"part"]), "ETag")
        else:
            check(answer.status in (404, 409), f"status {answer.status}")
    equal(len(probe.s3.list_object_versions(Bucket=bucket)["Versions"]), 1, "number of versions")


@case("CompleteMultipartUpload", _CONDITIONAL)
def only_if_absent(probe: Probe) -> None:
    """If-None-Match: *: 412 where an object is, and the upload stays."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    body = _document([(1, probe.part(bucket, "key", upload, 1, b"part")["ETag"])])
    probe.put(bucket, "key", b"there")
    _complete(probe, bucket, upload, body, {"If-None-Match": "*"}).refused(412, "PreconditionFailed")
    equal(probe.body(bucket, "key"), b"there", "body")
    probe.s3.delete_object(Bucket=bucket, Key="key")
    _complete(probe, bucket, upload, body, {"If-None-Match": "*"}).succeeded()
    equal(probe.body(bucket, "key"), b"part", "body")


@case("CompleteMultipartUpload", _CONDITIONAL)
def only_if_unchanged(probe: Probe) -> None:
    """If-Match: 412 with another ETag, 404 NoSuchKey where nothing is, else written."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    body = _document([(1, probe.part(bucket, "key", upload, 1, b"part")["ETag"])])
    _complete(probe, bucket, upload, body, {"If-Match": etag(b"x")}).refused(404, "NoSuchKey")
    probe.put(bucket, "key", b"there")
    _complete(probe, bucket, upload, body, {"If-Match": etag(b"x")}).refused(412, "PreconditionFailed")
    _complete(probe, bucket, upload, body, {"If-Match": etag(b"there")}).succeeded()
    equal(probe.body(bucket, "key"), b"part", "body")


@case("CompleteMultipartUpload")
def declared_size(probe: Probe) -> None:
    """`x-amz-mp-object-size` that is not the sum of the parts: 400 InvalidRequest."""
    bucket = probe.bucket()
    upload = _begin(probe, bucket)
    body = _document([(1, probe.part(bucket, "key", upload, 1, b"part")["ETag"])])
    _complete(probe, bucket, upload, body, {"x-amz-mp-object-size": "5"}).refused(400, "InvalidRequest")
    probe.absent(bucket, "key")
    _complete(probe, bucket, upload, body, {"x-amz-mp-object-size": "4"}).succeeded()


@case("CompleteMultipartUpload")
def gives_one_version(probe: Probe) -> None:
    """With versioning on the completion answers the version id of the object."""
    bucket = probe.bucket(versioning="Enabled")
    version = probe.multipart(bucket, "key", [b"x"])["VersionId"]
    equal(probe.body(bucket, "key", VersionId=version), b"x", "body")


@case("AbortMultipartUpload")
def forgets_the_upload(probe: Probe) -> None:
    """204; then the upload is unknown to every operation. An object of that key is not touched."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"kept")
    upload = _begin(probe, bucket)
    probe.part(bucket, "key", upload, 1, b"x")
    query = [("uploadId", upload)]
    probe.send("DELETE", bucket, "key", query=query).succeeded(204)
    probe.send("GET", bucket, "key", query=query).refused(404, "NoSuchUpload")
    probe.send("PUT", bucket, "key", query=[("partNumber", "1"), *query], body=b"x").refused(404, "NoSuchUpload")
    probe.send("DELETE", bucket, "key", query=[("uploadId", "made-up")]).refused(404, "NoSuchUpload")
    equal(probe.body(bucket, "key"), b"kept", "body")


@case("UploadPartCopy")
def whole_objects_and_ranges(probe: Probe) -> None:
    """A part is copied from an object or a range of it; the answer is a CopyPartResult with the part's ETag."""
    bucket = probe.bucket()
    source = hashlib.sha256(b"seed").digest() * (_FIVE // 32) + b"tail"
    probe.put(bucket, "from +", source)
    upload = _begin(probe, bucket)
    whole = _copied_part(probe, bucket, upload, 1, f"{bucket}/from%20%2B").succeeded()
    equal((whole.xml.tag, whole.text("ETag")), ("CopyPartResult", etag(source)), "answer")
    headers = {"x-amz-copy-source-range": f"bytes=5-{_FIVE + 1}"}
    ranged = _copied_part(probe, bucket, upload, 2, f"/{bucket}/from%20%2B", headers).succeeded()
    cut = source[5 : _FIVE + 2]
    equal(ranged.text("ETag"), etag(cut), "ETag of the range")
    body = _document([(1, whole.text("ETag") or ""), (2, ranged.text("ETag") or "")])
    done = _complete(probe, bucket, upload, body).succeeded()
    check(probe.body(bucket, "key") == source + cut, "the bytes differ")
    equal(done.text("ETag"), etag_of_parts([source, cut]), "ETag of the whole")


@case("UploadPartCopy")
def ranges_that_cannot_be(probe: Probe) -> None:
    """The range needs both ends and must lie within the source: else 400 InvalidArgument (InvalidRequest,
    416 InvalidRange)."""
    bucket = probe.bucket()
    probe.put(bucket, "from", b"0123456789")
    upload = _begin(probe, bucket)
    for asked in ("bytes=0-", "bytes=-5", "0-5", "bytes=5-4", "bytes=0-10", "bytes=20-30", "rubbish"):
        answer = _copied_part(probe, bucket, upload, 1, f"{bucket}/from", {"x-amz-copy-source-range": asked})
        answer.refused_any((400, "InvalidArgument"), (400, "InvalidRequest"), (416, "InvalidRange"))
    check("Parts" not in probe.s3.list_parts(Bucket=bucket, Key="key", UploadId=upload), "a part was made")


@case("UploadPartCopy")
def conditions_and_versions(probe: Probe) -> None:
    """Conditions on the source hold as for CopyObject; `?versionId=` picks a version."""
    bucket = probe.bucket(versioning="Enabled")
    old = probe.put(bucket, "from", b"old")["VersionId"]
    probe.put(bucket, "from", b"newer")
    upload = _begin(probe, bucket)
    source = f"{bucket}/from?versionId={old}"
    answer = _copied_part(probe, bucket, upload, 1, source).succeeded()
    equal(answer.text("ETag"), etag(b"old"), "ETag")
    equal(answer.header("x-amz-copy-source-version-id"), old, "x-amz-copy-source-version-id")
    wrong = {"x-amz-copy-source-if-match": etag(b"other")}
    _copied_part(probe, bucket, upload, 1, source, wrong).refused(412, "PreconditionFailed")
    right = {"x-amz-copy-source-if-match": etag(b"newer")}
    _copied_part(probe, bucket, upload, 1, f"{bucket}/from", right).succeeded()


@case("UploadPartCopy")
def missing_sources(probe: Probe) -> None:
    """404 NoSuchKey, NoSuchBucket, NoSuchUpload; 400 InvalidArgument for what is no source."""
    bucket = probe.bucket()
    probe.put(bucket, "from", b"x")
    upload = _begin(probe, bucket)
    _copied_part(probe, bucket, upload, 1, f"{bucket}/none").refused(404, "NoSuchKey")
    _copied_part(probe, bucket, upload, 1, f"{probe.name()}/none").refused(404, "NoSuchBucket")
    _copied_part(probe, bucket, "made-up", 1, f"{bucket}/from").refused(404, "NoSuchUpload")
    _copied_part(probe, bucket, upload, 1, "rubbish").refused(400, "InvalidArgument")


@case("UploadPartCopy")
def of_a_multipart_object(probe: Probe) -> None:
    """Ranges across the parts of the source are the bytes of the whole."""
    bucket = probe.bucket()
    parts = [b"a" * _FIVE, b"b" * _FIVE, b"c" * 100]
    probe.multipart(bucket, "from", parts)
    whole = b"".join(parts)
    upload = _begin(probe, bucket)
    first, last = _FIVE - 10, 2 * _FIVE + 9
    answer = _copied_part(
        probe, bucket, upload, 1, f"{bucket}/from", {"x-amz-copy-source-range": f"bytes={first}-{last}"}
    ).succeeded()
    equal(answer.text("ETag"), etag(whole[first : last + 1]), "ETag of the part")
    _complete(probe, bucket, upload, _document([(1, answer.text("ETag") or "")])).succeeded()
    check(probe.body(bucket, "key") == whole[first : last + 1], "the bytes differ")
