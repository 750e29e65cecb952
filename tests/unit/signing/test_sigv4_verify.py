"""Every reason to refuse a signed request, and what must not be one."""

from __future__ import annotations

from typing import Any

import pytest

from signing import errors
from signing.canonical import Query, canonical_headers, canonical_request
from signing.sigv4.authorization import (
    MAX_EXPIRES,
    Authorization,
    is_presigned,
    parse_authorization,
    parse_presigned,
)
from signing.sigv4.dates import parse_amz_date
from signing.sigv4.keys import Scope, SigningKeyCache, signing_key, string_to_sign
from signing.sigv4.payload import EMPTY_SHA256, PayloadMode, parse_payload
from signing.sigv4.sign import Credentials, presign, sign_header
from signing.sigv4.verify import MAX_SKEW, Verified, verify_header, verify_presigned

CREDENTIALS = Credentials("key/with/slashes", "secret")
NOW = parse_amz_date("20240102T030405Z")
HOST = "127.0.0.1:9090"
SIGNATURE = "0" * 64
CREDENTIAL = "AKID/20240102/us-east-1/s3/aws4_request"


class Request:
    """A request signed in its header, to be tampered with before it is verified."""

    def __init__(self, *headers: tuple[str, str], **changes: Any) -> None:
        self.method = "GET"
        self.path = b"/bucket/key"
        self.query = b"versionId=1"
        self.now: float = NOW
        self.secret = CREDENTIALS.secret
        self.hosts: tuple[str, ...] = ()
        signed = sign_header(
            CREDENTIALS,
            **(
                {
                    "method": self.method,
                    "host": HOST,
                    "raw_path": self.path,
                    "raw_query": self.query,
                    "headers": headers,
                    "payload_hash": EMPTY_SHA256,
                    "now": NOW,
                    "region": "us-east-1",
                }
                | changes
            ),
        )
        self.headers = [("Host", HOST), *headers, *signed.headers.items()]

    def drop(self, name: str) -> None:
        self.headers = [pair for pair in self.headers if pair[0].lower() != name]

    def set(self, name: str, value: str) -> None:
        self.drop(name)
        self.headers.append((name, value))

    def verify(self) -> Verified:
        return verify_header(
            parse_authorization(dict(self.headers)["authorization"]),
            secret=self.secret,
            method=self.method,
            raw_path=self.path,
            query=Query(self.query),
            headers=self.headers,
            now=self.now,
            region="us-east-1",
            keys=SigningKeyCache(),
            hosts=self.hosts,
        )


def test_good_request_says_who_and_when() -> None:
    verified = Request(("X-Amz-Meta-Name", "smörgås  bord")).verify()
    assert verified.access_key == CREDENTIALS.access_key
    assert verified.timestamp == NOW
    assert verified.context.date == "20240102T030405Z"
    assert verified.context.scope == "20240102/us-east-1/s3/aws4_request"


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("method", "HEAD"),
        ("path", b"/bucket/key2"),
        ("path", b"/bucket//key"),
        ("query", b"versionId=2"),
        ("query", b"versionId=1&acl"),
        ("query", b""),
        ("secret", "other"),
    ],
)
def test_anything_changed_does_not_match(attribute: str, value: object) -> None:
    request = Request()
    setattr(request, attribute, value)
    with pytest.raises(errors.SignatureDoesNotMatch) as refused:
        request.verify()
    fields = dict(refused.value.fields)
    assert fields["AWSAccessKeyId"] == CREDENTIALS.access_key
    assert fields["StringToSign"].startswith("AWS4-HMAC-SHA256\n20240102T030405Z\n20240102/us-east-1/s3/aws4_request\n")
    assert fields["CanonicalRequest"].startswith(f"{request.method}\n")
    assert bytes.fromhex(fields["CanonicalRequestBytes"]).decode() == fields["CanonicalRequest"]
    assert "secret" not in str(fields)


def test_changed_signed_header_does_not_match() -> None:
    request = Request(("range", "bytes=0-9"))
    request.set("range", "bytes=0-10")
    with pytest.raises(errors.SignatureDoesNotMatch):
        request.verify()


