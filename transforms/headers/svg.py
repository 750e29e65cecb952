"""SVG: `width`, `height` and `viewBox` of the root element (SVG 2, sections 8.2 and 8.12), read without an XML parser.

What stands here is what the sanitiser writes into the drawing that is rendered, so a renderer cannot see another size.
"""

from __future__ import annotations

import re

from transforms.errors import DecodeFailed
from transforms.headers.source import Size, Source

_ROOT = re.compile(rb"<(?:[A-Za-z_][\w.-]{0,32}:)?svg(?=[\s/>])((?:[^>\"']|\"[^\"]*\"|'[^']*'){0,20000}?)/?>")
_ATTRIBUTE = re.compile(rb"[\s\"'](width|height|viewBox)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_LENGTH = re.compile(r"\s*\+?([0-9]{0,9}(?:\.[0-9]{0,9})?(?:[eE][+-]?[0-9]{1,2})?)\s*(px|pt|pc|mm|cm|in|em|ex|%|)\s*\Z")
_UNITS = {
    "": 1.0,
    "px": 1.0,
    "pt": 96 / 72,
    "pc": 16.0,
    "mm": 96 / 25.4,
    "cm": 96 / 2.54,
    "in": 96.0,
    "em": 16.0,
    "ex": 8.0,
}
_DEFAULT = (300.0, 150.0)
"""What browsers draw where neither sides nor a view box are given."""
_LARGEST = 1e9


def size(source: Source) -> Size:
    """Size in pixels of CSS, 96 an inch, rounded up."""
    text = source.window(0)
    found = _ROOT.match(text, _start_of_root(text))
    if found is None:
        raise DecodeFailed("The SVG has no root element.")
    attributes: dict[str, str] = {}
    for name, double, single in _ATTRIBUTE.findall(b" " + found[1]):
        attributes.setdefault(name.decode(), (double or single).decode("utf-8", "replace"))
    width, height = sides(attributes.get("width"), attributes.get("height"), attributes.get("viewBox"))
    return Size(-int(-width // 1), -int(-height // 1), alpha=True)


def _start_of_root(text: bytes) -> int:
    """Where the first element starts: after declarations, comments and the document type."""
    at = 0
    while True:
        at = text.find(b"<", at)
        opening = text[at : at + 4]
        closing = (
            b"?>" if opening[:2] == b"<?" else b"-->" if opening == b"<!--" else b">" if opening[:2] == b"<!" else b""
        )
        if at < 0 or not closing:
            return max(at, 0)
        end = text.find(closing, at)
        if closing == b">" and b"[" in text[at:end]:
            end = text.find(b">", text.find(b"]", at))
        if end < 0:
            return 0
        at = end + len(closing)


def sides(width: str | None, height: str | None, view_box: str | None) -> tuple[float, float]:
    """Width and height in pixels by the attributes of the root; percentages count as not given.

    Raises DecodeFailed where nothing is left to draw.
    """
    across, down, box = length(width), length(height), _view_box(view_box)
    if across is None and down is None:
        across, down = box or _DEFAULT
    elif across is None:
        across = (down or 0) * box[0] / box[1] if box else _DEFAULT[0]
    elif down is None:
        down = across * box[1] / box[0] if box else _DEFAULT[1]
    if not across or not down or max(across, down) > _LARGEST:
        raise DecodeFailed("The SVG has no area.")
    return across, down


def length(text: str | None) -> float | None:
    """A length in pixels; None for a percentage, for what is missing and for what is none."""
    found = _LENGTH.match(text or "")
    if found is None or found[2] == "%":
        return None
    try:
        return float(found[1]) * _UNITS[found[2]]
    except ValueError:
        return None


def _view_box(text: str | None) -> tuple[float, float] | None:
    try:
        _, _, width, height = (float(part) for part in (text or "").replace(",", " ").split())
    except ValueError:
        return None
    return (width, height) if 0 < width < _LARGEST and 0 < height < _LARGEST else None
