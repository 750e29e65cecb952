"""What is neither here nor there: methods, request lines and operations that an endpoint does not have."""

from __future__ import annotations

from conformance.case import API, GUIDE, case
from conformance.probe import Probe
from conformance.verdict import check, equal, one_of
from conformance.wire import xml_is_error

_ERRORS = API + "ErrorResponses.html"

# (sub-resource, AWS's own code for "nothing is set"); read with GET.
_READS = (
    ("accelerate", ""),
    ("cors", "NoSuchCORSConfiguration"),
    ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
    ("lifecycle", "NoSuchLifecycleConfiguration"),
    ("logging", ""),
    ("notification", ""),
    ("object-lock", "ObjectLockConfigurationNotFoundError"),
    ("ownershipControls", "OwnershipControlsNotFoundError"),
    ("policy", "NoSuchBucketPolicy"),
    ("policyStatus", "NoSuchBucketPolicy"),
    ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ("replication", "ReplicationConfigurationNotFoundError"),
    ("requestPayment", ""),
    ("tagging", "NoSuchTagSet"),
    ("website", "NoSuchWebsiteConfiguration"),
    ("analytics", ""),
    ("inventory", ""),
    ("metrics", ""),
    ("intelligent-tiering", ""),
)

_WRITES = {
    "cors": "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>"
    "</CORSRule></CORSConfiguration>",
    "lifecycle": "<LifecycleConfiguration><Rule><ID>x</ID><Status>Enabled</Status><Filter><Prefix>x</Prefix></Filter>"
    "<Expiration><Days>3650</Days></Expiration></Rule></LifecycleConfiguration>",
    "website": "<WebsiteConfiguration><IndexDocument><Suffix>i.html</Suffix></IndexDocument></WebsiteConfiguration>",
    "logging": "<BucketLoggingStatus/>",
    "replication": "<ReplicationConfiguration/>",
    "requestPayment": "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
    "publicAccessBlock": "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>"
    "</PublicAccessBlockConfiguration>",
    "policy": '{"Version":"2012-10-17","Statement":[]}',
    "encryption": "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
    "<SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>"
    "</ServerSideEncryptionConfiguration>",
    "object-lock": "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>",
    "tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>",
}


@case("NotImplemented", _ERRORS)
def bucket_settings_that_are_read(probe: Probe) -> None:
    """A sub-resource of buckets is answered, is AWS's "nothing is set", or is 501 NotImplemented; never a listing."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    for name, code in _READS:
        answer = probe.send("GET", bucket, query=[(name, "")])
        if answer.status == 200:
            check(b"ListBucketResult" not in answer.body, f"?{name} was answered with a listing")
        else:
            one_of((answer.status, answer.code), ((501, "NotImplemented"), (404, code)), f"answer to ?{name}")


@case("NotImplemented", _ERRORS)
def bucket_settings_that_are_written(probe: Probe) -> None:
    """A setting is kept (and can be read back) or refused with a code; it never makes an object or a bucket."""
    bucket = probe.bucket()
    for name, document in _WRITES.items():
        answer = probe.send("PUT", bucket, query=[(name, "")], body=document.encode())
        if answer.status in (200, 204):
            equal(probe.send("GET", bucket, query=[(name, "")]).status, 200, f"status of reading ?{name} back")
        else:
            check(answer.code and (400 <= answer.status < 500 or answer.status == 501), f"?{name}: {answer.status}")
        check(not (answer.code or "").startswith("BucketAlready"), f"?{name} was taken for CreateBucket")
    equal(probe.keys(bucket), [], "keys")


@case("NotImplemented", _ERRORS)
def bucket_settings_that_are_deleted(probe: Probe) -> None:
    """Deleting a setting never deletes the bucket."""
    bucket = probe.bucket()
    for name in ("cors", "lifecycle", "policy", "tagging", "website", "encryption", "publicAccessBlock", "replication"):
        answer = probe.send("DELETE", bucket, query=[(name, "")])
        check(answer.status in (200, 204, 404, 501), f"?{name}: {answer.status} {answer.code}")
        probe.send("HEAD", bucket).succeeded()


@case("NotImplemented", _ERRORS)
def object_sub_resources(probe: Probe) -> None:
    """Sub-resources of objects are answered or refused, never taken for the object itself."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"the body")
    for name in ("torrent", "legal-hold", "retention"):
        answer = probe.send("GET", bucket, "key", query=[(name, "")])
        check(answer.body != b"the body", f"GET ?{name} gave the object")
        check(answer.code and answer.status in (400, 404, 405, 501), f"GET ?{name}: {answer.status} {answer.code}")
    for name in ("legal-hold", "retention"):
        answer = probe.send("PUT", bucket, "key", query=[(name, "")], body=b"<LegalHold/>")
        check(answer.code and answer.status in (400, 404, 405, 501), f"PUT ?{name}: {answer.status} {answer.code}")
    for query in ([("restore", "")], [("select", ""), ("select-type", "2")]):
        answer = probe.send("POST", bucket, "key", query=query, body=b"<x/>")
        check(answer.code and 400 <= answer.status <= 501, f"POST {query}: {answer.status} {answer.code}")
    equal(probe.body(bucket, "key"), b"the body", "body afterwards")