def test_signed_header_that_did_not_arrive_does_not_match() -> None:
    request = Request(("range", ""))
    request.drop("range")
    with pytest.raises(errors.SignatureDoesNotMatch) as refused:
        request.verify()
    assert "\nrange:\n" in refused.value.canonical_request


def test_equivalent_spelling_still_matches() -> None:
    request = Request(("x-amz-meta-a", "one two"), raw_path=b"/bucket/a%2Bb~c", raw_query=b"prefix=a%20b&acl")
    request.path, request.query = b"/bucket/a+b%7ec", b"acl=&prefix=a+b"
    request.set("x-amz-meta-a", "  one \t two ")
    assert request.verify()


@pytest.mark.parametrize("name", ["x-amz-copy-source", "X-Amz-Acl", "x-amz-security-token"])
def test_unsigned_amz_header_is_refused(name: str) -> None:
    request = Request()
    request.headers.append((name, "value"))
    with pytest.raises(errors.HeadersNotSigned) as refused:
        request.verify()
    assert refused.value.names == (name.lower(),)
    assert refused.value.code == "AccessDenied"
    assert refused.value.fields == (("HeadersNotSigned", name.lower()),)


def test_header_of_cloudfront_and_other_headers_may_be_unsigned() -> None:
    request = Request()
    request.headers += [("x-amz-cf-id", "abc"), ("x-amzn-trace-id", "Root=1"), ("content-type", "text/plain")]
    assert request.verify()


@pytest.mark.parametrize("name", ["host", "x-amz-date", "x-amz-content-sha256"])
def test_what_must_be_signed(name: str) -> None:
    request = Request()
    authorization = dict(request.headers)["authorization"]
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0]
    fewer = ";".join(part for part in names.split(";") if part != name)
    request.set("authorization", authorization.replace(names, fewer))
    with pytest.raises(errors.HeadersNotSigned) as refused:
        request.verify()
    assert refused.value.names == (name,)


@pytest.mark.parametrize("offset", [-MAX_SKEW, MAX_SKEW])
def test_clock_skew(offset: int) -> None:
    request = Request()
    request.now = NOW + offset
    assert request.verify()
    request.now = NOW + offset + (1 if offset > 0 else -1)
    with pytest.raises(errors.RequestTimeTooSkewed) as refused:
        request.verify()
    assert dict(refused.value.fields)["MaxAllowedSkewMilliseconds"] == "900000"
    assert dict(refused.value.fields)["RequestTime"] == "20240102T030405Z"


def test_wrong_region_tells_the_right_one() -> None:
    with pytest.raises(
        errors.AuthorizationHeaderMalformed, match=r"the region .eu-west-1. is wrong; expecting .us-east-1."
    ) as refused:
        Request(region="eu-west-1").verify()
    assert refused.value.region == "us-east-1"
    assert refused.value.fields == (("Region", "us-east-1"),)


def test_wrong_service_and_scope_date() -> None:
    for old, new in (("/s3/", "/ec2/"), ("20240102/", "20240101/")):
        request = Request()
        request.set("authorization", dict(request.headers)["authorization"].replace(old, new))
        with pytest.raises(errors.AuthorizationHeaderMalformed):
            request.verify()


def test_date_is_required_and_must_be_one() -> None:
    for value in (None, "yesterday", "2024-01-02T03:04:05Z"):
        request = Request()
        request.drop("x-amz-date")
        if value is not None:
            request.set("x-amz-date", value)
        with pytest.raises(errors.MissingDate):
            request.verify()


