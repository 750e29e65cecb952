"""Parameters in the path of an image URL, for CDNs that drop queries: `/img/w_300,f_webp/<image id>`.

The first segment behind `/img/` holds parameters where it has an underscore once it is decoded: neither a bucket's name
nor an image id can. It is percent-decoded once, as all of the path is; commas separate parameters, the first underscore
ends a name, and in values `%2C` is a comma, `%2F` a slash and `%25` a percent sign (so `%252C` in the URL). Taken out, it
leaves the URL that the same parameters would have in a query: what is signed is that one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote, unquote_to_bytes

from signing.canonical import encode, encode_path

PREFIX = "/img/"
_PREFIX = PREFIX.encode()
_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE_TEXT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class MalformedSegment(ValueError):
    """A segment of parameters that cannot be read."""


def segment_of(raw_path: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    """The path as sent without its segment of parameters, and these, decoded. Raises MalformedSegment.

    A slash in the segment, escaped once, is malformed: whether it ends the segment or is in a value may not depend on how
    a proxy spells it, since both spellings have the same signature.
    """
    if not raw_path.startswith(_PREFIX):
        return raw_path, []
    raw, slash, rest = raw_path[len(_PREFIX) :].partition(b"/")
    if b"_" not in raw and b"%5F" not in raw and b"%5f" not in raw:
        return raw_path, []
    if not slash or _ESCAPE.search(raw):
        raise MalformedSegment("the parameters in the path are malformed")
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedSegment("the parameters in the path are not UTF-8") from None
    if "/" in text:
        raise MalformedSegment("a slash in a parameter in the path is written %252F")
    return _PREFIX + rest, [_pair(piece) for piece in text.split(",")]


def folded(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """The decoded `path`, which has no segment of parameters, with one that holds `pairs`; percent-encoded.

    Raises ValueError for a name that cannot stand in it, and for a path that is not below /img/.
    """
    rest = path.removeprefix(PREFIX)
    if rest == path or not rest:
        raise ValueError(f"only paths below {PREFIX} take parameters")
    pieces = []
    for name, value in pairs:
        if not name or any(character in name for character in "_,/%"):
            raise ValueError(f"{name!r} cannot stand in a path")
        pieces.append(encode(f"{name}_{_escaped(value)}"))
    return f"{PREFIX}{','.join(pieces)}/{encode_path(rest)}" if pieces else encode_path(path)


def _pair(piece: str) -> tuple[str, str]:
    name, underscore, value = piece.partition("_")
    if not underscore or not name:
        raise MalformedSegment("parameters in the path are name_value, separated by commas")
    if "%" in value:
        if _ESCAPE_TEXT.search(value):
            raise MalformedSegment("a percent sign in a parameter in the path is written %2525")
        try:
            value = unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise MalformedSegment("the parameters in the path are not UTF-8") from None
    return name, value


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace(",", "%2C").replace("/", "%2F")
