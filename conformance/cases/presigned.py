"""Signature Version 4 in the query: presigned URLs."""

from __future__ import annotations

import hashlib
import urllib.request
from datetime import timedelta

from conformance.case import API, case
from conformance.probe import Probe
from conformance.sigv4 import utcnow
from conformance.target import Keys
from conformance.verdict import check, equal

_QUERY = API + "sigv4-query-string-auth.html"


def _bucket_with_key(probe: Probe) -> str:
    bucket = probe.bucket()
    probe.put(bucket, "key", b"linked")
    return bucket


@case("PresignedUrl", _QUERY)
def reads_writes_and_deletes(probe: Probe) -> None:
    """A presigned URL does what it was signed for, without any other credential."""
    bucket = _bucket_with_key(probe)
    equal(probe.presigned("GET", bucket, "key").succeeded().body, b"linked", "body")
    equal(probe.presigned("HEAD", bucket, "key").succeeded().body, b"", "body of HEAD")
    probe.presigned("PUT", bucket, "new + ü", body=b"put").succeeded()
    equal(probe.body(bucket, "new + ü"), b"put", "body put")
    probe.presigned("DELETE", bucket, "key").succeeded(204)
    probe.absent(bucket, "key")


@case("PresignedUrl", _QUERY)
def as_boto3_makes_them(probe: Probe) -> None:
    """The URL of an SDK works as it is."""
    bucket = _bucket_with_key(probe)
    client = probe.target.client(signature_version="s3v4")
    url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "key"}, ExpiresIn=60)
    context = probe.target.ssl_context() if probe.target.tls else None
    with urllib.request.urlopen(url, context=context) as response:
        equal(response.read(), b"linked", "body")


@case("PresignedUrl", _QUERY)
def expired(probe: Probe) -> None:
    """After X-Amz-Expires seconds: 403 AccessDenied; before its date too."""
    bucket = _bucket_with_key(probe)
    old = probe.signer(when=utcnow() - timedelta(seconds=100))
    probe.presigned("GET", bucket, "key", signer=old, expires=200).succeeded()
    answer = probe.presigned("GET", bucket, "key", signer=old, expires=50).refused(403, "AccessDenied")
    check("expired" in (answer.text("Message") or "").lower(), f"Message is {answer.text('Message')}")
    future = probe.signer(when=utcnow() + timedelta(hours=2))
    probe.presigned("GET", bucket, "key", signer=future).refused(403, "AccessDenied")


@case("PresignedUrl", _QUERY)
def lifetimes_that_cannot_be(probe: Probe) -> None:
    """More than seven days, negative, no number: 400 AuthorizationQueryParametersError."""
    bucket = _bucket_with_key(probe)
    probe.presigned("GET", bucket, "key", expires=604800).succeeded()
    for expires in (604801, -1, "x", "", "1.5"):
        answer = probe.presigned("GET", bucket, "key", expires=expires)
        equal((answer.status, answer.code), (400, "AuthorizationQueryParametersError"), f"answer to {expires!r}")


@case("PresignedUrl", _QUERY)
def missing_parameters(probe: Probe) -> None:
    """One of the six left out: 400 AuthorizationQueryParametersError (403 AccessDenied where nothing tells a
    presigned URL)."""
    bucket = _bucket_with_key(probe)
    names = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    for name in names:
        answer = probe.presigned(
            "GET",
            bucket,
            "key",
            edit=lambda query, name=name: [pair for pair in query if pair[0] != f"X-Amz-{name}"],  # type: ignore[misc]
        )
        answer.refused_any((400, "AuthorizationQueryParametersError"), (403, "AccessDenied"))


@case("PresignedUrl", _QUERY)
def altered(probe: Probe) -> None:
    """Another key, method, query or lifetime than signed: 403 SignatureDoesNotMatch."""
    bucket = _bucket_with_key(probe)
    probe.put(bucket, "other", b"other")
    probe.presigned("DELETE", bucket, "key", sign_as="GET").refused(403, "SignatureDoesNotMatch")
    edits = (
        lambda query: [(n, "9999" if n == "X-Amz-Expires" else v) for n, v in query],
        lambda query: [*query, ("versionId", "null")],
        lambda query: [(n, "0" * 64 if n == "X-Amz-Signature" else v) for n, v in query],
    )
    for edit in edits:
        probe.presigned("GET", bucket, "key", edit=edit).refused(403, "SignatureDoesNotMatch")
    path = probe.path(bucket, "key")
    query = probe.signer().presigned_query("GET", path, [], [("Host", probe.target.authority)], 60)
    answer = probe.exchange("GET", probe.path(bucket, "other"), query, [("Host", probe.target.authority)])
    answer.refused(403, "SignatureDoesNotMatch")


