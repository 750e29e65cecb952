"""Foreign issuers: their keys are kept for a minute, fetched once for all who wait, and left alone while they fail."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway.blobs.upstream.breaker import FAILURES
from gateway.errors import IssuerUnavailable, TokenRefused
from gateway.services.issuers import AGAIN_SECONDS, KEPT_SECONDS, FetchFailed, IssuerKeys, parse_keys
from gateway.services.tokens import Claims, peek
from gateway.settings.auth import Issuer

NOW = 1_700_000_000.0
FIRST, SECOND = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
CURVE = ec.generate_private_key(ec.SECP256R1())
ISS = "https://login.test"


def jwk(key: Any, kid: str | None = None, **more: Any) -> dict[str, Any]:
    kinds = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    kind: Any = next((made for of, made in kinds.items() if isinstance(key, of)), OKPAlgorithm)
    document: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    return {name: value for name, value in document.items() if name != "key_ops"} | ({"kid": kid} if kid else {}) | more


def token(key: Any = FIRST, algorithm: str = "RS256", kid: str | None = "one", **claims: Any) -> str:
    stated = {"iss": ISS, "sub": "ann", "exp": NOW + 600, "aud": "pictures"} | claims
    headers = {"kid": kid} if kid is not None else None
    return jwt.encode({name: value for name, value in stated.items() if value is not None}, key, algorithm, headers)


class World:
    """An issuer with its keys, a clock, and how often it was asked."""

    def __init__(self, *keys: dict[str, Any], **issuer: Any) -> None:
        self.time = 1000.0
        self.keys = list(keys)
        self.asked = 0
        self.failing = False
        self.slow: asyncio.Event | None = None
        settings = {"iss": ISS, "jwks_url": "https://login.test/keys", "account": "app", "audience": "pictures"}
        self.subject = IssuerKeys(Issuer.model_validate(settings | issuer), self.fetch, lambda: self.time)

    async def fetch(self, url: str) -> bytes:
        assert url == "https://login.test/keys"
        self.asked += 1
        if self.slow is not None:
            await self.slow.wait()
        if self.failing:
            raise FetchFailed("answered 500")
        return json.dumps({"keys": self.keys}).encode()

    async def claims(self, given: str) -> Claims:
        return await self.subject.claims(given, peek(given), NOW)


async def test_a_token_of_a_known_key_is_believed_and_its_claims_are_those_that_are_set() -> None:
    world = World(jwk(FIRST, "one"), jwk(SECOND, "two"))
    assert (await world.claims(token())).subject == "ann"
    assert (await world.claims(token(SECOND, kid="two"))).subject == "ann"
    other = World(jwk(FIRST, "one"), subject="uid", email="mail")
    claims = await other.claims(token(uid="u-7", mail="a@b.test", email="no@b.test"))
    assert (claims.subject, claims.email) == ("u-7", "a@b.test")


async def test_keys_are_kept_for_a_minute() -> None:
    world = World(jwk(FIRST, "one"))
    await world.claims(token())
    world.time += KEPT_SECONDS - 0.1
    await world.claims(token())
    assert world.asked == 1
    world.keys = [jwk(SECOND, "one")]
    world.time += 0.1
    with pytest.raises(TokenRefused):
        await world.claims(token())  # the key was taken back
    assert world.asked == 2


async def test_a_new_key_is_found_at_once_but_invented_names_cause_no_flood() -> None:
    world = World(jwk(FIRST, "one"))
    await world.claims(token())
    world.keys.append(jwk(SECOND, "two"))
    world.time += AGAIN_SECONDS
    assert (await world.claims(token(SECOND, kid="two"))).subject == "ann"
    for number in range(20):
        with pytest.raises(TokenRefused):
            await world.claims(token(SECOND, kid=f"invented-{number}"))
    assert world.asked == 2


async def test_many_who_wait_ask_once() -> None:
    world = World(jwk(FIRST, "one"))
    world.slow = asyncio.Event()
    waiting = [asyncio.create_task(world.claims(token())) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # who gives up takes nobody along
    await asyncio.sleep(0)
    world.slow.set()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert [one.subject for one in done if isinstance(one, Claims)] == ["ann"] * 49
    assert world.asked == 1


async def test_the_breaker_closed_open_and_half_open() -> None:
    world = World(jwk(FIRST, "one"))
    await world.claims(token())
    world.failing = True
    world.time += KEPT_SECONDS - 1
    await world.claims(token())  # what is kept holds for its minute, reachable or not
    world.time += 1
    for _ in range(FAILURES):  # closed: each tries
        with pytest.raises(IssuerUnavailable):
            await world.claims(token())
    assert world.asked == 1 + FAILURES
    for _ in range(20):  # open: nobody is asked
        with pytest.raises(IssuerUnavailable) as caught:
            await world.claims(token())
    assert caught.value.retry_after > 0
    assert world.asked == 1 + FAILURES
    world.time += 0.5
    with pytest.raises(IssuerUnavailable):  # half open: one tries, and it is longer open than before
        await world.claims(token())
    world.time += 0.6
    with pytest.raises(IssuerUnavailable):
        await world.claims(token())
    assert world.asked == 2 + FAILURES
    world.failing = False
    world.time += 0.5
    assert (await world.claims(token())).subject == "ann"  # half open: it works, so it is closed
    assert world.asked == 3 + FAILURES
    world.failing = True
    world.time += KEPT_SECONDS
    for _ in range(FAILURES):
        with pytest.raises(IssuerUnavailable):
            await world.claims(token())
    assert world.asked == 3 + 2 * FAILURES


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(token(iss="https://other.test"), id="another issuer"),
        pytest.param(token(iss=None), id="no issuer"),
        pytest.param(token(aud="films"), id="another audience"),
        pytest.param(token(aud=None), id="no audience"),
        pytest.param(token(exp=NOW - 1), id="expired"),
        pytest.param(token(exp=None), id="no exp"),
        pytest.param(token(sub=None), id="no sub"),
        pytest.param(token(SECOND), id="another key of that name"),
        pytest.param(token(kid="two"), id="another name"),
        pytest.param(token(algorithm="RS384"), id="an algorithm that is not set"),
        pytest.param(token(algorithm="PS256"), id="another way of padding"),
        pytest.param(token(CURVE, "ES256", "curve"), id="a kind of key that is not set"),
        pytest.param(jwt.encode({"iss": ISS, "sub": "ann", "exp": NOW + 60}, "k" * 40, "HS256"), id="a secret"),
    ],
)
async def test_what_is_not_believed(given: str) -> None:
    world = World(jwk(FIRST, "one"), jwk(CURVE, "curve"), {"kty": "oct", "kid": "one", "k": "a" * 54})
    with pytest.raises(TokenRefused):
        await world.claims(given)


async def test_a_token_without_a_key_id_needs_that_there_is_one_key() -> None:
    assert (await World(jwk(FIRST, "one"), jwk(CURVE, "two")).claims(token(kid=None))).subject == "ann"
    with pytest.raises(TokenRefused):
        await World(jwk(FIRST, "one"), jwk(SECOND, "two")).claims(token(kid=None))


async def test_algorithms_need_their_own_kind_of_key_and_curve() -> None:
    edwards = ed25519.Ed25519PrivateKey.generate()
    every = World(jwk(CURVE, "curve"), jwk(edwards, "edwards"), jwk(FIRST, "one"), algorithms="ES256,ES384,EdDSA,PS256")
    assert (await every.claims(token(CURVE, "ES256", "curve"))).subject == "ann"
    assert (await every.claims(token(edwards, "EdDSA", "edwards"))).subject == "ann"
    assert (await every.claims(token(algorithm="PS256"))).subject == "ann"
    with pytest.raises(TokenRefused):
        await every.claims(token())
    wide = ec.generate_private_key(ec.SECP384R1())
    mixed = World(jwk(wide, "curve"), algorithms="ES256,ES384")
    assert (await mixed.claims(token(wide, "ES384", "curve"))).subject == "ann"
    for_one = World(jwk(FIRST, "one", alg="RS512"), algorithms="RS256,RS512")
    assert (await for_one.claims(token(algorithm="RS512"))).subject == "ann"
    with pytest.raises(TokenRefused):
        await for_one.claims(token())


async def test_a_weak_key_of_an_issuer_is_none() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        given = token(weak)
    with pytest.raises(TokenRefused):
        await World(jwk(weak, "one")).claims(given)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"keys": {}}', b'"keys"', b'{"keys": [' + b",".join([b"{}"] * 101) + b"]}", b"[" * 9999],
)
def test_what_is_no_key_set(data: bytes) -> None:
    with pytest.raises(FetchFailed):
        parse_keys(data)


def test_of_a_key_set_only_keys_for_signatures_are_taken() -> None:
    listed = [
        jwk(FIRST, "one"),
        jwk(SECOND, "enc", use="enc"),
        {"kty": "oct", "k": "AA", "kid": "secret"},
        "text",
        {"kid": "no kind"},
        jwk(SECOND, "sig", use="sig") | {"d": "private"},
    ]
    found = parse_keys(json.dumps({"keys": listed}).encode())
    assert [key.kid for key in found] == ["one", "sig"]
    assert all("d" not in key.document for key in found)
