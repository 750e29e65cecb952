"""GetObject and HeadObject: answers, ranges, conditions, parts, overrides."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

from conformance.case import API, case
from conformance.probe import Headers, Probe, etag
from conformance.sigv4 import utcnow
from conformance.verdict import check, equal
from conformance.wire import xml_is_error

_HEAD = API + "API_HeadObject.html"
_BODY = bytes(range(100))


def _http_date(hours: float) -> str:
    return format_datetime(utcnow() + timedelta(hours=hours), usegmt=True)


@case("GetObject")
def headers_of_an_object(probe: Probe) -> None:
    """ETag, Last-Modified, Content-Length, Content-Type and Accept-Ranges, on HEAD as on GET."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY, ContentType="text/plain")
    got, head = probe.send("GET", bucket, "key").succeeded(), probe.send("HEAD", bucket, "key").succeeded()
    equal((got.body, head.body), (_BODY, b""), "bodies")
    for answer in (got, head):
        equal(answer.header("ETag"), etag(_BODY), "ETag")
        equal(answer.header("Content-Length"), "100", "Content-Length")
        equal(answer.header("Content-Type"), "text/plain", "Content-Type")
        equal(answer.header("Accept-Ranges"), "bytes", "Accept-Ranges")
        check((answer.header("Last-Modified") or "").endswith("GMT"), "Last-Modified is no HTTP date")
        check(answer.header("x-amz-request-id"), "no x-amz-request-id")


@case("GetObject")
def missing_key(probe: Probe) -> None:
    """404 NoSuchKey, an error document that names the key; HEAD the same without a body."""
    bucket = probe.bucket()
    answer = probe.send("GET", bucket, "no/such <key>").refused(404, "NoSuchKey")
    xml_is_error(answer)
    equal(answer.text("Key"), "no/such <key>", "Key")
    equal(probe.send("HEAD", bucket, "no/such <key>").succeeded(404).body, b"", "body of HEAD")


@case("GetObject")
def from_a_missing_bucket(probe: Probe) -> None:
    """404 NoSuchBucket, the bucket named."""
    name = probe.name()
    answer = probe.send("GET", name, "key").refused(404, "NoSuchBucket")
    xml_is_error(answer)
    equal(answer.text("BucketName"), name, "BucketName")


@case("GetObject")
def of_another_account_is_denied(probe: Probe) -> None:
    """403 AccessDenied, whether the key exists or not."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"secret")
    for key in ("key", "missing"):
        with probe.refused("AccessDenied", 403):
            probe.other.get_object(Bucket=bucket, Key=key)
        with probe.refused("403", 403):
            probe.other.head_object(Bucket=bucket, Key=key)


@case("GetObject")
def ranges(probe: Probe) -> None:
    """A single range is answered 206 with Content-Range: first-last, open, suffix, clamped to the end."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY)
    for asked, first, last in (
        ("bytes=0-0", 0, 0),
        ("bytes=0-9", 0, 9),
        ("bytes=10-19", 10, 19),
        ("bytes=90-", 90, 99),
        ("bytes=-10", 90, 99),
        ("bytes=-1000", 0, 99),
        ("bytes=50-1000", 50, 99),
        ("bytes=99-99", 99, 99),
        ("bytes=0-", 0, 99),
    ):
        for method in ("GET", "HEAD"):
            answer = probe.send(method, bucket, "key", headers={"Range": asked})
            equal(answer.status, 206, f"status of {method} {asked}")
            equal(answer.header("Content-Range"), f"bytes {first}-{last}/100", f"Content-Range of {asked}")
            equal(answer.header("Content-Length"), str(last - first + 1), f"Content-Length of {asked}")
            equal(answer.header("ETag"), etag(_BODY), f"ETag of {asked}")
            if method == "GET":
                equal(answer.body, _BODY[first : last + 1], f"body of {asked}")


@case("GetObject")
def ranges_that_cannot_be(probe: Probe) -> None:
    """A range behind the end, and an empty suffix: 416 InvalidRange with the size; of an empty object too."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY)
    probe.put(bucket, "empty", b"")
    for key, asked in (("key", "bytes=100-"), ("key", "bytes=200-300"), ("key", "bytes=-0"), ("empty", "bytes=0-0")):
        answer = probe.send("GET", bucket, key, headers={"Range": asked})
        check((answer.status, answer.code) == (416, "InvalidRange"), f"{key} {asked}: {answer.status} {answer.code}")
        equal(probe.send("HEAD", bucket, key, headers={"Range": asked}).status, 416, f"status of HEAD {asked}")
    answer = probe.send("GET", bucket, "key", headers={"Range": "bytes=100-"})
    equal(answer.text("ActualObjectSize"), "100", "ActualObjectSize")
    equal(answer.text("RangeRequested"), "bytes=100-", "RangeRequested")


@case("GetObject", "https://www.rfc-editor.org/rfc/rfc9110#section-14.2")
def ranges_that_are_none(probe: Probe) -> None:
    """What is no byte range is ignored: another unit, last before first, rubbish: 200 and everything."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY)
    for asked in ("bytes=9-5", "lines=0-9", "bytes=a-b", "bytes=", "0-9"):
        answer = probe.send("GET", bucket, "key", headers={"Range": asked})
        equal((answer.status, answer.body), (200, _BODY), f"answer to {asked}")


