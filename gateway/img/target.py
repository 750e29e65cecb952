"""What an image URL asks for, taken apart as sent and before anything is looked up.

    /img/<image id>?w=300&exp=...&kid=...&sig=...
    /img/<bucket>/<key>?w=300

The raw path is cut before it is decoded: a `%2F` belongs to the key, `//` and `..` stay, `+` is a plus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from gateway.model import MAX_KEY_BYTES
from gateway.services.images import is_image_id
from signing.canonical import Query
from signing.image_link import LinkClaims, parse_link
from transforms.options import Options, parse_query

PREFIX = "/img/"
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SIGV4 = frozenset({"X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential"})
_CACHED_LENGTH = 512


class AddressError(Exception):
    """The path leads to no image, whatever is stored. `missing`: it is well-formed all the same."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class ImageById:
    """One version, by the id that its PUT gave out."""

    image_id: str


@dataclass(frozen=True, slots=True)
class ImageByKey:
    """What a key means now."""

    bucket: str
    key: bytes


Address = ImageById | ImageByKey


@dataclass(frozen=True, slots=True)
class Target:
    """A URL. `claims`: it is a signed link, not verified. `presigned`: its query authenticates as S3 does."""

    address: Address
    options: Options
    claims: LinkClaims | None
    presigned: bool
    raw_path: bytes
    query: Query
    named: frozenset[str]
    """The names of the options that were given, as they were spelled."""


def parse_target(target: str, *, signed_header: bool) -> Target:
    """The parts of a request target. `signed_header`: the request has an Authorization header.

    Raises AddressError, OptionError, and LinkRefused for a malformed signature.
    """
    # What the same URL means does not change, and most requests are for few URLs.
    return (_cached if len(target) <= _CACHED_LENGTH else _parse)(target, signed_header)


def _parse(target: str, signed_header: bool) -> Target:
    path, _, query_text = target.partition("?")
    raw_path = path.encode("utf-8", "surrogateescape")
    raw_query = query_text.encode("utf-8", "surrogateescape")
    address = parse_address(path)
    claims = parse_link(raw_path, raw_query)
    query = Query(raw_query)
    presigned = claims is None and any(name in _SIGV4 for name, _ in query.pairs)
    if claims is not None:
        pairs = list(claims.parameters)
    elif presigned or signed_header:
        pairs = [(name, value) for name, value in query.pairs if not _of_an_sdk(name)]
    else:
        pairs = query.pairs
    return Target(
        address=address,
        options=parse_query(pairs),
        claims=claims,
        presigned=presigned,
        raw_path=raw_path,
        query=query,
        named=frozenset(name for name, _ in pairs),
    )


_cached = lru_cache(maxsize=4096)(_parse)


def parse_address(path: str) -> Address:
    """The image that a raw path names. Raises AddressError."""
    rest = path.removeprefix(PREFIX)
    if not rest or rest == path:
        raise AddressError("The path is /img/<image id> or /img/<bucket>/<key>.", missing=True)
    first, slash, tail = rest.partition("/")
    name = _decode(first).decode("utf-8", "replace")
    if not slash:
        if is_image_id(name):
            return ImageById(name)
        raise AddressError("This is no image id; the other form is /img/<bucket>/<key>.", missing=True)
    key = _decode(tail)
    if not name or not key:
        raise AddressError("The path is /img/<image id> or /img/<bucket>/<key>.", missing=True)
    if len(key) > MAX_KEY_BYTES:
        raise AddressError(f"The key is longer than {MAX_KEY_BYTES} bytes.")
    try:
        key.decode("utf-8")
    except UnicodeDecodeError:
        raise AddressError("The key is not valid UTF-8.") from None
    return ImageByKey(name, key)


def _decode(raw: str) -> bytes:
    if _BAD_ESCAPE.search(raw):
        raise AddressError("The path holds a percent sign that is not followed by two hexadecimal digits.")
    return unquote_to_bytes(raw.encode("utf-8", "surrogateescape"))


def _of_an_sdk(name: str) -> bool:
    """Whether a parameter belongs to S3's authentication, or is one that an SDK adds to every GetObject."""
    return name[:6].lower() == "x-amz-" or name == "x-id"
