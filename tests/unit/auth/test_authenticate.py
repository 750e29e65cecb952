from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from gateway.auth.authenticate import Authentication, Authenticator
from gateway.auth.errors import AuthenticationError, InvalidAccessKeyId, InvalidToken, SeveralMechanisms
from gateway.model.accounts import AccessKey, Account, KeyKind
from signing.canonical import Query
from signing.errors import HeadersNotSigned, InvalidRequest, SignatureDoesNotMatch, SigningError
from signing.sigv4.sign import Credentials, presign, sign_header

NOW = 1_700_000_000.0
ACCOUNT = Account(1, "alice", "a" * 64, True, 0)
KEY = AccessKey("PGALICE", "very secret", ACCOUNT, KeyKind.S3, False, True, 0)
CREDENTIALS = Credentials(KEY.access_key, KEY.secret)


def authenticator(*keys: AccessKey, hosts: tuple[str, ...] = ()) -> Authenticator:
    known = {key.access_key: key for key in keys}

    async def find(access_key: str) -> AccessKey | None:
        return known.get(access_key)

    return Authenticator(find, region="us-east-1", hosts=hosts)


def check(
    subject: Authenticator,
    headers: Mapping[str, str],
    *,
    path: str = "/b/k",
    query: str = "",
    method: str = "GET",
    now: float = NOW,
) -> Authentication:
    parsed = Query(query.encode())
    lower = {name.lower(): value for name, value in headers.items()}
    return asyncio.run(
        subject.authenticate(
            method=method,
            raw_path=path.encode(),
            query=parsed,
            parameters=dict(parsed.pairs),
            authorization=lower.get("authorization"),
            headers=lower,
            now=now,
        )
    )


def signed(**extra: str) -> dict[str, str]:
    headers = {name.replace("_", "-"): value for name, value in extra.items()}
    made = sign_header(
        CREDENTIALS, method="GET", host="s3.test", raw_path=b"/b/k", headers=headers, now=NOW, region="us-east-1"
    )
    return {"Host": "s3.test", **headers, **made.headers}


def link(expires: int = 60) -> str:
    url = presign(CREDENTIALS, method="GET", url="http://s3.test/b/k", now=NOW, region="us-east-1", expires=expires)
    return urlsplit(url).query


def test_nothing_said_is_anonymous() -> None:
    found = check(authenticator(KEY), {"Host": "s3.test"})
    assert found.principal.anonymous
    assert found.verified is None
    assert not found.presigned


def test_a_signed_header() -> None:
    found = check(authenticator(KEY), signed())
    assert found.principal.access_key is KEY
    assert not found.presigned


def test_a_presigned_link() -> None:
    found = check(authenticator(KEY), {"Host": "s3.test"}, query=link())
    assert found.principal.account is ACCOUNT
    assert found.presigned


@pytest.mark.parametrize("presigned", [False, True])
@pytest.mark.parametrize(
    "key",
    [
        None,
        replace(KEY, enabled=False),
        replace(KEY, account=replace(ACCOUNT, enabled=False)),
        replace(KEY, expires_ms=int(NOW * 1000)),
        replace(KEY, kind=KeyKind.LINK),
    ],
)
def test_keys_that_open_nothing_look_the_same(key: AccessKey | None, presigned: bool) -> None:
    subject = authenticator(*([key] if key else []))
    headers, query = ({"Host": "s3.test"}, link()) if presigned else (signed(), "")
    with pytest.raises(InvalidAccessKeyId) as caught:
        check(subject, headers, query=query)
    assert caught.value.fields == (("AWSAccessKeyId", KEY.access_key),)
    assert caught.value.code == "InvalidAccessKeyId"


def test_a_key_works_until_it_expires() -> None:
    check(authenticator(replace(KEY, expires_ms=int(NOW * 1000) + 1)), signed())


def test_another_secret_does_not_match() -> None:
    with pytest.raises(SignatureDoesNotMatch):
        check(authenticator(replace(KEY, secret="another")), signed())


def test_a_header_that_came_later_is_refused() -> None:
    with pytest.raises(HeadersNotSigned):
        check(authenticator(KEY), {**signed(), "x-amz-copy-source": "/b/other"})


def test_a_proxy_that_changed_host_is_an_alias() -> None:
    headers = {**signed(), "Host": "inside:9090"}
    with pytest.raises(SignatureDoesNotMatch):
        check(authenticator(KEY), headers)
    assert check(authenticator(KEY, hosts=("s3.test",)), headers).principal.access_key is KEY


def test_both_mechanisms_are_one_too_many() -> None:
    with pytest.raises(SeveralMechanisms) as caught:
        check(authenticator(KEY), signed(), query=link())
    assert caught.value.code == "InvalidArgument"
    assert caught.value.fields


@pytest.mark.parametrize("query", ["AWSAccessKeyId=a&Signature=b&Expires=1", "Signature=b"])
def test_version_2_is_named(query: str) -> None:
    with pytest.raises(InvalidRequest, match="AWS4-HMAC-SHA256"):
        check(authenticator(KEY), {"Host": "s3.test"}, query=query)


def test_a_session_token_was_never_given_out() -> None:
    with pytest.raises(InvalidToken):
        check(authenticator(KEY), signed(x_amz_security_token="t"))
    with pytest.raises(InvalidToken):
        check(authenticator(KEY), {"Host": "s3.test"}, query=link() + "&X-Amz-Security-Token=t")


def test_every_refusal_has_a_code_and_never_a_secret() -> None:
    for error in (InvalidAccessKeyId("PGALICE"), InvalidToken(), SeveralMechanisms()):
        assert isinstance(error, AuthenticationError)
        assert error.code.isalnum()
        assert KEY.secret not in f"{error}{error.fields}"
    assert not issubclass(AuthenticationError, SigningError)