@case("GetObject")
def several_ranges(probe: Probe) -> None:
    """Several ranges are not supported: 200 and everything."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY)
    answer = probe.send("GET", bucket, "key", headers={"Range": "bytes=0-1,5-6"})
    equal((answer.status, answer.body), (200, _BODY), "answer")


@case("GetObject")
def if_range(probe: Probe) -> None:
    """If-Range with the object's ETag gives the range, with another everything (RFC 9110, section 13.1.5)."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY)
    answer = probe.send("GET", bucket, "key", headers={"Range": "bytes=0-9", "If-Range": etag(_BODY)})
    equal((answer.status, answer.body), (206, _BODY[:10]), "answer to the right ETag")
    answer = probe.send("GET", bucket, "key", headers={"Range": "bytes=0-9", "If-Range": etag(b"other")})
    equal((answer.status, answer.body), (200, _BODY), "answer to another ETag")


def _conditions(probe: Probe, bucket: str, cases: list[tuple[Headers, int]]) -> None:
    for headers, expected in cases:
        for method in ("GET", "HEAD"):
            answer = probe.send(method, bucket, "key", headers=headers)
            equal(answer.status, expected, f"status of {method} with {headers}")
            if expected == 304:
                equal(answer.body, b"", "body of a 304")
                equal(answer.header("ETag"), etag(_BODY), "ETag of a 304")
            elif expected == 412 and method == "GET":
                equal(answer.code, "PreconditionFailed", "code")


@case("GetObject")
def by_etag(probe: Probe) -> None:
    """If-Match: else 412; If-None-Match: 304 where it matches. `*` and lists are understood."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY)
    right, wrong = etag(_BODY), etag(b"other")
    _conditions(
        probe,
        bucket,
        [
            ({"If-Match": right}, 200),
            ({"If-Match": right.strip('"')}, 200),
            ({"If-Match": wrong}, 412),
            ({"If-Match": "*"}, 200),
            ({"If-Match": f"{wrong}, {right}"}, 200),
            ({"If-None-Match": right}, 304),
            ({"If-None-Match": wrong}, 200),
            ({"If-None-Match": "*"}, 304),
            ({"If-None-Match": f"{wrong}, {right}"}, 304),
        ],
    )


@case("GetObject")
def by_date(probe: Probe) -> None:
    """If-Modified-Since: 304 where it was not; If-Unmodified-Since: 412 where it was."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY)
    exact = probe.send("HEAD", bucket, "key").header("Last-Modified") or ""
    _conditions(
        probe,
        bucket,
        [
            ({"If-Modified-Since": _http_date(-24)}, 200),
            ({"If-Modified-Since": exact}, 304),
            ({"If-Unmodified-Since": exact}, 200),
            ({"If-Unmodified-Since": _http_date(-24)}, 412),
            ({"If-Modified-Since": "yesterday"}, 200),
            ({"If-Unmodified-Since": "yesterday"}, 200),
        ],
    )


@case("GetObject")
def etag_goes_before_date(probe: Probe) -> None:
    """If-Match that holds beats If-Unmodified-Since that does not; If-None-Match decides before If-Modified-Since."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY)
    right, wrong = etag(_BODY), etag(b"other")
    exact = probe.send("HEAD", bucket, "key").header("Last-Modified") or ""
    _conditions(
        probe,
        bucket,
        [
            ({"If-Match": right, "If-Unmodified-Since": _http_date(-24)}, 200),
            ({"If-None-Match": right, "If-Modified-Since": _http_date(-24)}, 304),
            ({"If-None-Match": wrong, "If-Modified-Since": exact}, 200),
            ({"If-Match": wrong, "If-None-Match": right}, 412),
        ],
    )


@case("GetObject")
def conditions_of_a_missing_key(probe: Probe) -> None:
    """A missing key is a 404 whatever the conditions."""
    bucket = probe.bucket()
    for headers in ({"If-Match": "*"}, {"If-None-Match": etag(b"x")}, {"If-Unmodified-Since": _http_date(-1)}):
        probe.send("GET", bucket, "key", headers=headers).refused(404, "NoSuchKey")


@case("GetObject")
def overridden_response_headers(probe: Probe) -> None:
    """`response-*` in the query replaces the six headers of the answer, on GET and HEAD."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x", ContentType="text/plain", CacheControl="no-cache")
    wishes = {
        "Content-Type": "application/x-other; charset=utf-8",
        "Content-Language": "fr",
        "Expires": "Thu, 01 Dec 2033 16:00:00 GMT",
        "Cache-Control": "max-age=1",
        "Content-Disposition": 'attachment; filename="b c.txt"',
        "Content-Encoding": "br",
    }
    query = [(f"response-{name.lower()}", value) for name, value in wishes.items()]
    for method in ("GET", "HEAD"):
        answer = probe.send(method, bucket, "key", query=query).succeeded()
        equal({name: answer.header(name) for name in wishes}, wishes, f"headers of {method}")
        answer = probe.presigned(method, bucket, "key", query=query).succeeded()
        equal({name: answer.header(name) for name in wishes}, wishes, f"headers of a presigned {method}")


