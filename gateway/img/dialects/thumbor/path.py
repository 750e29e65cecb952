"""A path of thumbor or imagor, part by part, each of which may be left out:

    /<signature or unsafe>/trim/AxB:CxD/adaptive-full-fit-in/-WxH-/halign/valign/smart/filters:.../<source>

imagor has `stretch` before the size, and a padding `GxH:IxJ` behind it. The path is cut as sent; only the source and the
arguments of filters are decoded. Of thumbor a query belongs to the source, of imagor it is no part of the URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from urllib.parse import quote

from gateway.img.dialects.arguments import base64_text, refuse, unescaped_text, unsupported, whole
from gateway.img.dialects.reading import Reading, Split
from gateway.img.dialects.sources import Sources
from gateway.img.dialects.thumbor.asked import Filters, Parts
from gateway.img.dialects.thumbor.pairs import delivery, pairs_of
from gateway.img.dialects.thumbor.table import read_filters
from gateway.img.target import AddressError, ImageByKey
from signing.errors import LinkRefused

Family = Literal["thumbor", "imagor"]
UNSIGNED = "unsafe"
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{8,90}(=|%3[Dd]){0,2}\Z")
_TRIM = re.compile(r"trim(:(top-left|bottom-right))?(:([0-9]{1,4}))?\Z")
_CROP = re.compile(r"([0-9.]{1,9})x([0-9.]{1,9}):([0-9.]{1,9})x([0-9.]{1,9})\Z")
_FIT_IN = re.compile(r"(adaptive-)?(full-)?fit-in\Z")
_SIZE = re.compile(r"(-?)([0-9]{0,6}|orig)x(-?)([0-9]{0,6}|orig)\Z")
_PADDING = re.compile(r"([0-9]{1,5})x([0-9]{1,5})(?::([0-9]{1,5})x([0-9]{1,5}))?\Z")
_COLLAPSED = re.compile(r"((?:^|[/(])(?:https?|s3)):/(?!/)")
_NOT_QUOTED = "/:?%=&()\",'"
"""What thumbor leaves as it is when it spells a path before checking its signature."""
_EUCLIDEAN = Decimal(3).sqrt()
"""Between a distance in RGB, which thumbor's tolerance is, and a difference in each channel."""


@dataclass(frozen=True, slots=True)
class ThumborRules:
    """What thumbor has in its configuration and we in our settings."""

    sources: Sources
    auto_format: bool = False


def split(target: str, family: Family) -> Split:
    """A raw path without the dialect's prefix, with its query. Raises AddressError, and LinkRefused without a signature."""
    if family == "imagor":
        target = target.partition("?")[0]
    first, slash, rest = target.removeprefix("/").partition("/")
    if not slash or not first or not rest:
        raise AddressError("The path is /<signature or unsafe>/<size>/<filters>/<source>.", missing=True)
    if first != UNSIGNED and not _SIGNATURE.match(first):
        raise LinkRefused
    rest = _whole_schemes(rest)
    signature = None if first == UNSIGNED else first.replace("%3D", "=").replace("%3d", "=")
    return Split(signature, _spellings(rest), rest)


def read(rest: str, family: Family, rules: ThumborRules) -> Reading:
    """What stands behind the signature. Raises AddressError and OptionError."""
    parts, behind = _parts(rest, family)
    filters, image = _filters(behind, family)
    source = _source(image)
    address = rules.sources.locate(source, guess_scheme=True)
    pairs = pairs_of(
        parts,
        filters,
        locate=lambda text: _object(rules.sources.locate(text, guess_scheme=True)),
        auto_format=rules.auto_format,
    )
    return Reading(
        dialect=family,
        source=source,
        address=address,
        pairs=(*pairs, *delivery(filters, address)),
        expires=filters.expires,
    )


def _spellings(rest: str) -> tuple[bytes, ...]:
    """A path as sent, and as thumbor spells it."""
    raw = rest.encode("utf-8", "surrogateescape")
    quoted = quote(raw, safe=_NOT_QUOTED).encode("ascii")
    return (raw,) if raw == quoted else (raw, quoted)


def _parts(rest: str, family: Family) -> tuple[Parts, str]:
    """The parts before the filters, and what is left."""
    parts = Parts()
    steps = _STEPS[family]
    for step in steps:
        segment, slash, behind = rest.partition("/")
        if slash and step(parts, segment):
            rest = behind
    return parts, rest