@case("NotImplemented", _ERRORS)
def object_deletes_with_sub_resources(probe: Probe) -> None:
    """DELETE with a sub-resource that is not tagging never deletes the object."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"the body")
    for name in ("acl", "retention", "legal-hold", "torrent"):
        answer = probe.send("DELETE", bucket, "key", query=[(name, "")])
        check(answer.code and 400 <= answer.status <= 501, f"?{name}: {answer.status} {answer.code}")
        equal(probe.body(bucket, "key"), b"the body", f"body after DELETE ?{name}")


@case("NotImplemented", _ERRORS)
def methods_that_are_none(probe: Probe) -> None:
    """A method that no operation has: 405 MethodNotAllowed (a 4xx or 501 with a code)."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    for method in ("PATCH", "TRACE", "PROPFIND", "BREW"):
        answer = probe.send(method, bucket, "key")
        check(400 <= answer.status <= 501, f"{method}: {answer.status}")
    probe.send("POST", bucket, "key").refused_any((405, "MethodNotAllowed"), (501, "NotImplemented"))
    equal(probe.body(bucket, "key"), b"x", "body")


@case("ErrorResponses", _ERRORS)
def shape_of_errors(probe: Probe) -> None:
    """An error is application/xml with Code, Message, RequestId; the id is in x-amz-request-id and differs each time."""
    missing = probe.name()
    answers = [probe.send("GET", missing, "key").refused(404, "NoSuchBucket") for _ in range(2)]
    for answer in answers:
        xml_is_error(answer)
        equal(answer.header("Content-Type"), "application/xml", "Content-Type")
    check(answers[0].header("x-amz-request-id") != answers[1].header("x-amz-request-id"), "request ids repeat")


@case("ErrorResponses", _ERRORS)
def the_line_stays_usable(probe: Probe) -> None:
    """An error of a request without a body does not end the connection, and the next request is answered rightly."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    good, missing = probe.path(bucket, "key"), probe.path(bucket, "missing")
    with probe.open() as connection:
        for path, status in ((missing, 404), (good, 200), (missing, 404), (good, 200)):
            connection.head("GET", path, probe.signed_headers("GET", path))
            equal(connection.answer().status, status, f"status of {path}")


@case("ErrorResponses", _ERRORS)
def request_ids_everywhere(probe: Probe) -> None:
    """Every answer has an x-amz-request-id, also 204, 206, 304 and 404."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"hello")
    tag = probe.send("HEAD", bucket, "key").header("ETag") or ""
    for answer in (
        probe.send("GET", bucket, "key", headers={"Range": "bytes=0-1"}).succeeded(206),
        probe.send("GET", bucket, "key", headers={"If-None-Match": tag}).succeeded(304),
        probe.send("GET", bucket, "missing").succeeded(404),
        probe.send("DELETE", bucket, "key").succeeded(204),
        probe.send("GET").succeeded(),
    ):
        check(answer.header("x-amz-request-id"), f"a {answer.status} without x-amz-request-id")


@case("ErrorResponses", _ERRORS)
def absurd_requests(probe: Probe) -> None:
    """Request lines and headers that no client writes are a 4xx (or a closed line), never a 500; the server lives."""
    host = f"Host: {probe.target.authority}\r\n".encode()
    for head in (
        b"GET /%zz HTTP/1.1\r\n" + host + b"\r\n",
        b"GET /%00 HTTP/1.1\r\n" + host + b"\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"Authorization: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n" + host + b"\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"".join(b"x-h%d: 1\r\n" % number for number in range(5000)) + b"\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"\x00bad: 1\r\n\r\n",
        b"GET http://elsewhere.example/bucket HTTP/1.1\r\n" + host + b"\r\n",
        b"PUT /b/k HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"rubbish\r\n\r\n",
    ):
        with probe.open(timeout=20) as connection:
            connection.body(head)
            connection.end_writing()
            try:
                first = connection.interim()
            except OSError:
                first = b""
        status = int(first.split(b" ", 2)[1]) if first.startswith(b"HTTP/1.") else 400
        check(300 <= status < 500 or status == 501, f"{head[:40]!r}: {first[:60]!r}")
    probe.s3.list_buckets()