@case("PresignedUrl", _QUERY)
def parameters_given_twice(probe: Probe) -> None:
    """A repeated X-Amz-* parameter is a 4xx, never the better of both."""
    bucket = _bucket_with_key(probe)
    for name, value in (("X-Amz-Expires", "604800"), ("X-Amz-Signature", "0" * 64), ("X-Amz-Date", "20300101T000000Z")):
        answer = probe.presigned("GET", bucket, "key", edit=lambda query, n=name, v=value: [*query, (n, v)])  # type: ignore[misc]
        check(answer.status in (400, 403), f"{name} twice: {answer.status}")


@case("PresignedUrl", _QUERY)
def unsigned_headers(probe: Probe) -> None:
    """An x-amz-* header that the URL does not sign: 403 AccessDenied, above all x-amz-copy-source."""
    bucket = _bucket_with_key(probe)
    for extra in (
        {"x-amz-copy-source": f"{bucket}/key"},
        {"x-amz-meta-added": "1"},
        {"x-amz-acl": "public-read"},
        {"x-amz-tagging": "a=1"},
    ):
        probe.presigned("PUT", bucket, "new", body=b"x", extra=extra).refused(403, "AccessDenied")
    equal(probe.keys(bucket), ["key"], "keys")


@case("PresignedUrl", _QUERY)
def signed_headers_are_required(probe: Probe) -> None:
    """A header that the URL signs must be sent with that value."""
    bucket = _bucket_with_key(probe)
    headers = {"x-amz-meta-m": "1", "Content-Type": "text/x"}
    probe.presigned("PUT", bucket, "new", headers=headers, body=b"x").succeeded()
    head = probe.s3.head_object(Bucket=bucket, Key="new")
    equal((head["Metadata"], head["ContentType"]), ({"m": "1"}, "text/x"), "headers")
    path = probe.path(bucket, "missing")
    signed = [("Host", probe.target.authority), ("Content-Type", "text/x")]
    query = probe.signer().presigned_query("PUT", path, [], signed, 60)
    for sent in ([("Host", probe.target.authority)], [("Host", probe.target.authority), ("Content-Type", "text/y")]):
        answer = probe.exchange("PUT", path, query, [*sent, ("Content-Length", "1")], b"x")
        answer.refused_any((403, "SignatureDoesNotMatch"), (403, "AccessDenied"))


@case("PresignedUrl", _QUERY)
def wrong_credentials(probe: Probe) -> None:
    """Unknown key 403 InvalidAccessKeyId, wrong secret 403 SignatureDoesNotMatch, wrong region 400
    AuthorizationQueryParametersError."""
    bucket = _bucket_with_key(probe)
    unknown = probe.signer(Keys("AKIANOSUCHKEY0000000", "x" * 40))
    probe.presigned("GET", bucket, "key", signer=unknown).refused(403, "InvalidAccessKeyId")
    wrong = probe.signer(Keys(probe.target.keys.access_key, "x" * 40))
    probe.presigned("GET", bucket, "key", signer=wrong).refused(403, "SignatureDoesNotMatch")
    elsewhere = probe.signer(region="moon-south-9")
    probe.presigned("GET", bucket, "key", signer=elsewhere).refused(400, "AuthorizationQueryParametersError")


@case("PresignedUrl", _QUERY)
def query_values_that_are_none(probe: Probe) -> None:
    """Rubbish in the six parameters is a 400 or 403 with a code, never a 500."""
    bucket = _bucket_with_key(probe)
    for name in ("Algorithm", "Credential", "Date", "SignedHeaders", "Signature"):
        for rubbish in ("", "/", "a/b/c/d/e/f/g", "\x00", "ü" * 300):
            answer = probe.presigned(
                "GET",
                bucket,
                "key",
                edit=lambda query, n=name, r=rubbish: [(k, r if k == f"X-Amz-{n}" else v) for k, v in query],  # type: ignore[misc]
            )
            check(answer.status in (400, 403) and answer.code, f"{name}={rubbish[:10]!r}: {answer.status}")


@case("PresignedUrl", _QUERY)
def a_signed_content_hash(probe: Probe) -> None:
    """x-amz-content-sha256 among the signed headers of a URL binds the body."""
    bucket = _bucket_with_key(probe)
    path = probe.path(bucket, "bound")
    payload = hashlib.sha256(b"bound").hexdigest()
    signed = [("Host", probe.target.authority), ("x-amz-content-sha256", payload)]
    query = probe.signer().presigned_query("PUT", path, [], signed, 60, payload)
    answer = probe.exchange("PUT", path, query, [*signed, ("Content-Length", "5")], b"other")
    answer.refused(400, "XAmzContentSHA256Mismatch")
    probe.exchange("PUT", path, query, [*signed, ("Content-Length", "5")], b"bound").succeeded()