def _filters(rest: str, family: Family) -> tuple[Filters, str]:
    """The filters and the source behind them."""
    if not rest.startswith("filters:"):
        return Filters(family), rest
    text = rest.removeprefix("filters:")
    depth = 0
    for index, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "/" and depth <= 0:
            return read_filters(text[:index], family), text[index + 1 :]
    raise refuse("filters", "a bracket behind the arguments of each, and the source behind a slash")


def _source(image: str) -> str:
    if not image:
        raise AddressError("The path names no source.", missing=True)
    if image.startswith("b64:"):
        return base64_text("source", image.removeprefix("b64:"))
    if image.startswith("color:"):
        raise unsupported("color:", "an image of a bucket, as none is made from a colour alone")
    return unescaped_text("source", image)


def _whole_schemes(rest: str) -> str:
    """The path with the slashes of `scheme://` that proxies on the way have made one."""
    return _COLLAPSED.sub(r"\1://", rest)


# --- the parts of the path, in its order: whether a segment is one, and then what it says


def _refused(name: str, why: str) -> Callable[[Parts, str], bool]:
    def step(_: Parts, segment: str) -> bool:
        if segment == name:
            raise unsupported(name, why)
        return False

    return step


def _trim(scale: Decimal) -> Callable[[Parts, str], bool]:
    def step(parts: Parts, segment: str) -> bool:
        match = _TRIM.match(segment)
        if match is None:
            return False
        if match[2] == "bottom-right":
            raise unsupported("trim", "the colour of the top left corner")
        parts.trim = Decimal(match[4] or 0) / scale
        return True

    return step


def _crop(parts: Parts, segment: str) -> bool:
    match = _CROP.match(segment)
    if match is None:
        return False
    try:
        left, top, right, bottom = (Decimal(side) for side in match.groups())
    except ArithmeticError:
        return False
    if any((left, top, right, bottom)):
        parts.crop = (left, top, right, bottom)
    return True


def _fit_in(parts: Parts, segment: str) -> bool:
    match = _FIT_IN.match(segment)
    if match is None:
        return False
    if match[1] and match[2]:
        raise unsupported(segment, "adaptive-fit-in or full-fit-in")
    parts.fit = "adaptive" if match[1] else "outside" if match[2] else "inside"
    return True


def _stretch(parts: Parts, segment: str) -> bool:
    if segment != "stretch":
        return False
    parts.fit = "fill"
    return True


def _size(parts: Parts, segment: str) -> bool:
    match = _SIZE.match(segment)
    if match is None:
        return False
    mirrored, width, upside_down, height = match.groups()
    if "orig" in (width, height):
        if width != height and (width, height) not in (("orig", ""), ("", "orig"), ("orig", "0"), ("0", "orig")):
            raise unsupported("orig", "orig for both sides, or numbers")
    else:
        parts.width, parts.height = (whole("size", side or "0") for side in (width, height))
    parts.flip = ("h" if mirrored else "") + ("v" if upside_down else "")
    return True


def _padding(parts: Parts, segment: str) -> bool:
    match = _PADDING.match(segment)
    if match is None:
        return False
    left, top, right, bottom = (int(side) if side else None for side in match.groups())
    parts.padding = (
        top or 0,
        (left if right is None else right) or 0,
        (top if bottom is None else bottom) or 0,
        left or 0,
    )
    return True


def _across(parts: Parts, segment: str) -> bool:
    if segment not in ("left", "center", "right"):
        return False
    parts.across = {"left": "w", "right": "e"}.get(segment, "")
    return True


def _down(parts: Parts, segment: str) -> bool:
    if segment not in ("top", "middle", "bottom"):
        return False
    parts.down = {"top": "n", "bottom": "s"}.get(segment, "")
    return True


def _smart(parts: Parts, segment: str) -> bool:
    if segment != "smart":
        return False
    parts.smart = True
    return True


_META = _refused("meta", "/img/-/info/<bucket>/<key>")
_STEPS: dict[Family, tuple[Callable[[Parts, str], bool], ...]] = {
    "thumbor": (
        _refused("debug", "a picture without marks"),
        _META,
        _trim(_EUCLIDEAN),
        _crop,
        _fit_in,
        _size,
        _across,
        _down,
        _smart,
    ),
    "imagor": (
        _refused("params", "explain"),
        _META,
        _trim(Decimal(1)),
        _crop,
        _fit_in,
        _stretch,
        _size,
        _padding,
        _across,
        _down,
        _smart,
    ),
}


def _object(address: ImageByKey) -> str:
    return f"{address.bucket}/{address.key.decode('utf-8')}"
