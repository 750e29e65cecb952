"""Bearer tokens in the Authorization header, beside signatures."""

from __future__ import annotations

import asyncio

import pytest

from gateway.auth.authenticate import Authentication, Authenticator
from gateway.auth.bearer import bearer_token
from gateway.auth.errors import SeveralMechanisms
from gateway.errors import TokenRefused
from gateway.model.accounts import AccessKey, Account, Role, User
from gateway.policy.decide import decide
from gateway.policy.principal import Principal
from gateway.services.sessions import SignedIn
from signing.canonical import Query
from signing.errors import SigningError

ACCOUNT = Account(1, "ann", "a" * 64, True, 0)
USER = User(7, ACCOUNT, "", "u-7", "ann@example.org", None, Role.USER, True, 0)


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   a.b.c ", "a.b.c"),
        ("Basic abc", None),
        ("Bearerabc", None),
        ("AWS4-HMAC-SHA256 Credential=x", None),
        ("b", None),
        ("", None),
    ],
)
def test_a_token_stands_behind_its_scheme(header: str, token: str | None) -> None:
    assert bearer_token(header) == token


def test_a_scheme_without_a_token_is_refused() -> None:
    with pytest.raises(TokenRefused):
        bearer_token("Bearer  ")


def ask(authorization: str | None, query: bytes = b"", *, tokens: bool = True) -> tuple[Authentication, list[str]]:
    asked: list[str] = []

    async def find(_name: str) -> AccessKey | None:
        return None

    async def who(token: str, now: float) -> SignedIn:
        asked.append(f"{token} at {now}")
        return SignedIn(USER, "s1", b"hash", 5.0)

    subject = Authenticator(find, region="us-east-1", who=who if tokens else None)
    parsed = Query(query)
    authentication = asyncio.run(
        subject.authenticate(
            method="GET",
            raw_path=b"/b/k",
            query=parsed,
            parameters=dict(parsed.pairs),
            authorization=authorization,
            headers={},
            now=3.0,
        )
    )
    return authentication, asked


def test_whoever_has_a_token_is_its_user_and_nothing_is_signed() -> None:
    authentication, asked = ask("Bearer abc")
    assert asked == ["abc at 3.0"]
    assert authentication.principal == Principal(user=USER)
    assert authentication.principal.account == ACCOUNT
    assert authentication.verified is None
    assert not authentication.presigned
    assert authentication.signed_in is not None
    assert "token_hash" not in repr(authentication.signed_in)


def test_nobody_is_asked_about_requests_without_a_token() -> None:
    assert ask(None)[1] == []
    with pytest.raises(SigningError):
        ask("Bearer abc", tokens=False)
    with pytest.raises(SeveralMechanisms):
        ask("Bearer abc", b"X-Amz-Signature=0&X-Amz-Algorithm=x&X-Amz-Credential=y")


def test_confined_users_may_nothing_that_goes_by_buckets() -> None:
    confined = Principal(user=User(7, ACCOUNT, "shared:", "u", None, None, Role.ADMIN, True, 0, confined=True))
    assert not decide(confined, "s3:ListAllMyBuckets", None)
    assert decide(Principal(user=USER), "s3:ListAllMyBuckets", None)
