"""What an image URL asks for, taken apart as sent and before anything is looked up.

    /img/<image id>?w=300&exp=...&kid=...&sig=...
    /img/<bucket>/<key>?w=300
    /img/w_300,f_webp/<image id>                   parameters in the path (signing/image_path.py)
    /img/w_300,h_200/<image id>.webp               behind an id, a format
    /img/<image id>/info                           and placeholder, srcset
    /img/-/info/<bucket>/<key>                     the same for a key, which may itself end in /info

The raw path is cut before it is decoded: a `%2F` belongs to the key, `//` and `..` stay, `+` is a plus.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from gateway.img.signature import LinkSignature, Signature
from gateway.model.objects import MAX_KEY_BYTES
from gateway.services.images import is_image_id
from signing.canonical import Query, encode, encode_path
from signing.image_link import parse_link
from signing.image_path import MalformedSegment, folded, segment_of
from transforms.formats import OUTPUT_FORMATS, PASSED_FORMATS
from transforms.options import ImageRequest, parse_request

PREFIX = "/img/"
IMAGE = "image"
VERBS = ("info", "placeholder", "srcset")
"""What can be asked of an image besides its renditions."""
EXTENSIONS = frozenset({*OUTPUT_FORMATS, *PASSED_FORMATS, "jpg", "tif"})
"""What may stand behind an image id: `.webp` is `f=webp`."""
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SIGV4 = frozenset({"X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential"})
_CACHED_LENGTH = 512
SHARE = "share"
"""The parameter with the token of a shared link. It says nothing about pixels, and is no option."""
_NO_QUERY = Query(b"")
_PRESET = frozenset({"p", "preset"})
_NOWHERE = "The path is /img/<image id> or /img/<bucket>/<key>."


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
    """A URL. Made by `make_target`."""

    address: Address
    pairs: tuple[tuple[str, str], ...]
    """The options as given, without what belongs to a signature; of a verb, its own parameters."""
    named: frozenset[str]
    """The names of the options, as they were spelled."""
    fixed: ImageRequest | None
    """What is asked, where that depends on no preset."""
    preset: str | None = None
    signature: Signature | None = None
    """It is a signed link, not verified."""
    presigned: bool = False
    """Its query authenticates as S3 does."""
    raw_path: bytes = b""
    query: Query = _NO_QUERY
    verb: str = IMAGE
    share: str | None = None
    """The token of a shared link, not looked up."""
    by_presets: bool = False
    """Of a foreign URL: the options are those of presets in the settings, beside a preset that `preset` may name."""

    def preset_text(self, find: Callable[[str], str | None]) -> str | None:
        """The compact form of the preset that is named; None where none is, or none is found."""
        return None if self.preset is None else find(self.preset)

    def request(self, find: Callable[[str], str | None]) -> ImageRequest:
        """What is asked, with the presets that `find` knows by name. Raises OptionError."""
        if self.fixed is not None:
            return self.fixed
        return _with_preset(self.pairs, self.preset or "", find(self.preset or ""))

    def with_version(self, tag: str) -> str:
        """Path and query of an unsigned URL with `v=tag`."""
        plain, given = segment_of(self.raw_path)
        pairs = [(name, tag if name == "v" else value) for name, value in (*given, *self.query.pairs)]
        return url_of(unquote_to_bytes(plain).decode("utf-8", "replace"), pairs, in_path=bool(given))


def url_of(path: str, pairs: Iterable[tuple[str, str]], *, in_path: bool = False) -> str:
    """Path and query for a decoded path and pairs; `in_path` writes these into the path."""
    if in_path:
        return folded(path, pairs)
    query = "&".join(f"{encode(name)}={encode(value)}" for name, value in pairs)
    return encode_path(path) + (f"?{query}" if query else "")


def changed_by_browsers(key: bytes) -> bool:
    """Whether a URL with this key asks for another one from a browser, which resolves `.` and `..` however they are escaped."""
    return not {b".", b".."}.isdisjoint(key.split(b"/"))


def make_target(
    address: Address,
    pairs: Iterable[tuple[str, str]],
    signature: Signature | None = None,
    *,
    presigned: bool = False,
    raw_path: bytes = b"",
    query: Query = _NO_QUERY,
    verb: str = IMAGE,
    share: str | None = None,
    by_presets: bool = False,
) -> Target:
    """A target whose options are well-formed. Raises OptionError."""
    given = tuple(pairs)
    named = frozenset(name for name, _ in given)
    preset = None
    fixed: ImageRequest | None
    if verb != IMAGE:
        fixed = _NOTHING
    elif named.isdisjoint(_PRESET):
        fixed = parse_request(given)
    else:
        fixed = None
        preset = parse_request(given, lambda _: "").delivery.p
    return Target(
        address=address,
        pairs=given,
        named=named,
        fixed=fixed,
        preset=preset,
        signature=signature,
        presigned=presigned,
        raw_path=raw_path,
        query=query,
        verb=verb,
        share=share,
        by_presets=by_presets,
    )


_NOTHING = parse_request(())


@lru_cache(maxsize=4096)
def _with_preset(pairs: tuple[tuple[str, str], ...], name: str, text: str | None) -> ImageRequest:
    return parse_request(pairs, lambda asked: text if asked == name else None)


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
    try:
        plain, given = segment_of(raw_path)
    except MalformedSegment as error:
        raise AddressError(f"The path is malformed: {error}.") from None
    address, verb, extension = parse_path(plain.decode("utf-8", "surrogateescape"))
    claims = parse_link(raw_path, raw_query)
    query = Query(raw_query)
    presigned = claims is None and any(name in _SIGV4 for name, _ in query.pairs)
    if claims is not None:
        pairs = list(claims.parameters)
    elif presigned or signed_header:
        pairs = given + [(name, value) for name, value in query.pairs if not _of_an_sdk(name)]
    else:
        pairs = given + query.pairs
    shares = [value for name, value in pairs if name == SHARE] if claims is None else []
    if len(shares) == 1:
        pairs = [pair for pair in pairs if pair[0] != SHARE]
    if extension is not None:
        pairs.append(("f", extension))
    return make_target(
        address,
        pairs,
        None if claims is None else LinkSignature(claims),
        presigned=presigned,
        raw_path=raw_path,
        query=query,
        verb=verb,
        share=shares[0] if len(shares) == 1 else None,
    )


_cached = lru_cache(maxsize=4096)(_parse)


def parse_path(path: str) -> tuple[Address, str, str | None]:
    """The image that a raw path without parameters names, what is asked of it, and the format behind an id.

    Raises AddressError.
    """
    rest = path.removeprefix(PREFIX)
    if rest == path:
        raise AddressError(_NOWHERE, missing=True)
    first, slash, tail = rest.partition("/")
    if first == "-":
        verb, _, rest = tail.partition("/")
        if verb not in VERBS:
            raise AddressError(f"Behind /img/-/ comes one of {', '.join(VERBS)}, options or explain.", missing=True)
        address, extension = _named(rest)
        if extension is not None:
            raise AddressError("Only renditions have a format.", missing=True)
        return address, verb, None
    if slash and tail in VERBS and is_image_id(first):
        return ImageById(first), tail, None
    address, extension = _named(rest)
    return address, IMAGE, extension


def parse_address(path: str) -> Address:
    """The image that a raw path `/img/...` names. Raises AddressError."""
    return parse_path(path)[0]


def _named(rest: str) -> tuple[Address, str | None]:
    """The image that `<image id>[.<format>]` or `<bucket>/<key>` names, and the format."""
    first, slash, tail = rest.partition("/")
    name = _decode(first).decode("utf-8", "replace")
    if not slash:
        image_id, dot, extension = name.partition(".")
        if is_image_id(image_id) and (not dot or extension in EXTENSIONS):
            return ImageById(image_id), extension or None
        raise AddressError("This is no image id; the other form is /img/<bucket>/<key>.", missing=True)
    key = _decode(tail)
    if not name or not key:
        raise AddressError(_NOWHERE, missing=True)
    if len(key) > MAX_KEY_BYTES:
        raise AddressError(f"The key is longer than {MAX_KEY_BYTES} bytes.")
    try:
        key.decode("utf-8")
    except UnicodeDecodeError:
        raise AddressError("The key is not valid UTF-8.") from None
    return ImageByKey(name, key), None


def _decode(raw: str) -> bytes:
    if _BAD_ESCAPE.search(raw):
        raise AddressError("The path holds a percent sign that is not followed by two hexadecimal digits.")
    return unquote_to_bytes(raw.encode("utf-8", "surrogateescape"))


def _of_an_sdk(name: str) -> bool:
    """Whether a parameter belongs to S3's authentication, or is one that an SDK adds to every GetObject."""
    return name[:6].lower() == "x-amz-" or name == "x-id"
