"""How the values of image options are read, bounded and written: one class for each kind of value.

The small languages (`ne:10:20` for a gravity, `16:9` for a ratio) separate their parts with colons, which every form of
the URL can carry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from math import gcd
from typing import Any, Literal, Protocol

Colour = tuple[int, int, int, int]
"""Red, green, blue, alpha, each 0..255."""

_INTEGER = re.compile(r"[0-9]{1,7}\Z")
_DECIMAL = re.compile(r"-?[0-9]{1,6}(\.[0-9]{1,4})?\Z")
_HEX_COLOUR = re.compile(r"([0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})\Z")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

NAMED_COLOURS: dict[str, Colour] = {
    "black": (0, 0, 0, 255),
    "gray": (128, 128, 128, 255),
    "transparent": (0, 0, 0, 0),
    "white": (255, 255, 255, 255),
}

COMPASS = ("c", "n", "ne", "e", "se", "s", "sw", "w", "nw")
"""The nine places that a compass and its middle give."""
SMART = ("smart", "attention", "entropy", "face")
"""Gravities that look at the picture; `smart` and `attention` are one."""


@dataclass(frozen=True, slots=True)
class Gravity:
    """What stays in view, or where something is put.

    `place` is of COMPASS, `attention`, `entropy`, `face`, or `fp`: a focal point. `x` and `y` are the focal point as
    fractions of the sides, or in pixels of the source where one of them is above 1; for a place of COMPASS they are
    offsets inwards, in pixels of the result (under 1: fractions of its side), from the middle rightwards and downwards.
    """

    place: str
    x: Decimal = Decimal(0)
    y: Decimal = Decimal(0)


CENTRE = Gravity("c")


@dataclass(frozen=True, slots=True)
class CropBox:
    """A part of the upright source: left, top, width, height in its pixels, or as fractions of its sides.

    With a `place` (of COMPASS, or `fp`) the box stands there: `x` and `y` are offsets inwards, or the point in its middle,
    each of the four numbers below 1 is a fraction of a side, and a width or height of 0 is the whole side.
    """

    x: Decimal
    y: Decimal
    width: Decimal
    height: Decimal
    fractions: bool
    place: str | None = None


@dataclass(frozen=True, slots=True)
class TrimValue:
    """Cut borders that differ by no more than `threshold` (of 255) from `colour`, or from the corner's where None."""

    threshold: Decimal
    colour: Colour | None = None


@dataclass(frozen=True, slots=True)
class TintValue:
    """A colour, and how much of it, from 0 to 1."""

    colour: Colour
    strength: Decimal = Decimal(1)


class Kind(Protocol):
    """How the value of an option is read and written."""

    @property
    def expected(self) -> str:
        """The values allowed, as an error message and the docs say it."""

    def parse(self, text: str) -> Any:
        """The value, or ValueError."""

    def format(self, value: Any) -> str:
        """The one spelling that the canonical form uses."""