@case("GetObject")
def override_with_a_line_break(probe: Probe) -> None:
    """A line break in `response-*` makes no second header."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    query = [("response-content-type", "text/plain\r\nSet-Cookie: a=b")]
    answer = probe.send("GET", bucket, "key", query=query)
    equal(answer.header("Set-Cookie"), None, "Set-Cookie")
    check(answer.status in (200, 400), f"status {answer.status}")


@case("GetObject")
def part_of_a_plain_object(probe: Probe) -> None:
    """partNumber=1 of an object uploaded in one piece is all of it, as 206; partNumber=2 is 416 InvalidPartNumber."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY)
    answer = probe.send("GET", bucket, "key", query=[("partNumber", "1")])
    equal((answer.status, answer.body), (206, _BODY), "answer")
    equal(answer.header("Content-Range"), "bytes 0-99/100", "Content-Range")
    equal(answer.header("x-amz-mp-parts-count"), None, "x-amz-mp-parts-count")
    probe.send("GET", bucket, "key", query=[("partNumber", "2")]).refused(416, "InvalidPartNumber")
    equal(probe.send("HEAD", bucket, "key", query=[("partNumber", "2")]).status, 416, "status of HEAD")


@case("GetObject")
def part_of_a_multipart_object(probe: Probe) -> None:
    """partNumber gives that part as 206, with the number of parts; beyond the last 416 InvalidPartNumber."""
    bucket = probe.bucket()
    parts = [b"a" * 5 * 1024 * 1024, b"b" * 5 * 1024 * 1024, b"c" * 10]
    probe.multipart(bucket, "key", parts)
    size, start = sum(map(len, parts)), 0
    for number, part in enumerate(parts, 1):
        answer = probe.send("GET", bucket, "key", query=[("partNumber", str(number))]).succeeded(206)
        check(answer.body == part, f"part {number} has other bytes")
        equal(answer.header("Content-Range"), f"bytes {start}-{start + len(part) - 1}/{size}", "Content-Range")
        equal(answer.header("x-amz-mp-parts-count"), "3", "x-amz-mp-parts-count")
        head = probe.send("HEAD", bucket, "key", query=[("partNumber", str(number))]).succeeded(206)
        equal(head.header("Content-Length"), str(len(part)), "Content-Length of HEAD")
        start += len(part)
    probe.send("GET", bucket, "key", query=[("partNumber", "4")]).refused(416, "InvalidPartNumber")


@case("GetObject")
def part_numbers_that_are_none(probe: Probe) -> None:
    """partNumber 0, over 10,000, no number: 400 InvalidArgument; with a Range 400 InvalidRequest."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY)
    for number in ("0", "-1", "10001", "x"):
        answer = probe.send("GET", bucket, "key", query=[("partNumber", number)])
        check((answer.status, answer.code) == (400, "InvalidArgument"), f"{number}: {answer.status} {answer.code}")
    answer = probe.send("GET", bucket, "key", query=[("partNumber", "1")], headers={"Range": "bytes=0-1"})
    answer.refused(400, "InvalidRequest")


@case("GetObject")
def a_large_body_in_ranges(probe: Probe) -> None:
    """Ranges across the parts of a multipart object give the bytes of the whole."""
    bucket = probe.bucket()
    parts = [bytes([number]) * (5 * 1024 * 1024 + number) for number in range(3)]
    whole = b"".join(parts)
    probe.multipart(bucket, "key", parts)
    edge = len(parts[0])
    for first, last in ((edge - 1, edge), (edge, edge), (0, len(whole) - 1), (edge - 3, len(whole) - 2)):
        answer = probe.send("GET", bucket, "key", headers={"Range": f"bytes={first}-{last}"}).succeeded(206)
        check(answer.body == whole[first : last + 1], f"bytes {first}-{last} differ")


@case("HeadObject", _HEAD)
def length_without_body(probe: Probe) -> None:
    """HEAD names the length of the body that GET would send, and sends none; the line stays usable."""
    bucket = probe.bucket()
    probe.put(bucket, "key", _BODY)
    path = probe.path(bucket, "key")
    with probe.open() as connection:
        for _ in range(3):
            connection.head("HEAD", path, probe.signed_headers("HEAD", path))
            answer = connection.answer().succeeded()
            equal(answer.header("Content-Length"), "100", "Content-Length")
        connection.head("GET", path, probe.signed_headers("GET", path))
        equal(connection.answer().succeeded().body, _BODY, "body of the GET behind them")
