"""Signature Version 4 in the Authorization header: what is accepted, and the code of each refusal."""

from __future__ import annotations

from datetime import timedelta

from conformance.case import API, GUIDE, case
from conformance.probe import Probe
from conformance.sigv4 import EMPTY_SHA256, utcnow
from conformance.target import Keys
from conformance.verdict import check, equal
from conformance.wire import xml_is_error

_HEADER = API + "sig-v4-header-based-auth.html"
_ERRORS = API + "ErrorResponses.html"


def _bucket_with_key(probe: Probe) -> str:
    bucket = probe.bucket()
    probe.put(bucket, "key", b"secret")
    return bucket


@case("Authentication", _ERRORS)
def wrong_secret(probe: Probe) -> None:
    """A wrong secret: 403 SignatureDoesNotMatch, with what was to be signed."""
    bucket = _bucket_with_key(probe)
    keys = Keys(probe.target.keys.access_key, "x" * 40)
    answer = probe.send("GET", bucket, "key", signer=probe.signer(keys)).refused(403, "SignatureDoesNotMatch")
    xml_is_error(answer)
    check(probe.target.keys.secret_key.encode() not in answer.body, "the secret is in the answer")
    check(b"x" * 40 not in answer.body, "a secret is in the answer")


@case("Authentication", _ERRORS)
def unknown_key(probe: Probe) -> None:
    """An access key nobody has: 403 InvalidAccessKeyId; also one of absurd length or with odd characters."""
    bucket = _bucket_with_key(probe)
    for access_key in ("AKIANOSUCHKEY0000000", "x", "k" * 500, "with space", "ключ"):
        answer = probe.send("GET", bucket, "key", signer=probe.signer(Keys(access_key, "y" * 40)))
        check(answer.status in (400, 403) and answer.code, f"{access_key[:30]}: {answer.status} {answer.code}")
        if access_key.startswith("AKIA"):
            answer.refused(403, "InvalidAccessKeyId")


@case("Authentication", _ERRORS)
def skewed_clock(probe: Probe) -> None:
    """A time more than 15 minutes off in either direction: 403 RequestTimeTooSkewed; less is fine."""
    bucket = _bucket_with_key(probe)
    for minutes, fine in ((-14, True), (14, True), (-16, False), (16, False), (-60 * 24 * 400, False)):
        signer = probe.signer(when=utcnow() + timedelta(minutes=minutes))
        answer = probe.send("GET", bucket, "key", signer=signer)
        if fine:
            answer.succeeded()
        else:
            answer.refused(403, "RequestTimeTooSkewed")


@case("Authentication", _ERRORS)
def wrong_scope(probe: Probe) -> None:
    """Another region, service, date or terminator in the scope: 400 AuthorizationHeaderMalformed; for a region the
    right one is named."""
    bucket = _bucket_with_key(probe)
    answer = probe.send("GET", bucket, "key", signer=probe.signer(region="moon-south-9"))
    answer.refused(400, "AuthorizationHeaderMalformed")
    equal(answer.text("Region"), probe.target.region, "Region")
    for signer in (probe.signer(service="ec2"), probe.signer(scope_date="20200101")):
        answer = probe.send("GET", bucket, "key", signer=signer)
        answer.refused_any((400, "AuthorizationHeaderMalformed"), (403, "SignatureDoesNotMatch"))


@case("Authentication", _HEADER)
def malformed_headers(probe: Probe) -> None:
    """An Authorization header that is none: a 4xx with a code, never a 500, and never access."""
    bucket = _bucket_with_key(probe)
    credential = f"Credential={probe.target.keys.access_key}/{probe.signer().scope}"
    signed = "SignedHeaders=host;x-amz-content-sha256;x-amz-date"
    for value in (
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 rubbish",
        f"AWS4-HMAC-SHA256 {credential}",
        f"AWS4-HMAC-SHA256 {credential}, {signed}, Signature=",
        f"AWS4-HMAC-SHA256 {credential}, {signed}, Signature={'0' * 63}",
        f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=, Signature={'0' * 64}",
        f"AWS4-HMAC-SHA256 Credential=a/b, {signed}, Signature={'0' * 64}",
        f"AWS4-HMAC-SHA256 {credential}, {credential}, {signed}, Signature={'0' * 64}",
        f"AWS {probe.target.keys.access_key}:c2lnbmF0dXJl",
        "Bearer token",
        "Basic dXNlcjpwYXNz",
        "AWS4-HMAC-SHA256 " + "x" * 6000,
    ):
        headers = [
            ("Host", probe.target.authority),
            ("x-amz-date", probe.signer().amz_date),
            ("x-amz-content-sha256", EMPTY_SHA256),
            ("Authorization", value),
        ]
        answer = probe.exchange("GET", probe.path(bucket, "key"), [], headers)
        check(answer.status in (400, 403) and answer.code, f"{value[:60]!r}: {answer.status} {answer.code}")