def test_date_header_stands_in_for_amz_date() -> None:
    headers = {"date": "Tue, 02 Jan 2024 04:04:05 +0100", "host": HOST, "x-amz-content-sha256": EMPTY_SHA256}
    scope = Scope("20240102", "us-east-1", "s3")
    request = canonical_request(
        "GET", "/b/k", "", canonical_headers(headers, list(headers)), ";".join(headers), EMPTY_SHA256
    )
    keys = SigningKeyCache()
    signature = keys.get("secret", scope).sign(string_to_sign("20240102T030405Z", str(scope), request))

    def verify() -> Verified:
        return verify_header(
            Authorization("AKID", scope, tuple(headers), signature),
            secret="secret",
            method="GET",
            raw_path=b"/b/k",
            query=Query(b""),
            headers=headers,
            now=NOW,
            region="us-east-1",
            keys=keys,
        )

    assert verify().timestamp == NOW
    for text in ("Tue, 99 Foo", "Tue, 02 Jan 999999 04:04:05 GMT", ""):
        headers["date"] = text
        with pytest.raises((errors.MissingDate, errors.RequestTimeTooSkewed)):
            verify()


def test_payload_hash_is_required() -> None:
    request = Request()
    request.drop("x-amz-content-sha256")
    with pytest.raises(errors.MissingContentSha256) as refused:
        request.verify()
    assert refused.value.code == "InvalidRequest"


@pytest.mark.parametrize("mode", [mode for mode in PayloadMode if mode is not PayloadMode.HASHED])
def test_payload_forms(mode: PayloadMode) -> None:
    payload = Request(payload_hash=mode.value).verify().payload
    assert (payload.mode, payload.sha256) == (mode, None)
    assert mode.chunked == mode.value.startswith("STREAMING")


def test_payload_form_that_is_none() -> None:
    assert parse_payload("AB" * 32).sha256 == "ab" * 32
    for value in ("", "abc", "g" * 64, "<sha256>", "STREAMING-FOO", "unsigned-payload"):
        with pytest.raises(errors.InvalidArgument) as refused:
            parse_payload(value)
        assert dict(refused.value.fields)["ArgumentName"] == "x-amz-content-sha256"
    for suffix in ("", "-TRAILER"):
        with pytest.raises(errors.NotImplementedSigning) as missing:
            parse_payload(f"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD{suffix}")
        assert missing.value.code == "NotImplemented"


def test_alias_hosts_are_tried_after_the_one_received() -> None:
    request = Request()
    request.set("Host", "internal:80")
    with pytest.raises(errors.SignatureDoesNotMatch) as refused:
        request.verify()
    request.hosts = ("other", HOST)
    assert request.verify()
    request.hosts = ("other", "third")
    with pytest.raises(errors.SignatureDoesNotMatch) as again:
        request.verify()
    assert again.value.canonical_request == refused.value.canonical_request, "the answer shows the host received"


@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=,Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host;host,Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=Host,Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host;,Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host\nx,Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host,Signature={SIGNATURE[:-1]}",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host,Signature={'G' * 64}",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host,Signature={'é' * 64}",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host,Signature={SIGNATURE},Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders=host,Signature={SIGNATURE},Extra=1",
        f"AWS4-HMAC-SHA256 Credential=AKID/20240102/us-east-1/s3,SignedHeaders=host,Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential=/20240102/us-east-1/s3/aws4_request,SignedHeaders=host,Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential=A/20240102//s3/aws4_request,SignedHeaders=host,Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential=A/2024-1-2/us-east-1/s3/aws4_request,SignedHeaders=host,Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential=A/20240102/us-east-1/s3/aws5_request,SignedHeaders=host,Signature={SIGNATURE}",
    ],
)
def test_malformed_authorization(header: str) -> None:
    with pytest.raises(errors.AuthorizationHeaderMalformed, match=r"^The authorization header is malformed; "):
        parse_authorization(header)


def test_other_authorization_schemes() -> None:
    with pytest.raises(errors.InvalidRequest, match="Please use AWS4-HMAC-SHA256"):
        parse_authorization("AWS AKID:c2lnbmF0dXJl")
    with pytest.raises(errors.NotImplementedSigning):
        parse_authorization("AWS4-ECDSA-P256-SHA256 Credential=x")
    for header in ("Bearer token", "", "aws4-hmac-sha256 x"):
        with pytest.raises(errors.InvalidArgument, match="Unsupported Authorization Type"):
            parse_authorization(header)


