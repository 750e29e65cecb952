"""What is believed of a token, and of all the tokens that say more than they may."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.errors import InvalidValue, TokenRefused
from gateway.services.tokens import Claims, Signer, claims_digest, derived_secret, peek
from gateway.settings.auth import AuthSettings

NOW = 1_700_000_000.0
SECRET = "d2hhdCBvbmx5IHRoZXNlIHRlc3RzIGtub3cgb2Yu"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signer(**settings: Any) -> Signer:
    return Signer(AuthSettings(**({"jwt_secret": SECRET} | settings)), b"derived" * 5)


def signed(claims: dict[str, Any], key: Any = SECRET, algorithm: str = "HS256", **headers: Any) -> str:
    return jwt.encode(claims, key, algorithm, headers)


def raw(header: object, claims: object, key: bytes = SECRET.encode()) -> str:
    """A token with an HMAC-SHA256 over whatever header and claims, also such as no library makes."""

    def encoded(value: object) -> bytes:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    content = encoded(header) + b"." + encoded(claims)
    mac = hmac.digest(key, content, hashlib.sha256)
    return (content + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def read(token: str, subject: Signer | None = None, now: float = NOW) -> Claims:
    return (subject or signer()).read(token, peek(token), now)


GOOD = {"sub": "ann", "exp": NOW + 60, "iat": NOW}


def test_a_token_made_here_says_whose_it_is_and_of_which_session() -> None:
    subject = signer(jwt_minutes=5)
    token = subject.make("ann", "s1", NOW)
    claims = read(token, subject, NOW + 299)
    assert claims == Claims("ann", "pixgate", "s1", NOW + 300, NOW)
    decoded = jwt.decode(token, options={"verify_signature": False})
    assert {"sub", "exp", "iat", "sid"} <= set(decoded)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    with pytest.raises(TokenRefused, match="expired"):
        read(token, subject, NOW + 300)


def test_an_app_signs_with_the_shared_secret() -> None:
    claims = read(signed(GOOD | {"iss": "shop", "email": "ann@example.org", "name": "Ann"}))
    assert (claims.subject, claims.issuer, claims.session) == ("ann", "shop", None)
    assert (claims.email, claims.name, claims.issued) == ("ann@example.org", "Ann", NOW)
    assert read(signed(GOOD | {"sub": 7})).subject == "7"
    assert read(signed(GOOD | {"iss": ""})).issuer is None
    assert read(raw({"alg": "HS256"}, GOOD)).subject == "ann"


def test_without_exp_only_where_that_is_set() -> None:
    token = signed({"sub": "ann"})
    with pytest.raises(TokenRefused):
        read(token)
    assert read(token, signer(jwt_require_exp=False)).expires is None
    # Those that are made here expire all the same.
    own = signed({"sub": "ann", "iss": "pixgate", "sid": "s"})
    with pytest.raises(TokenRefused):
        read(own, signer(jwt_require_exp=False))


def test_the_audience_is_compared() -> None:
    token = signed(GOOD | {"aud": ["pictures", "mail"]})
    assert read(token, signer(jwt_audience="pictures")).subject == "ann"
    for other in (signer(jwt_audience="films"), signer()):
        with pytest.raises(TokenRefused):
            read(token, other)
    with pytest.raises(TokenRefused):
        read(signed(GOOD), signer(jwt_audience="pictures"))


NONE = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
BODY = base64.urlsafe_b64encode(json.dumps(GOOD).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(f"{NONE}.{BODY}.", id="alg none"),
        pytest.param(raw({"alg": "None"}, GOOD), id="alg None with a mac"),
        pytest.param(raw({"alg": "hs256"}, GOOD), id="alg in another case"),
        pytest.param(raw({}, GOOD), id="no alg"),
        pytest.param(raw({"alg": ["HS256"]}, GOOD), id="several algs"),
        pytest.param(signed(GOOD, SECRET * 2, "HS512"), id="another algorithm"),
        pytest.param(signed(GOOD, "another secret of forty characters length"), id="another secret"),
        pytest.param(signed(GOOD, RSA, "RS256"), id="a key of their own"),
        pytest.param(raw({"alg": "HS256", "crit": ["exp"], "exp": 1}, GOOD), id="crit"),
        pytest.param(raw({"alg": "HS256", "crit": []}, GOOD), id="empty crit"),
        pytest.param(raw({"alg": "HS256", "b64": False, "crit": ["b64"]}, GOOD), id="b64 false"),
        pytest.param(raw({"alg": "HS256", "b64": True}, GOOD), id="b64 true"),
        pytest.param(raw({"alg": "HS256", "kid": 7}, GOOD), id="kid is no text"),
        pytest.param(raw({"alg": "HS256", "kid": "../../dev/null" * 50}, GOOD), id="kid is long"),
        pytest.param(raw({"alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}}, GOOD, b"\0"), id="brings its key"),
        pytest.param(raw({"alg": "HS256", "kid": "/dev/null"}, GOOD, b""), id="signed with nothing"),
        pytest.param(raw(b"[]", GOOD), id="header is no object"),
        pytest.param(raw(b"{", GOOD), id="header is no JSON"),
        pytest.param(raw({"alg": "HS256"}, b'"ann"'), id="claims are no object"),
        pytest.param(raw({"alg": "HS256"}, b"[" * 5000), id="deep"),
        pytest.param(signed({"exp": NOW + 60}), id="no sub"),
        pytest.param(signed(GOOD | {"sub": ""}), id="empty sub"),
        pytest.param(signed(GOOD | {"sub": True}), id="sub is true"),
        pytest.param(signed(GOOD | {"sub": ["ann"]}), id="sub is a list"),
        pytest.param(signed(GOOD | {"sub": "a\0b"}), id="sub with a zero byte"),
        pytest.param(signed(GOOD | {"sub": "\ud800"}), id="sub with half a character"),
        pytest.param(signed(GOOD | {"sub": "a" * 256}), id="long sub"),
        pytest.param(signed(GOOD | {"iss": "a\0b"}), id="iss with a zero byte"),
        pytest.param(raw({"alg": "HS256"}, GOOD | {"iss": 5}), id="iss is no text"),
        pytest.param(signed(GOOD | {"exp": NOW}), id="expired now"),
        pytest.param(signed(GOOD | {"exp": NOW - 1}), id="expired"),
        pytest.param(raw({"alg": "HS256"}, GOOD | {"exp": "tomorrow"}), id="exp is text"),
        pytest.param(raw({"alg": "HS256"}, GOOD | {"exp": True}), id="exp is true"),
        pytest.param(raw({"alg": "HS256"}, b'{"sub":"ann","exp":Infinity}'), id="exp is endless"),
        pytest.param(raw({"alg": "HS256"}, b'{"sub":"ann","exp":NaN}'), id="exp is no number"),
        pytest.param(raw({"alg": "HS256"}, GOOD | {"exp": 1e300}), id="exp is far away"),
        pytest.param(signed(GOOD | {"nbf": NOW + 120}), id="not yet"),
        pytest.param(signed(GOOD | {"iat": NOW + 120}), id="from tomorrow"),
        pytest.param(signed(GOOD | {"iss": "pixgate"}), id="as if made here, without a session"),
        pytest.param(signed(GOOD)[:-2], id="cut off"),
        pytest.param(signed(GOOD) + ".x", id="four pieces"),
        pytest.param("a.b.c", id="letters"),
        pytest.param("", id="nothing"),
        pytest.param("é.é.é", id="not ASCII"),
        pytest.param(signed(GOOD | {"more": "x" * 9000}), id="too long"),
    ],
)
def test_what_is_not_believed(token: str) -> None:
    with pytest.raises(TokenRefused):
        read(token)


@pytest.mark.parametrize(("algorithm", "key"), [("RS256", RSA), ("PS256", RSA), ("ES256", EC)])
def test_a_private_key_signs_and_its_public_key_is_no_secret(algorithm: str, key: Any, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(key))
    subject = signer(jwt_algorithm=algorithm, jwt_private_key=path)
    assert read(subject.make("ann", "s1", NOW), subject).session == "s1"
    for token in (
        raw({"alg": "HS256"}, GOOD, public_pem(RSA)),
        raw({"alg": algorithm}, GOOD, public_pem(RSA)),
        signed(GOOD),
        signed(GOOD, ec.generate_private_key(ec.SECP256R1()), "ES256"),
    ):
        with pytest.raises(TokenRefused):
            read(token, subject)


def test_a_key_that_does_not_fit_is_told_of_at_the_start(tmp_path: Path) -> None:
    small = tmp_path / "small.pem"
    small.write_bytes(pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)))
    elliptic = tmp_path / "elliptic.pem"
    elliptic.write_bytes(pem(EC))
    for path in (tmp_path / "none.pem", elliptic, small, None):
        with pytest.raises(InvalidValue):
            signer(jwt_algorithm="RS256", jwt_private_key=path)


def test_without_a_secret_one_is_derived_that_nobody_can_guess() -> None:
    def derive(purpose: bytes) -> bytes:
        return hmac.digest(b"master", purpose, hashlib.sha256)

    for algorithm in ("HS256", "HS512"):
        subject = Signer(AuthSettings(jwt_algorithm=algorithm), derived_secret(derive))
        assert read(subject.make("ann", "s", NOW), subject).subject == "ann"
        other = Signer(AuthSettings(jwt_algorithm=algorithm), derived_secret(lambda _: b"x" * 32))
        with pytest.raises(TokenRefused):
            read(subject.make("ann", "s", NOW), other)


def test_a_token_is_remembered_by_what_is_signed_however_its_signature_is_written() -> None:
    token = signer().make("ann", "s", NOW)
    assert claims_digest(token) == claims_digest(token + "=")
    assert claims_digest(token) != claims_digest(signer().make("ann", "s", NOW + 1))
