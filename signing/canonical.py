"""The canonical request of Signature Version 4, as S3 wants it.

S3 differs from the other services: the path is percent-decoded once and encoded again, and never normalised, so `//`,
`.` and `..` stay. All functions work on what was sent, because a parser that had already tidied the URL would sign
something else.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol
from urllib.parse import unquote_to_bytes

UNRESERVED = (string.ascii_letters + string.digits + "-._~").encode("ascii")
"""RFC 3986 section 2.3: the bytes that are never percent-encoded."""

_UNRESERVED_AND_SLASH = UNRESERVED + b"/"
_PLAIN_QUERY = UNRESERVED + b"%=&"
_ENCODED = tuple(chr(byte) if byte in UNRESERVED else f"%{byte:02X}" for byte in range(256))
_ENCODED_PATH = tuple("/" if byte == 0x2F else text for byte, text in enumerate(_ENCODED))
_CACHED_LENGTH = 256


class HeaderItems(Protocol):
    """A multidict: names repeat, case is as sent."""

    def items(self) -> Iterable[tuple[str, str]]: ...


Headers = Iterable[tuple[str, str]] | HeaderItems | Mapping[str, str]
"""Headers as (name, value) pairs in the order sent, or anything whose `items()` gives such pairs.

Bytes that are not ASCII are text decoded as UTF-8 with `surrogateescape`, as aiohttp does.
"""


def encode(text: bytes | str) -> str:
    """Percent-encode everything but unreserved characters, hexadecimal digits in capitals."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    if not raw.translate(None, UNRESERVED):
        return raw.decode("ascii")
    return "".join(map(_ENCODED.__getitem__, raw))


def encode_path(path: bytes | str) -> str:
    """Percent-encode a decoded path: unreserved characters and `/` stay."""
    raw = path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
    if not raw.translate(None, _UNRESERVED_AND_SLASH):
        return raw.decode("ascii")
    return "".join(map(_ENCODED_PATH.__getitem__, raw))


def canonical_uri(raw_path: bytes) -> str:
    """The path as sent, decoded once and encoded again. A `+` is a plus; an empty path is `/`."""
    if not raw_path.translate(None, _UNRESERVED_AND_SLASH):
        return raw_path.decode("ascii") or "/"
    return encode_path(unquote_to_bytes(raw_path))


def decode_query(raw_query: bytes) -> list[tuple[str, str]]:
    """Parameters in the order sent, decoded exactly as `canonical_query` reads them.

    `+` is a space (S3 reads it so; clients that mean a plus send `%2B`), a name without `=` has the value `""`, empty
    pieces are skipped. Bytes that are not UTF-8 become surrogates, for the caller to refuse.
    """
    if not raw_query:
        return []
    pairs = []
    for piece in raw_query.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def canonical_query(raw_query: bytes, exclude: str = "") -> str:
    """The query string as sent, in canonical form: decoded, encoded, sorted by name and then value.

    `exclude` names the one parameter to leave out (`X-Amz-Signature`), spelled exactly so.
    """
    if not raw_query:
        return ""
    plain = not raw_query.translate(None, _PLAIN_QUERY)
    pairs = []
    for piece in raw_query.split(b"&"):
        if not piece:
            continue
        raw_name, _, raw_value = piece.partition(b"=")
        name = raw_name.decode("ascii") if plain and b"%" not in raw_name else _component(raw_name)
        if name == exclude:
            continue
        if plain and b"%" not in raw_value and b"=" not in raw_value:
            pairs.append((name, raw_value.decode("ascii")))
        else:
            pairs.append((name, _component(raw_value)))
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def header_map(headers: Headers) -> dict[str, str]:
    """Headers by lower-case name, the values of a repeated one joined with a comma in the order sent."""
    pairs: Iterable[tuple[str, str]] = headers.items() if hasattr(headers, "items") else headers
    collected: dict[str, str] = {}
    for name, value in pairs:
        lower = name.lower()
        if lower in collected:
            collected[lower] = f"{collected[lower].strip(' ')},{value.strip(' ')}"
        else:
            collected[lower] = value
    return collected


def fold(value: str) -> str:
    """A header value without spaces at its ends, and with runs of spaces and tabs inside as one space."""
    if "  " in value or "\t" in value:
        return " ".join([word for word in value.replace("\t", " ").split(" ") if word])
    return value.strip(" ")


def canonical_headers(values: Mapping[str, str], signed: Sequence[str]) -> str:
    """One line a signed header, in the order of `signed`. Raises KeyError for one that `values` lacks."""
    return "".join([f"{name}:{fold(values[name])}\n" for name in signed])


def canonical_request(method: str, uri: str, query: str, headers: str, signed: str, payload_hash: str) -> str:
    """The six parts in order: `uri`, `query` and `headers` canonical already, `signed` joined with `;`."""
    return f"{method}\n{uri}\n{query}\n{headers}\n{signed}\n{payload_hash}"


def _decode(piece: bytes) -> str:
    if b"+" in piece:
        piece = piece.replace(b"+", b" ")
    if b"%" in piece:
        piece = unquote_to_bytes(piece)
    return piece.decode("utf-8", "surrogateescape")


def _component(piece: bytes) -> str:
    # The same credential, signed headers and prefixes come with every request; long values are not worth the memory.
    return _cached_component(piece) if len(piece) <= _CACHED_LENGTH else _canonical_component(piece)


def _canonical_component(piece: bytes) -> str:
    return encode(unquote_to_bytes(piece.replace(b"+", b" ")))


_cached_component = lru_cache(maxsize=2048)(_canonical_component)
