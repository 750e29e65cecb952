"""Signed links to images: `/img/<...>?w=300&exp=<unix seconds>&kid=<key id>&sig=<base64url HMAC-SHA256>`.

Three lines are signed: `pixgate-img-v1`, the path, and all parameters but `sig`. Path and parameters are decoded once
and encoded canonically first, so a CDN that re-encodes or reorders them breaks nothing. Parameters may stand in the path
instead (signing/image_path.py): that is the same link, and has the same signature. The specification, with vectors and
functions for other languages, is docs/reference/signing-image-links.md.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from signing.canonical import decode_query, encode, encode_path
from signing.errors import LinkRefused
from signing.image_path import MalformedSegment, folded, segment_of
from signing.link_bindings import UNBOUND, Bindings, parse_bindings

VERSION = "pixgate-img-v1"
RESERVED = ("exp", "kid", "sig")
"""The parameters that every signature needs."""
BOUND = ("ref", "ip")
"""The parameters that bind a signed link to the page or the network that it is used from."""
OWN = frozenset({*RESERVED, *BOUND})
"""The parameters of a signed link that are not the image's."""

_HEX = frozenset(b"0123456789abcdefABCDEF")
_SIGNATURE_LENGTH = 43
_MAX_KEY_ID = 128


@dataclass(frozen=True, slots=True)
class LinkClaims:
    """What a link says of itself, well-formed but not verified.

    `expires` is in Unix seconds, `path` decoded and without parameters, `parameters` are those of the image, decoded and
    in the order sent. `in_path`: they stood in the path.
    """

    key_id: str
    expires: int
    signature: str
    string_to_sign: str
    parameters: tuple[tuple[str, str], ...]
    path: str = ""
    bindings: Bindings = UNBOUND
    in_path: bool = False


def s3_link_key(secret: str) -> bytes:
    """The key that an S3 access key signs links with: HMAC-SHA256(secret, "pixgate-img-v1"), 32 bytes."""
    return hmac.digest(secret.encode(), VERSION.encode(), "sha256")


def raw_link_key(secret: str) -> bytes:
    """The key that a link key signs with: its secret in UTF-8. It opens no other door, so nothing is derived."""
    return secret.encode()


def sign_link(
    path: str,
    parameters: Iterable[tuple[str, str]],
    *,
    key_id: str,
    key: bytes,
    expires: int,
    bindings: Bindings = UNBOUND,
    in_path: bool = False,
) -> str:
    """The link, as path and query, for a decoded path such as `/img/photos/at the sea.jpg`; good until `expires`.

    `in_path` writes the parameters into the path. Raises ValueError for a parameter that belongs to the signature, for
    one whose name cannot stand in a path, and for a path that does not start with a slash.
    """
    if not path.startswith("/"):
        raise ValueError("the path starts with a slash")
    if "_" in path.removeprefix("/img/").partition("/")[0] and path.count("/") > 2:
        raise ValueError("parameters in the path are given apart from it")
    pairs = list(parameters)
    for name, _ in pairs:
        if name in OWN:
            raise ValueError(f"{name} is added by signing")
    pairs += [*bindings.pairs(), ("exp", str(expires)), ("kid", key_id)]
    encoded_path = encode_path(path)
    query = [f"{encode(name)}={encode(value)}" for name, value in pairs]
    signature = _signature(key, _string_to_sign(encoded_path, query))
    if in_path:
        return folded(path, [*pairs, ("sig", signature)])
    return f"{encoded_path}?{'&'.join(query)}&sig={signature}"


def sign_url(
    url: str,
    *,
    key_id: str,
    key: bytes,
    expires: int,
    bindings: Bindings = UNBOUND,
    in_path: bool = False,
) -> str:
    """The same for a path and query percent-encoded already, whose parameters may stand in the path.

    `in_path` writes all of them there. Raises ValueError, and LinkRefused for bad escapes.
    """
    path, _, query = url.partition("?")
    plain, given = _segment(path.encode())
    pairs = [*given, *_parse_query(query.encode())]
    path = _text(_unquote(plain))
    return sign_link(
        path, pairs, key_id=key_id, key=key, expires=expires, bindings=bindings, in_path=in_path or bool(given)
    )