def test_authorization_with_and_without_spaces() -> None:
    compact = f"AWS4-HMAC-SHA256 Credential=a/b/{CREDENTIAL[5:]},SignedHeaders=host;range,Signature={SIGNATURE}"
    parsed = parse_authorization(compact)
    assert parsed == parse_authorization(compact.replace(",", ",  ").replace("SHA256 ", "SHA256  "))
    assert parsed.access_key == "a/b"
    assert parsed.scope == Scope("20240102", "us-east-1", "s3")
    assert parsed.signed_headers == ("host", "range")


def _presigned(url: str, *headers: tuple[str, str], now: float = NOW, method: str = "GET", **changes: Any) -> Verified:
    path, _, query = url.removeprefix(f"http://{HOST}").partition("?")
    parsed = Query(query.encode())
    return verify_presigned(
        parse_presigned(parsed.pairs),
        **(
            {
                "secret": CREDENTIALS.secret,
                "method": method,
                "raw_path": path.encode(),
                "query": parsed,
                "headers": [("Host", HOST), *headers],
                "now": now,
                "region": "us-east-1",
                "keys": SigningKeyCache(),
            }
            | changes
        ),
    )


def _link(path: str = "/bucket/key?versionId=3", **changes: Any) -> str:
    arguments: dict[str, Any] = {"method": "GET", "now": NOW, "region": "us-east-1", "expires": 60} | changes
    return presign(CREDENTIALS, url=f"http://{HOST}{path}", **arguments)


def test_presigned_link_lives_from_its_date_to_its_expiry() -> None:
    link = _link()
    for now in (NOW - MAX_SKEW, NOW, NOW + 60):
        assert _presigned(link, now=now).presigned
    with pytest.raises(errors.RequestExpired) as expired:
        _presigned(link, now=NOW + 61)
    assert expired.value.code == "AccessDenied"
    assert expired.value.fields == (
        ("X-Amz-Expires", "60"),
        ("Expires", "2024-01-02T03:05:05Z"),
        ("ServerTime", "2024-01-02T03:05:06Z"),
    )
    with pytest.raises(errors.RequestNotYetValid):
        _presigned(link, now=NOW - MAX_SKEW - 1)
    week = _link(expires=MAX_EXPIRES)
    assert _presigned(week, now=NOW + MAX_EXPIRES)


def test_presigned_link_opens_nothing_else() -> None:
    link = _link()
    for changed in (link.replace("/key", "/key2"), link.replace("versionId=3", "versionId=4"), f"{link}&acl"):
        with pytest.raises(errors.SignatureDoesNotMatch):
            _presigned(changed)
    with pytest.raises(errors.SignatureDoesNotMatch):
        _presigned(link, method="PUT")
    with pytest.raises(errors.SignatureDoesNotMatch):
        _presigned(link.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))
    with pytest.raises(errors.SignatureDoesNotMatch):
        _presigned(link, headers=[("Host", "elsewhere")])
    assert _presigned(link, headers=[("Host", "elsewhere")], hosts=(HOST,))


def test_presigned_put_refuses_what_its_signer_did_not_allow() -> None:
    link = _link(method="PUT")
    for name in ("x-amz-copy-source", "x-amz-acl", "x-amz-content-sha256", "x-amz-date"):
        with pytest.raises(errors.HeadersNotSigned) as refused:
            _presigned(link, (name, "x"), method="PUT")
        assert refused.value.names == (name,)
    assert _presigned(link, ("content-type", "image/png"), ("x-amz-cf-id", "1"), method="PUT")


def test_presigned_link_with_signed_headers() -> None:
    link = _link(method="PUT", headers=[("X-Amz-Acl", "private")])
    assert _presigned(link, ("x-amz-acl", "private"), method="PUT")
    with pytest.raises(errors.SignatureDoesNotMatch):
        _presigned(link, ("x-amz-acl", "public-read"), method="PUT")
    with pytest.raises(errors.SignatureDoesNotMatch):
        _presigned(link, method="PUT")