@case("Authentication", _HEADER)
def anonymous(probe: Probe) -> None:
    """Without any signature: 403 AccessDenied, for reading, writing, listing, whether it exists or not."""
    bucket = _bucket_with_key(probe)
    for method, key in (("GET", "key"), ("GET", "missing"), ("PUT", "new"), ("DELETE", "key"), ("GET", "")):
        headers = [("Host", probe.target.authority)]
        if method == "PUT":
            headers.append(("Content-Length", "1"))
        answer = probe.exchange(method, probe.path(bucket, key), [], headers, b"x" if method == "PUT" else b"")
        answer.refused(403, "AccessDenied")
    equal(probe.keys(bucket), ["key"], "keys")


@case("Authentication", _HEADER)
def missing_date(probe: Probe) -> None:
    """Neither x-amz-date nor Date: 403 AccessDenied (400 is seen too); one that is none likewise."""
    bucket = _bucket_with_key(probe)
    answer = probe.send("GET", bucket, "key", drop=["x-amz-date"])
    check(answer.status in (400, 403) and answer.code, f"without a date: {answer.status} {answer.code}")
    for value in ("yesterday", "20200101", "20261332T000000Z", ""):
        answer = probe.send("GET", bucket, "key", headers={"x-amz-date": value})
        check(answer.status in (400, 403) and answer.code, f"{value!r}: {answer.status} {answer.code}")


@case("Authentication", _HEADER)
def missing_payload_hash(probe: Probe) -> None:
    """Without x-amz-content-sha256: 400 InvalidRequest (or the signature that does not match)."""
    bucket = _bucket_with_key(probe)
    path, signer = probe.path(bucket, "key"), probe.signer()
    headers = [("Host", probe.target.authority), ("x-amz-date", signer.amz_date)]
    authorization = signer.authorization("GET", path, [], headers, EMPTY_SHA256)
    answer = probe.exchange("GET", path, [], [*headers, ("Authorization", authorization)])
    answer.refused_any((400, "InvalidRequest"), (403, "SignatureDoesNotMatch"), (403, "AccessDenied"))


@case("Authentication", GUIDE + "RESTAuthentication.html")
def unsigned_amz_headers(probe: Probe) -> None:
    """An x-amz-* header that is sent but not signed: 403 AccessDenied, for it could have been added on the way."""
    bucket = _bucket_with_key(probe)
    for headers in (
        {"x-amz-meta-added": "1"},
        {"x-amz-copy-source": f"{bucket}/key"},
        {"x-amz-tagging": "a=1"},
        {"x-amz-acl": "private"},
    ):
        answer = probe.send("PUT", bucket, "new", headers=headers, body=b"x", unsigned=list(headers))
        answer.refused_any((403, "AccessDenied"), (403, "SignatureDoesNotMatch"))
    equal(probe.keys(bucket), ["key"], "keys")


@case("Authentication", _HEADER)
def host_must_be_signed(probe: Probe) -> None:
    """A signature that leaves out Host is refused with a 4xx."""
    bucket = _bucket_with_key(probe)
    answer = probe.send("GET", bucket, "key", unsigned=["host"])
    check(answer.status in (400, 403) and answer.code, f"{answer.status} {answer.code}")


