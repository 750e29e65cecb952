"""Numbers, switches, colours and base64, as imgproxy, thumbor and imagor write them in their URLs.

Each function raises OptionError with the name of the option or filter that it reads for.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from urllib.parse import unquote_to_bytes

from gateway.img.dialects.web_colours import WEB_COLOURS
from transforms.errors import OptionError

_WHOLE = re.compile(r"[+-]?[0-9]{1,9}\Z")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,9}(\.[0-9]{0,15})?|\.[0-9]{1,15})\Z")
_HEX = re.compile(r"([0-9a-f]{3}|[0-9a-f]{6})\Z", re.IGNORECASE)
_TRUE = frozenset({"1", "t", "T", "true", "True", "TRUE"})
_FALSE = frozenset({"0", "f", "F", "false", "False", "FALSE"})
_FOUR_DECIMALS = Decimal("0.0001")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def refuse(name: str, expected: str, problem: str = "is malformed") -> OptionError:
    """The error for an option of a dialect; a name of any length becomes a short one."""
    return OptionError(name[:64], expected, problem)


def unsupported(name: str, why: str) -> OptionError:
    """The error for what the other program does and this one does not."""
    return OptionError(name[:64], why, "is not supported here")


def switch(name: str, text: str) -> bool:
    """1, t and true, or 0, f and false."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise refuse(name, "1, t or true, or 0, f or false")


def whole(name: str, text: str, low: int = 0, high: int = 999_999_999) -> int:
    """A whole number."""
    if not _WHOLE.match(text) or not low <= int(text) <= high:
        raise refuse(name, f"a whole number from {low} to {high}")
    return int(text)


def decimal(name: str, text: str, low: Decimal | int = -999_999_999, high: Decimal | int = 999_999_999) -> Decimal:
    """A number."""
    if not _DECIMAL.match(text) or not low <= Decimal(text) <= high:
        raise refuse(name, f"a number from {low} to {high}")
    return Decimal(text)


def written(value: Decimal | int) -> str:
    """A number as our options spell it: at most four decimals."""
    text = f"{Decimal(value).quantize(_FOUR_DECIMALS, ROUND_HALF_EVEN):f}"
    text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0", "-") else text


def rounded(value: Decimal) -> int:
    """A number of pixels, half up."""
    return int(value.to_integral_value(ROUND_HALF_UP))


def hex_colour(name: str, text: str) -> str:
    """`rgb` or `rrggbb`, as six digits."""
    if not _HEX.match(text):
        raise refuse(name, "a colour as rgb or rrggbb in hexadecimal")
    return _six(text)


def named_colour(name: str, text: str) -> str:
    """The same, or a colour's name in CSS."""
    lowered = text.lower().removeprefix("#")
    if lowered in WEB_COLOURS:
        return WEB_COLOURS[lowered]
    if not _HEX.match(lowered):
        raise refuse(name, "a colour as rgb or rrggbb in hexadecimal, or its name in CSS")
    return _six(lowered)


def base64_text(name: str, text: str) -> str:
    """UTF-8 text from URL-safe base64, padded or not."""
    bare = text.rstrip("=")
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), b"-_", validate=True).decode("utf-8")
    except (Error, ValueError):
        raise refuse(name, "URL-safe base64 of text in UTF-8") from None


def unescaped(name: str, text: str) -> bytes:
    """Bytes from percent-encoding; raises OptionError for a percent sign that is none."""
    if _ESCAPE.search(text):
        raise refuse(name, "a percent sign only before two hexadecimal digits")
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape"))


def unescaped_text(name: str, text: str) -> str:
    """The same, as text in UTF-8."""
    try:
        return unescaped(name, text).decode("utf-8")
    except UnicodeDecodeError:
        raise refuse(name, "text in UTF-8") from None


def with_alpha(colour: str, opacity: Decimal) -> str:
    """A colour of six digits with its opacity from 0 to 1 behind it; of one that is opaque nothing."""
    alpha = rounded(opacity * 255)
    return colour if alpha == 255 else f"{colour}{alpha:02x}"


def _six(text: str) -> str:
    lowered = text.lower()
    return "".join(digit * 2 for digit in lowered) if len(lowered) == 3 else lowered
