"""Signatures of imgproxy, thumbor and imagor: the vectors that those projects publish."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing.dialect_signatures import imgproxy_holds, imgproxy_signature, thumbor_holds, thumbor_signature

# docs.imgproxy.net, "Signing a URL" (key `secret`, salt `hello`), and imgproxy's security/signature_test.go.
IMGPROXY = [
    (
        b"secret",
        b"hello",
        "/fill/300/400/sm/0/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png",
        32,
        "AfrOrF3gWeDA6VOlDG4TzxMv39O7MXnF4CXpKUwGqRM",
    ),
    (b"test-key", b"test-salt", "/asd", 32, "oWaL7QoW5TsgbuiS9-5-DI8S3Ibbo1gdB2SteJh3a20"),
    (b"test-key", b"test-salt", "/asd", 8, "oWaL7QoW5Ts"),
    (b"test-key2", b"test-salt2", "/asd", 32, "jYz1UZ7j1BCdSzH3pZhaYf0iuz0vusoOTdqJsUT6WXI"),
]

# imagor's README ("URL Signature", "Custom HMAC Signer") and imagorpath/params_test.go.
_GOPHER = "500x500/top/raw.githubusercontent.com/cshum/imagor/master/testdata/gopher.png"
_META = "meta/10x11:12x13/fit-in/-300x-200/5x6/left/top/smart/filters:some_filter()/img"
THUMBOR = [
    ("mysecret", _GOPHER, "sha1", 0, "cST4Ko5_FqwT3BDn-Wf4gO3RFSk="),
    ("mysecret", _GOPHER, "sha256", 40, "IGEn3TxngivD0jy4uuiZim2bdUCvhcnVi1Nm0xGy"),
    ("1234", _META, "sha1", 0, "VTAq7YIRbEXgtwAcsTMhAjvBuT8="),
    ("1234", _META, "sha256", 40, "XBCO7esuLsNQuSF2v9ie36pESRGx2rzLjhUxXWnV"),
    ("abcd", "assfasf", "sha256", 28, "zb6uWXQxwJDOe_zOgxkuj96Etrsz"),
]


@pytest.mark.parametrize(("key", "salt", "path", "size", "signature"), IMGPROXY)
def test_imgproxys_vectors(key: bytes, salt: bytes, path: str, size: int, signature: str) -> None:
    assert imgproxy_signature(key, salt, path.encode(), size) == signature
    assert imgproxy_holds(signature, key, salt, path.encode(), size)
    assert imgproxy_holds(signature + "=" * (-len(signature) % 4), key, salt, path.encode(), size), "padded"
    assert not imgproxy_holds(signature, key, salt, path.encode() + b"x", size)
    assert not imgproxy_holds(signature, key, salt + b"x", path.encode(), size)


@pytest.mark.parametrize(("key", "path", "algorithm", "length", "signature"), THUMBOR)
def test_thumbors_and_imagors_vectors(key: str, path: str, algorithm: str, length: int, signature: str) -> None:
    assert thumbor_signature(key.encode(), path.encode(), algorithm, length) == signature  # type: ignore[arg-type]
    paths = [b"another", path.encode()]
    assert thumbor_holds(signature, key.encode(), paths, algorithm, length)  # type: ignore[arg-type]
    assert not thumbor_holds(signature, key.encode(), paths[:1], algorithm, length)  # type: ignore[arg-type]


def test_a_part_of_a_signature_is_none() -> None:
    whole = imgproxy_signature(b"k", b"s", b"/p")
    assert not imgproxy_holds(whole[:11], b"k", b"s", b"/p"), "eight bytes are not enough where 32 are asked for"
    assert not imgproxy_holds(whole, b"k", b"s", b"/p", 8), "nor are 32 right where eight are asked for"
    for empty in ("", "=", "===="):
        assert not imgproxy_holds(empty, b"k", b"s", b"/p")
        assert not thumbor_holds(empty, b"k", [b"p"])


@given(st.text(max_size=80), st.binary(min_size=1, max_size=40), st.binary(max_size=20), st.binary(max_size=60))
def test_any_text_is_judged(signature: str, key: bytes, salt: bytes, path: bytes) -> None:
    digest = base64.urlsafe_b64encode(hmac.new(key, salt + path, hashlib.sha256).digest()).decode().rstrip("=")
    assert imgproxy_holds(digest, key, salt, path)
    assert imgproxy_holds(signature, key, salt, path) == (signature.rstrip("=") == digest)
    assert not thumbor_holds(signature, key, [path])
