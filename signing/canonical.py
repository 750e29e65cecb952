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


class Query:
    """A query string as sent, taken apart once: decoded for who acts on it, encoded for who verifies it.

    Both come from the same pass, so that what is signed is what is read.
    """

    __slots__ = ("_encoded", "pairs")

    pairs: list[tuple[str, str]]
    """(name, value) in the order sent.

    `+` is a space (S3 reads it so; clients that mean a plus send `%2B`), a name without `=` has the value `""`, empty
    pieces are skipped. Bytes that are not UTF-8 are surrogates, for the caller to refuse.
    """

    def __init__(self, raw: bytes) -> None:
        self.pairs = pairs = []
        self._encoded: list[str] = []
        encoded = self._encoded
        if not raw:
            return
        if raw.translate(None, _PLAIN_QUERY):
            for piece in raw.split(b"&"):
                if piece:
                    name, value, canonical = _piece(piece)
                    pairs.append((name, value))
                    encoded.append(canonical)
            return
        # Encoded pieces hold a NUL for the `=`: as strings they then sort by name first and value second.
        for text in raw.decode("ascii").replace("=", "\0").split("&"):
            name, separator, value = text.partition("\0")
            if separator and "%" not in text and "\0" not in value:
                pairs.append((name, value))
                encoded.append(text)
            elif text:
                name, value, canonical = _piece(text.replace("\0", "=").encode("ascii"))
                pairs.append((name, value))
                encoded.append(canonical)

    def canonical(self, exclude: str = "") -> str:
        """Encoded, and sorted by name and then value, without the parameter named `exclude` (spelled exactly so)."""
        encoded = self._encoded
        if exclude:
            prefix = exclude + "\0"
            encoded = [piece for piece in encoded if not piece.startswith(prefix)]
        return "&".join(sorted(encoded)).replace("\0", "=")


def decode_query(raw_query: bytes) -> list[tuple[str, str]]:
    """The decoded parameters of a query string, as in `Query.pairs`."""
    return Query(raw_query).pairs


def canonical_query(raw_query: bytes, exclude: str = "") -> str:
    """The canonical form of a query string, as of `Query.canonical`."""
    return Query(raw_query).canonical(exclude)


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


def _piece(piece: bytes) -> tuple[str, str, str]:
    # The same credential, signed headers and prefixes come with every request; long values are not worth the memory.
    return _cached_piece(piece) if len(piece) <= _CACHED_LENGTH else _decode_piece(piece)


def _decode_piece(piece: bytes) -> tuple[str, str, str]:
    raw_name, _, raw_value = piece.replace(b"+", b" ").partition(b"=")
    name, value = unquote_to_bytes(raw_name), unquote_to_bytes(raw_value)
    return (
        name.decode("utf-8", "surrogateescape"),
        value.decode("utf-8", "surrogateescape"),
        f"{encode(name)}\0{encode(value)}",
    )


_cached_piece = lru_cache(maxsize=2048)(_decode_piece)
