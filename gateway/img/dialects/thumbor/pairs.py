"""What the path and the filters of a thumbor or imagor URL come to in our options."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import PurePosixPath

from gateway.img.dialects.arguments import refuse, rounded, unsupported, written
from gateway.img.dialects.reading import Pair
from gateway.img.dialects.thumbor.asked import Filters, Parts
from gateway.img.target import ImageByKey

_WHOLE_SIDE = 65_535
_OPPOSITE = {"n": "s", "s": "n", "w": "e", "e": "w"}
_AGAINST_THE_CLOCK = "nwse"
"""The edges in the order in which a quarter turn against the clock brings one to the place of the next."""


def pairs_of(parts: Parts, filters: Filters, *, locate: Callable[[str], str], auto_format: bool) -> list[Pair]:
    """Our options; `locate` gives the value of `wm` for a source. Raises OptionError."""
    if filters.raw:
        return [("raw", "1")]
    pairs = _geometry(parts, filters)
    if filters.background not in (None, "transparent"):
        pairs.append(("bg", str(filters.background)))
    if filters.radius:
        pairs.append(("radius", str(filters.radius)))
    pairs += filters.pixels
    pairs += _overlay(filters, locate)
    if filters.format is not None:
        pairs.append(("f", filters.format))
    elif auto_format:
        pairs.append(("f", "auto"))
    return pairs


def delivery(filters: Filters, address: ImageByKey) -> list[Pair]:
    """`dl`, where the picture is to be saved."""
    if filters.download is None:
        return []
    # What stands behind the dot follows from the picture.
    return [("dl", filters.download or PurePosixPath(address.key.decode("utf-8")).stem)]


def _geometry(parts: Parts, filters: Filters) -> list[Pair]:
    pairs: list[Pair] = []
    if filters.orient and (parts.crop is not None or filters.focal is not None):
        raise unsupported("orient", "rotate beside a crop or a focal point, which are of the picture as it is stored")
    if parts.crop is not None:
        if parts.trim is not None:
            raise unsupported("trim", "trim or a crop, as they are done in another order here")
        pairs.append(("crop", _crop(parts.crop)))
    if parts.trim is not None:
        pairs.append(("trim", written(min(parts.trim, Decimal(254)))))
    turned = (filters.orient + filters.rotate) % 360
    if turned:
        pairs.append(("rotate", str(turned)))
    flip = parts.flip
    if filters.rotate in (90, 270) and len(flip) == 1:
        flip = {"h": "v", "v": "h"}[flip]
    if flip:
        pairs.append(("flip", flip))
    pairs += _size(parts, filters)
    padding = filters.padding or parts.padding
    if padding and any(padding):
        pairs.append(("pad", ":".join(map(str, padding))))
    return pairs


def _crop(box: tuple[Decimal, Decimal, Decimal, Decimal]) -> str:
    left, top, right, bottom = box
    fractions = left < 1 and top < 1 and right <= 1 and bottom <= 1
    if not fractions and any(side != side.to_integral_value() for side in box):
        raise refuse("crop", "whole pixels, or fractions up to 1")
    end = Decimal(1 if fractions else _WHOLE_SIDE)
    width, height = (right or end) - left, (bottom or end) - top
    if width <= 0 or height <= 0:
        raise refuse("crop", "a right bottom corner beyond the left top one")
    if fractions:
        return ":".join(_fraction(part) for part in (left, top, width, height))
    return ":".join(str(int(part)) for part in (left, top, min(width, end), min(height, end)))


def _fraction(value: Decimal) -> str:
    text = written(value)
    return text if "." in text else text + ".0"


def _size(parts: Parts, filters: Filters) -> list[Pair]:
    width, height = parts.width, parts.height
    if not width and not height:
        if filters.proportion != 1:
            raise unsupported("proportion", "a width or a height beside it")
        return []
    if filters.rotate in (90, 270):
        width, height = height, width
    pairs: list[Pair] = []
    for name, side in (("w", width), ("h", height)):
        if side:
            pairs.append((name, str(max(1, rounded(side * filters.proportion)))))
    boxed = bool(width and height)
    fit = "fill" if filters.stretch and parts.fit == "cover" else parts.fit
    if boxed and fit != "inside":
        pairs.append(("fit", fit))
    upscale = filters.upscale
    if upscale is None:
        upscale = fit not in ("inside", "adaptive")
    if upscale:
        pairs.append(("up", "1"))
    if filters.fill and boxed:
        pairs.append(("extend", "1"))
    if boxed and fit == "cover":
        pairs += _gravity(parts, filters)
    return pairs


def _gravity(parts: Parts, filters: Filters) -> list[Pair]:
    if filters.focal is not None:
        x, y = filters.focal
        return [("g", f"fp:{written(x)}:{written(y)}")]
    if parts.smart:
        return [("g", "smart")]
    if parts.across is None and parts.down is None:
        return []
    edges = {_turned(_mirrored(edge, parts.flip), filters.rotate) for edge in (parts.across, parts.down) if edge}
    return [("g", "".join(edge for edge in "nsew" if edge in edges) or "c")]


def _mirrored(edge: str, flip: str) -> str:
    """Where an edge lies once the picture has been mirrored, which thumbor does after it has cut."""
    return _OPPOSITE[edge] if ("h" if edge in "we" else "v") in flip else edge


def _turned(edge: str, clockwise: int) -> str:
    """Where an edge of the picture as it is cut there lies once it has been rotated."""
    quarters = (360 - clockwise) // 90
    return _AGAINST_THE_CLOCK[(_AGAINST_THE_CLOCK.index(edge) + quarters) % 4]


def _overlay(filters: Filters, locate: Callable[[str], str]) -> list[Pair]:
    pairs: list[Pair] = []
    mark = filters.watermark
    if mark is not None:
        pairs += [("wm", locate(mark.source)), ("wm-g", mark.place)]
        if mark.scale is not None:
            pairs.append(("wm-scale", written(mark.scale)))
        if mark.opacity != 1:
            pairs.append(("wm-opacity", written(mark.opacity)))
    label = filters.label
    if label is not None:
        pairs += [("text", label.text), ("text-g", label.place), ("text-size", str(label.size))]
        pairs.append(("text-color", label.colour))
        if label.font is not None:
            pairs.append(("text-font", label.font))
    return pairs