@case("Authentication", _HEADER)
def signed_header_that_is_missing(probe: Probe) -> None:
    """A header that is signed but not sent, or sent with another value: 403."""
    bucket = _bucket_with_key(probe)
    answer = probe.send("GET", bucket, "key", headers={"x-amz-checksum-mode": "ENABLED"}, drop=["x-amz-checksum-mode"])
    answer.refused_any((403, "SignatureDoesNotMatch"), (403, "AccessDenied"))
    changed = probe.send(
        "GET",
        bucket,
        "key",
        headers={"Range": "bytes=0-1"},
        edit=lambda headers: [(n, "bytes=0-5" if n == "Range" else v) for n, v in headers],
    )
    changed.refused(403, "SignatureDoesNotMatch")


@case("Authentication", _HEADER)
def canonical_forms(probe: Probe) -> None:
    """Names in any case, values with white space, headers given twice, queries in any order are signed as AWS says."""
    bucket = _bucket_with_key(probe)
    probe.send("PUT", bucket, "a", headers={"X-AMZ-Meta-Spaces": "  a   b  "}, body=b"x").succeeded()
    query = [("response-content-type", "text/x"), ("response-cache-control", "max-age=1"), ("Zero", ""), ("a", "b c+d")]
    for order in (query, query[::-1]):
        answer = probe.send("GET", bucket, "key", query=order).succeeded()
        equal(answer.header("Content-Type"), "text/x", "Content-Type")
    path, signer = probe.path(bucket, "key"), probe.signer()
    headers = probe.signed_headers("GET", path, [("list", "")], signer=signer)
    probe_without_equals = [("Host", probe.target.authority), *headers[1:], ("Connection", "close")]
    with probe.open() as connection:
        connection.head("GET", f"{path}?list", probe_without_equals)
        connection.answer().succeeded()


@case("Authentication", _HEADER)
def other_request_than_signed(probe: Probe) -> None:
    """A signature is for one method, path and query: any other is 403 SignatureDoesNotMatch."""
    bucket = _bucket_with_key(probe)
    probe.put(bucket, "other", b"other")
    path = probe.path(bucket, "key")
    headers = probe.signed_headers("GET", path)
    probe.exchange("DELETE", path, [], headers).refused(403, "SignatureDoesNotMatch")
    probe.exchange("GET", probe.path(bucket, "other"), [], headers).refused(403, "SignatureDoesNotMatch")
    probe.exchange("GET", path, [("versionId", "null")], headers).refused(403, "SignatureDoesNotMatch")
    equal(probe.keys(bucket), ["key", "other"], "keys")


@case("Authentication", _ERRORS)
def two_ways_at_once(probe: Probe) -> None:
    """A signature in the header and in the query: 400 InvalidArgument."""
    bucket = _bucket_with_key(probe)
    path = probe.path(bucket, "key")
    query = probe.signer().presigned_query("GET", path, [], [("Host", probe.target.authority)], 60)
    headers = probe.signed_headers("GET", path, query)
    answer = probe.exchange("GET", path, query, headers)
    answer.refused_any((400, "InvalidArgument"), (400, "InvalidRequest"))


@case("Authentication", _ERRORS)
def token_that_is_none(probe: Probe) -> None:
    """A security token that nobody issued is refused (400 InvalidToken), not ignored."""
    bucket = _bucket_with_key(probe)
    answer = probe.send("GET", bucket, "key", headers={"x-amz-security-token": "made-up"})
    check(answer.status in (400, 403) and answer.code, f"{answer.status} {answer.code}")


@case("Authentication", _ERRORS)
def refused_before_it_is_looked_up(probe: Probe) -> None:
    """A wrong signature learns nothing about what exists: the same answer for all buckets and keys."""
    bucket, missing = _bucket_with_key(probe), probe.name()
    signer = probe.signer(Keys(probe.target.keys.access_key, "x" * 40))
    for name, key in ((bucket, "key"), (bucket, "missing"), (missing, "key"), (missing, "")):
        probe.send("GET", name, key, signer=signer).refused(403, "SignatureDoesNotMatch")


@case("Authentication", _HEADER)
def big_refused_uploads_see_the_error(probe: Probe) -> None:
    """A client that sends 8 MiB without waiting still reads the error of its refused upload."""
    signer = probe.signer(Keys(probe.target.keys.access_key, "x" * 40))
    bucket = probe.bucket()
    body = bytes(8 * 1024 * 1024)
    probe.send("PUT", bucket, "key", body=body, signer=signer).refused(403, "SignatureDoesNotMatch")