@case("PostObject", GUIDE + "RESTObjectPOST.html")
def a_form_without_policy(probe: Probe) -> None:
    """A form upload without credentials is refused."""
    bucket = probe.bucket()
    body = (
        b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nkey\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nbody\r\n--b--\r\n'
    )
    headers = [
        ("Host", probe.target.authority),
        ("Content-Type", "multipart/form-data; boundary=b"),
        ("Content-Length", str(len(body))),
    ]
    answer = probe.exchange("POST", f"/{bucket}", [], headers, body)
    check(answer.status in (400, 403, 405, 501) and answer.code, f"{answer.status} {answer.code}")
    equal(probe.keys(bucket), [], "keys")


@case("Requests", GUIDE + "bucket-owner-condition.html")
def expected_bucket_owner(probe: Probe) -> None:
    """`x-amz-expected-bucket-owner` that is another account: 403 AccessDenied (501 where not built), never ignored."""
    bucket = probe.bucket()
    probe.put(bucket, "key", b"x")
    headers = {"x-amz-expected-bucket-owner": "000000000000"}
    for method, key, body in (("GET", "key", b""), ("PUT", "new", b"x"), ("DELETE", "key", b""), ("GET", "", b"")):
        answer = probe.send(method, bucket, key, headers=headers, body=body)
        answer.refused_any((403, "AccessDenied"), (501, "NotImplemented"), (400, "InvalidBucketOwnerAWSAccountID"))
    equal(probe.keys(bucket), ["key"], "keys")


@case("Requests", API + "Welcome.html")
def unknown_query_parameters(probe: Probe) -> None:
    """Parameters that no operation knows are signed and otherwise ignored; SDKs add `x-id` to every request."""
    bucket = probe.bucket()
    probe.send("PUT", bucket, "key", query=[("x-id", "PutObject")], body=b"x").succeeded()
    equal(probe.send("GET", bucket, "key", query=[("x-id", "GetObject")]).succeeded().body, b"x", "body")
    equal(probe.presigned("GET", bucket, "key", query=[("x-id", "GetObject")]).succeeded().body, b"x", "body by link")
    query = [("list-type", "2"), ("x-id", "ListObjectsV2")]
    equal(probe.send("GET", bucket, query=query).succeeded().texts("Contents/Key"), ["key"], "keys")
    probe.send("DELETE", bucket, "key", query=[("x-id", "DeleteObject")]).succeeded(204)


@case("Requests", API + "Welcome.html")
def harmless_headers_of_sdks(probe: Probe) -> None:
    """What SDKs add to describe themselves changes nothing."""
    bucket = probe.bucket()
    headers = {
        "amz-sdk-invocation-id": "d57a1a8e-3a2b-4bb5-9a4d-2c0f0a5a0001",
        "amz-sdk-request": "attempt=1; max=3",
        "x-amz-user-agent": "aws-sdk-js/3.900.0",
        "x-amz-request-payer": "requester",
        "User-Agent": "aws-sdk-js/3.900.0 ua/2.1",
        "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678",
    }
    probe.send("PUT", bucket, "key", headers=headers, body=b"x").succeeded()
    equal(probe.send("GET", bucket, "key", headers=headers).succeeded().body, b"x", "body")


@case("Requests", API + "Welcome.html")
def many_requests_on_one_line(probe: Probe) -> None:
    """Uploads, downloads and errors follow each other on one connection."""
    bucket = probe.bucket()
    with probe.open() as connection:
        for number in range(20):
            body = b"%d" % number * 5000
            path = probe.path(bucket, f"key-{number % 3}")
            headers = probe.signed_headers("PUT", path, payload="UNSIGNED-PAYLOAD")
            connection.head("PUT", path, [*headers, ("Content-Length", str(len(body)))])
            connection.body(body)
            connection.answer().succeeded()
            connection.head("GET", path, probe.signed_headers("GET", path))
            check(connection.answer().succeeded().body == body, "the bytes differ")
            missing = probe.path(bucket, "missing")
            connection.head("GET", missing, probe.signed_headers("GET", missing))
            connection.answer().refused(404, "NoSuchKey")


@case("Requests", API + "Welcome.html")
def head_and_body_in_one_write(probe: Probe) -> None:
    """Where a request ends its head and how its bytes are cut on the line has no meaning: a body that comes together
    with its head is a body, of any size."""
    bucket = probe.bucket()
    path = probe.path(bucket, "key")
    for size in (1, 20_000, 300_000, 2_000_000):
        body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        headers = [*probe.signed_headers("PUT", path, payload="UNSIGNED-PAYLOAD"), ("Content-Length", str(len(body)))]
        lines = [f"PUT {path} HTTP/1.1", *(f"{name}: {text}" for name, text in headers), "", ""]
        with probe.open(timeout=20) as connection:
            connection.body([("\r\n".join(lines)).encode() + body])
            connection.answer().succeeded()
        check(probe.body(bucket, "key") == body, f"the bytes differ ({size})")