@dataclass(frozen=True, slots=True)
class Integer:
    """Decimal digits between two bounds."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def parse(self, text: str) -> int:
        if not _INTEGER.match(text) or not self.low <= int(text) <= self.high:
            raise ValueError(text)
        return int(text)

    def format(self, value: int) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class IntegerOr:
    """A whole number, or one word."""

    low: int
    high: int
    word: str

    @property
    def expected(self) -> str:
        return f"a whole number from {self.low} to {self.high}, or {self.word}"

    def parse(self, text: str) -> int | str:
        return text if text == self.word else Integer(self.low, self.high).parse(text)

    def format(self, value: int | str) -> str:
        return str(value)


@dataclass(frozen=True, slots=True)
class Number:
    """A number with up to four decimals between two bounds, and 0 where `off` allows it."""

    low: Decimal
    high: Decimal
    off: bool = False

    @property
    def expected(self) -> str:
        return f"a number from {self.low} to {self.high}" + (", or 0" if self.off else "")

    def parse(self, text: str) -> Decimal:
        value = _decimal(text)
        if not (self.low <= value <= self.high or (self.off and not value)):
            raise ValueError(text)
        return value

    def format(self, value: Decimal) -> str:
        return _plain(value)


@dataclass(frozen=True, slots=True)
class Angle:
    """Degrees clockwise; whole turns are taken off."""

    @property
    def expected(self) -> str:
        return "degrees from -360 to 360"

    def parse(self, text: str) -> Decimal:
        value = _decimal(text)
        if not -360 <= value <= 360:
            raise ValueError(text)
        turned = value % 360
        return turned + 360 if turned < 0 else turned

    def format(self, value: Decimal) -> str:
        return _plain(value)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words; `same` maps other spellings to them."""

    words: tuple[str, ...]
    same: tuple[tuple[str, str], ...] = ()

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(self.words)

    def parse(self, text: str) -> str:
        word = dict(self.same).get(text, text)
        if word not in self.words:
            raise ValueError(text)
        return word

    def format(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """0 or 1."""

    @property
    def expected(self) -> str:
        return "0 or 1"

    def parse(self, text: str) -> bool:
        if text not in ("0", "1"):
            raise ValueError(text)
        return text == "1"

    def format(self, value: bool) -> str:
        return "1" if value else "0"


@dataclass(frozen=True, slots=True)
class ColourValue:
    """A colour as CSS writes it in hexadecimal, without the hash, or one of a few names; `word`: something else too."""

    word: str | None = None

    @property
    def expected(self) -> str:
        names = ", ".join(NAMED_COLOURS)
        return f"a colour as rgb, rgba, rrggbb or rrggbbaa in hexadecimal, or one of {names}" + (
            f", or {self.word}" if self.word else ""
        )

    def parse(self, text: str) -> Colour | str:
        if self.word is not None and text == self.word:
            return text
        return parse_colour(text)

    def format(self, value: Colour | str) -> str:
        return value if isinstance(value, str) else format_colour(value)


@dataclass(frozen=True, slots=True)
class ColourPair:
    """Two colours: the shadows' and the lights'."""

    @property
    def expected(self) -> str:
        return "two colours, dark:light, each as rgb or rrggbb in hexadecimal or a name"

    def parse(self, text: str) -> tuple[Colour, Colour]:
        dark, light = map(parse_colour, text.split(":"))
        if dark[3] < 255 or light[3] < 255:
            raise ValueError(text)
        return dark, light

    def format(self, value: tuple[Colour, Colour]) -> str:
        return ":".join(map(format_colour, value))


@dataclass(frozen=True, slots=True)
class Tint:
    """A colour and a strength."""

    @property
    def expected(self) -> str:
        return "a colour, or colour:strength with a strength from 0 to 1"

    def parse(self, text: str) -> TintValue:
        colour, colon, strength = text.partition(":")
        return TintValue(parse_colour(colour), _between(strength, 0, 1) if colon else Decimal(1))

    def format(self, value: TintValue) -> str:
        colour = format_colour(value.colour)
        return colour if value.strength == 1 else f"{colour}:{_plain(value.strength)}"


@dataclass(frozen=True, slots=True)
class GravityValue:
    """A place with offsets, a focal point, or (where `smart`) what the picture shows."""

    smart: bool = True
    word: str | None = None
    """Something else that is allowed."""

    @property
    def expected(self) -> str:
        return (
            f"one of {', '.join(COMPASS)} with an optional :x:y, or fp:x:y with fractions"
            + (" (or pixels of the source, where one is above 1)" if self.smart else "")
            + (f", or one of {', '.join(SMART)}" if self.smart else "")
            + (f", or {self.word}" if self.word else "")
        )

    def parse(self, text: str) -> Gravity:
        place, *offsets = text.split(":")
        if self.smart and place in SMART and not offsets:
            return Gravity("attention" if place == "smart" else place)
        if self.word is not None and text == self.word:
            return Gravity(text)
        if place == "fp" and len(offsets) == 2:
            x, y = (_between(offset, 0, 65_535 if self.smart else 1) for offset in offsets)
            return Gravity("fp", x, y)
        if place in COMPASS and len(offsets) in (0, 2):
            x, y = (_between(offset, -16_384, 16_384) for offset in offsets or ("0", "0"))
            return Gravity(place, x, y)
        raise ValueError(text)

    def format(self, value: Gravity) -> str:
        if value.place != "fp" and not value.x and not value.y:
            return value.place
        return f"{value.place}:{_plain(value.x)}:{_plain(value.y)}"


@dataclass(frozen=True, slots=True)
class CropValue:
    """A box in the source."""

    @property
    def expected(self) -> str:
        return (
            "x:y:width:height, all in whole pixels, or all as fractions with a decimal point (0.1:0.0:0.5:1.0); or "
            "place:x:y:width:height with a place of `g` (ne:10:10:300:0.5)"
        )

    def parse(self, text: str) -> CropBox:
        parts = text.split(":")
        if len(parts) == 5:
            return self._placed(*parts)
        if len(parts) != 4:
            raise ValueError(text)
        fractions = any("." in part for part in parts)
        x, y, width, height = (_between(part, 0, 1 if fractions else 65_535) for part in parts)
        if not width or not height or (fractions and (x >= 1 or y >= 1)):
            raise ValueError(text)
        return CropBox(x, y, width, height, fractions)

    def _placed(self, place: str, *numbers: str) -> CropBox:
        if place not in COMPASS and place != "fp":
            raise ValueError(place)
        low, high = (0, 1) if place == "fp" else (-65_535, 65_535)
        x, y = (_between(number, low, high) for number in numbers[:2])
        width, height = (_between(number, 0, 65_535) for number in numbers[2:])
        return CropBox(x, y, width, height, fractions=False, place=place)

    def format(self, value: CropBox) -> str:
        parts = [_plain(part) for part in (value.x, value.y, value.width, value.height)]
        if value.place is not None:
            return ":".join((value.place, *parts))
        return ":".join(part if "." in part or not value.fractions else part + ".0" for part in parts)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Width to height, as the two smallest whole numbers."""

    @property
    def expected(self) -> str:
        return "width:height such as 16:9, each from 1 to 10000, or one number such as 1.5"

    def parse(self, text: str) -> tuple[int, int]:
        width, colon, height = text.partition(":")
        across, down = (_between(part, Decimal("0.01"), 10_000) for part in (width, height if colon else "1"))
        left, right = int(across * 10_000), int(down * 10_000)
        divisor = gcd(left, right)
        return left // divisor, right // divisor

    def format(self, value: tuple[int, int]) -> str:
        # Four decimals are the most that parse; only a ratio of whole numbers that large could need more.
        left, right = value
        if left <= 10_000 and right <= 10_000:
            return f"{left}:{right}"
        return f"{_plain(Decimal(left) / 10_000)}:{_plain(Decimal(right) / 10_000)}"


@dataclass(frozen=True, slots=True)
class Sides:
    """Pixels at the top, right, bottom and left, as CSS writes it: one to four numbers."""

    high: int

    @property
    def expected(self) -> str:
        return f"one to four whole numbers from 0 to {self.high}, as top:right:bottom:left"

    def parse(self, text: str) -> tuple[int, int, int, int]:
        kind = Integer(0, self.high)
        given = [kind.parse(part) for part in text.split(":")]
        if len(given) > 4:
            raise ValueError(text)
        top = given[0]
        right = given[1] if len(given) > 1 else top
        bottom = given[2] if len(given) > 2 else top
        left = given[3] if len(given) > 3 else right
        return top, right, bottom, left

    def format(self, value: tuple[int, int, int, int]) -> str:
        return str(value[0]) if len(set(value)) == 1 else ":".join(map(str, value))


@dataclass(frozen=True, slots=True)
class Trim:
    """How different a border may be, and from which colour."""

    @property
    def expected(self) -> str:
        return "a threshold from 0 to 254, or threshold:colour"

    def parse(self, text: str) -> TrimValue:
        threshold, colon, colour = text.partition(":")
        return TrimValue(_between(threshold, 0, 254), parse_colour(colour) if colon else None)

    def format(self, value: TrimValue) -> str:
        threshold = _plain(value.threshold)
        return threshold if value.colour is None else f"{threshold}:{format_colour(value.colour)}"


@dataclass(frozen=True, slots=True)
class Text:
    """Text without control characters, except line feeds where `lines`; forms send them as CR LF."""

    longest: int
    lines: bool = False

    @property
    def expected(self) -> str:
        return f"1 to {self.longest} characters, none of them a control character" + " but line feeds" * self.lines

    def parse(self, text: str) -> str:
        if self.lines:
            text = text.replace("\r\n", "\n")
        if not 0 < len(text) <= self.longest or _CONTROL.search(text) or (not self.lines and "\n" in text):
            raise ValueError(text)
        return text

    def format(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class Name:
    """A short word that names something of the configuration, or a version."""

    @property
    def expected(self) -> str:
        return "1 to 64 letters, digits, dots, underscores and hyphens"

    def parse(self, text: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
            raise ValueError(text)
        return text

    def format(self, value: str) -> str:
        return value


Background = Colour | Literal["blur"]


def parse_colour(text: str) -> Colour:
    """A colour from hexadecimal digits or a name, or ValueError."""
    lowered = text.lower()
    if lowered in NAMED_COLOURS:
        return NAMED_COLOURS[lowered]
    if not _HEX_COLOUR.match(lowered):
        raise ValueError(text)
    if len(lowered) <= 4:
        lowered = "".join(digit * 2 for digit in lowered)
    red, green, blue, alpha = bytes.fromhex(lowered.ljust(8, "f"))
    # Nothing shows the colour of what is fully transparent, so there is one spelling of it.
    return (red, green, blue, alpha) if alpha else NAMED_COLOURS["transparent"]


def format_colour(value: Colour) -> str:
    """The one spelling of a colour: 6 digits, 8 where it is not opaque."""
    return bytes(value if value[3] < 255 else value[:3]).hex()


def _decimal(text: str) -> Decimal:
    if not _DECIMAL.match(text):
        raise ValueError(text)
    return abs(Decimal(text)) if Decimal(text) == 0 else Decimal(text)


def _between(text: str, low: int | Decimal, high: int | Decimal) -> Decimal:
    value = _decimal(text)
    if not low <= value <= high:
        raise ValueError(text)
    return value


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