def parse_link(raw_path: bytes, raw_query: bytes) -> LinkClaims | None:
    """The claims of a link, or None where it has none of exp, kid and sig.

    Raises LinkRefused where they are incomplete, repeated or malformed, where an escape is not two hexadecimal digits,
    and for text that is not UTF-8.
    """
    signed_in_path = False
    given: list[tuple[str, str]] = []
    try:
        plain, given = segment_of(raw_path)
    except MalformedSegment:
        plain = raw_path
    else:
        signed_in_path = any(name in RESERVED for name, _ in given)
    if not signed_in_path and not any(name in RESERVED for name, _ in decode_query(raw_query)):
        return None
    pairs = [*given, *_parse_query(raw_query)]
    claims = {name: value for name, value in pairs if name in OWN}
    if not claims.keys() >= {*RESERVED} or sum(name in OWN for name, _ in pairs) != len(claims):
        raise LinkRefused
    expires, key_id, signature = claims["exp"], claims["kid"], claims["sig"]
    if not (0 < len(expires) <= 12 and expires.isascii() and expires.isdigit()):
        raise LinkRefused
    if not 0 < len(key_id) <= _MAX_KEY_ID or len(signature) != _SIGNATURE_LENGTH or not signature.isascii():
        raise LinkRefused
    try:
        bindings = parse_bindings(claims.get("ref"), claims.get("ip"))
    except ValueError:
        raise LinkRefused from None
    path = _text(_unquote(plain))
    return LinkClaims(
        key_id=key_id,
        expires=int(expires),
        signature=signature,
        string_to_sign=_string_to_sign(
            encode_path(path), [f"{encode(name)}={encode(value)}" for name, value in pairs if name != "sig"]
        ),
        parameters=tuple((name, value) for name, value in pairs if name not in OWN),
        path=path,
        bindings=bindings,
        in_path=bool(given),
    )


def verify_link(
    claims: LinkClaims, key: bytes | None, now: float, *, referer: str | None = None, address: str | None = None
) -> None:
    """Raises LinkRefused unless the link was signed with this key and `now` (Unix seconds) is not after its expiry.

    `key` is None where the key id is unknown or disabled: that takes as long and looks the same as a wrong signature.
    `referer` is the header, `address` the client's: what a bound link is bound to.
    """
    expected = _signature(key if key is not None else b"\0" * 32, claims.string_to_sign)
    matches = hmac.compare_digest(expected, claims.signature)
    if not matches or key is None or now > claims.expires or not claims.bindings.allow(referer, address):
        raise LinkRefused


def _segment(raw_path: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    try:
        return segment_of(raw_path)
    except MalformedSegment:
        raise LinkRefused from None


def _string_to_sign(encoded_path: str, encoded_pairs: list[str]) -> str:
    return f"{VERSION}\n{encoded_path}\n{'&'.join(sorted(encoded_pairs))}"


def _signature(key: bytes, text: str) -> str:
    return urlsafe_b64encode(hmac.digest(key, text.encode("ascii"), "sha256")).rstrip(b"=").decode("ascii")


def _parse_query(raw_query: bytes) -> list[tuple[str, str]]:
    pairs = []
    for piece in raw_query.split(b"&"):
        if piece:
            name, _, value = piece.replace(b"+", b" ").partition(b"=")
            pairs.append((_text(_unquote(name)), _text(_unquote(value))))
    return pairs


def _unquote(raw: bytes) -> bytes:
    if b"%" not in raw:
        return raw
    # Each language's decoder does something else with a broken escape; what has two readings is not signed.
    for escape in raw.split(b"%")[1:]:
        if len(escape) < 2 or escape[0] not in _HEX or escape[1] not in _HEX:
            raise LinkRefused
    return unquote_to_bytes(raw)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise LinkRefused from None