def test_presigned_payload_hash_in_header_or_query() -> None:
    in_header = _link(method="PUT", headers=[("x-amz-content-sha256", EMPTY_SHA256)])
    payload = _presigned(in_header, ("x-amz-content-sha256", EMPTY_SHA256), method="PUT").payload
    assert payload.sha256 == EMPTY_SHA256
    in_query = _link("/bucket/key?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD")
    assert _presigned(in_query).payload.mode is PayloadMode.UNSIGNED
    with pytest.raises(errors.SignatureDoesNotMatch) as refused:
        _presigned(_link(f"/bucket/key?X-Amz-Content-Sha256={EMPTY_SHA256}"))
    assert refused.value.canonical_request.endswith(EMPTY_SHA256), "what the query says is what is verified"


def test_presigned_scope() -> None:
    with pytest.raises(errors.AuthorizationQueryParametersError) as refused:
        _presigned(_link(region="eu-west-1"))
    assert refused.value.fields == (("Region", "us-east-1"),)
    with pytest.raises(errors.AuthorizationQueryParametersError, match="incorrect service"):
        _presigned(_link().replace("%2Fs3%2F", "%2Fec2%2F"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA1"),
        ("X-Amz-Credential", "AKID"),
        ("X-Amz-Credential", "AKID/20240103/us-east-1/s3/aws4_request"),
        ("X-Amz-Credential", "AKID/20240102/us-east-1/s3/aws2_request"),
        ("X-Amz-Date", "20240102"),
        ("X-Amz-Date", "20240102T030405+"),
        ("X-Amz-Expires", "0"),
        ("X-Amz-Expires", "-1"),
        ("X-Amz-Expires", "604801"),
        ("X-Amz-Expires", "9" * 5000),
        ("X-Amz-Expires", "1h"),
        ("X-Amz-Expires", "٦٠"),
        ("X-Amz-Expires", ""),
        ("X-Amz-SignedHeaders", ""),
        ("X-Amz-SignedHeaders", "HOST"),
        ("X-Amz-SignedHeaders", "host;host"),
        ("X-Amz-Signature", "abc"),
    ],
)
def test_malformed_presigned_parameter(name: str, value: str) -> None:
    good = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": CREDENTIAL,
        "X-Amz-Date": "20240102T030405Z",
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": SIGNATURE,
    }
    parsed = parse_presigned(list(good.items()))
    assert (parsed.access_key, parsed.expires, parsed.timestamp) == ("AKID", 60, NOW)
    with pytest.raises(errors.AuthorizationQueryParametersError):
        parse_presigned(list((good | {name: value}).items()))
    with pytest.raises(errors.AuthorizationQueryParametersError, match="requires the"):
        parse_presigned([pair for pair in good.items() if pair[0] != name])
    with pytest.raises(errors.AuthorizationQueryParametersError, match="more than once"):
        parse_presigned([*good.items(), (name, good[name])])


def test_presigned_ecdsa_is_not_implemented() -> None:
    with pytest.raises(errors.NotImplementedSigning):
        _presigned(_link().replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"))


def test_is_presigned() -> None:
    assert is_presigned(Query(b"a=1&X-Amz-Signature=x").pairs)
    assert not is_presigned(Query(b"a=1&x-id=GetObject&X-Amz-Meta-A=1").pairs)


def test_key_cache_follows_the_secret_and_stays_bounded() -> None:
    cache = SigningKeyCache(size=2)
    scope = Scope("20240102", "us-east-1", "s3")
    first = cache.get("one", scope)
    assert cache.get("one", scope) is first
    assert cache.get("two", scope).sign("x") != first.sign("x")
    cache.get("three", scope)
    assert cache.get("one", scope) is not first, "the oldest was dropped"
    assert cache.get("one", scope).sign("x") == first.sign("x")
    before = cache.get("one", scope)
    cache.clear()
    assert cache.get("one", scope) is not before


def test_nothing_shows_a_secret() -> None:
    request = Request()
    verified = request.verify()
    key = signing_key(CREDENTIALS.secret, "20240102", "us-east-1", "s3")
    shown = repr((CREDENTIALS, verified, verified.context))
    assert "'secret'" not in shown
    assert key.hex() not in shown
    assert repr(key) not in shown
