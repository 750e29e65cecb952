"""The options of an image URL: one table that parses, bounds, canonicalises and documents them.

    parse_query([("w", "300"), ("f", "webp")])     the query of /img, already without sig, kid and exp
    parse_compact("w:300,f:webp")                  the x-img form: commas between options, the first colon ends a name

Both give an `Options`; its `canonical()` is equal for requests that must render to the same bytes, is what cache keys
are made of, and parses back (`parse_compact(o.canonical()).canonical() == o.canonical()`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol

from transforms.errors import OptionError
from transforms.formats import OUTPUT_FORMATS

MAX_SIDE = 16_384
"""The largest width or height that can be asked for, in pixels, after `dpr`."""

_INTEGER = re.compile(r"[0-9]{1,6}\Z")
_DECIMAL = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?\Z")
_HEX_COLOUR = re.compile(r"([0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})\Z")

Colour = tuple[int, int, int, int]
"""Red, green, blue, alpha, each 0..255."""

_NAMED_COLOURS: dict[str, Colour] = {
    "black": (0, 0, 0, 255),
    "gray": (128, 128, 128, 255),
    "transparent": (0, 0, 0, 0),
    "white": (255, 255, 255, 255),
}


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
class Number:
    """A number with up to three decimals between two bounds, and 0 where `off` allows it."""

    low: Decimal
    high: Decimal
    off: bool = False

    @property
    def expected(self) -> str:
        return f"a number from {self.low} to {self.high}" + (", or 0" if self.off else "")

    def parse(self, text: str) -> Decimal:
        if not _DECIMAL.match(text):
            raise ValueError(text)
        value = Decimal(text)
        if not (self.low <= value <= self.high or (self.off and not value)):
            raise ValueError(text)
        return value

    def format(self, value: Decimal) -> str:
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


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
class QuarterTurn:
    """A clockwise rotation by a multiple of 90 degrees."""

    @property
    def expected(self) -> str:
        return "one of 0, 90, 180, 270"

    def parse(self, text: str) -> int:
        if not _INTEGER.match(text) or int(text) not in (0, 90, 180, 270):
            raise ValueError(text)
        return int(text)

    def format(self, value: int) -> str:
        return str(value)


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
    """A colour as CSS writes it in hexadecimal, without the hash, or one of a few names."""

    @property
    def expected(self) -> str:
        return "a colour as rgb, rgba, rrggbb or rrggbbaa in hexadecimal, or one of " + ", ".join(_NAMED_COLOURS)

    def parse(self, text: str) -> Colour:
        lowered = text.lower()
        if lowered in _NAMED_COLOURS:
            return _NAMED_COLOURS[lowered]
        if not _HEX_COLOUR.match(lowered):
            raise ValueError(text)
        if len(lowered) <= 4:
            lowered = "".join(digit * 2 for digit in lowered)
        red, green, blue, alpha = bytes.fromhex(lowered.ljust(8, "f"))
        # Nothing shows the colour of what is fully transparent, so there is one spelling of it.
        return (red, green, blue, alpha) if alpha else _NAMED_COLOURS["transparent"]

    def format(self, value: Colour) -> str:
        return bytes(value if value[3] < 255 else value[:3]).hex()


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One row of the options table; `name` is also the field of `Options`."""

    name: str
    aliases: tuple[str, ...]
    kind: Kind
    default: Any
    default_text: str
    doc: str


SPECS: tuple[OptionSpec, ...] = (
    OptionSpec(
        "w", ("width",), Integer(1, MAX_SIDE), None, "from `h` and the ratio, else the source's",
        "Width of the result in pixels, before `dpr`.",
    ),
    OptionSpec(
        "h", ("height",), Integer(1, MAX_SIDE), None, "from `w` and the ratio, else the source's",
        "Height of the result in pixels, before `dpr`.",
    ),
    OptionSpec(
        "fit", (), Choice(("inside", "outside", "cover", "contain", "fill")), "inside", "`inside`",
        "What happens when both `w` and `h` are given and the ratio differs. `inside`: as large as fits into the box; "
        "`outside`: as small as covers the box, nothing cut; `cover`: covers the box, the centre is kept and the rest "
        "cut; `contain`: fits into the box and is padded with `bg` to its exact size; `fill`: stretched to the box.",
    ),
    OptionSpec(
        "q", ("quality",), Integer(1, 100), None, "by format",
        "Quality of JPEG, WebP and AVIF. No effect on PNG and GIF.",
    ),
    OptionSpec(
        "f", ("format",), Choice((*OUTPUT_FORMATS, "auto"), (("jpg", "jpeg"),)), None, "the source's",
        "Format of the result. `auto` picks AVIF or WebP where the Accept header names them, else a format that every "
        "browser shows. Without `f` the source's format is kept (TIFF and HEIC become JPEG, or PNG if transparent).",
    ),
    OptionSpec(
        "dpr", (), Number(Decimal(1), Decimal(4)), Decimal(1), "1",
        "Device pixels for a pixel of the layout: multiplies `w` and `h`.",
    ),
    OptionSpec(
        "bg", ("background",), ColourValue(), None, "transparent where the result can be, else white",
        "Colour behind the image: of the padding of `contain`, and under transparent pixels.",
    ),
    OptionSpec(
        "blur", (), Number(Decimal("0.3"), Decimal(100), off=True), Decimal(0), "0",
        "Gaussian blur of the result; the value is sigma in pixels of the result.",
    ),
    OptionSpec(
        "rotate", (), QuarterTurn(), 0, "0",
        "Turns clockwise by this many degrees, after the camera's orientation and before `flip` and sizing.",
    ),
    OptionSpec(
        "flip", (), Choice(("h", "v", "hv"), (("vh", "hv"),)), None, "none",
        "Mirrors left to right (`h`), top to bottom (`v`), or both (`hv`).",
    ),
    OptionSpec(
        "up", (), Flag(), False, "0",
        "1 allows the result to be larger than the source. With 0, a source that is too small gives a smaller result; "
        "`cover` and `fill` then keep the ratio that was asked for, `contain` pads to the exact size.",
    ),
)  # fmt: skip

_BY_NAME: dict[str, OptionSpec] = {word: spec for spec in SPECS for word in (spec.name, *spec.aliases)}
_KNOWN = "one of " + ", ".join(spec.name for spec in SPECS)


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a rendition. Build it with `parse_query` or `parse_compact`, which check bounds."""

    w: int | None = None
    h: int | None = None
    fit: str = "inside"
    q: int | None = None
    f: str | None = None
    dpr: Decimal = Decimal(1)
    bg: Colour | None = None
    blur: Decimal = Decimal(0)
    rotate: int = 0
    flip: str | None = None
    up: bool = False

    def __post_init__(self) -> None:
        for side in (self.width, self.height):
            if side is not None and side > MAX_SIDE:
                raise OptionError("dpr", f"a width and height of at most {MAX_SIDE} pixels after it", "is too large")

    @property
    def width(self) -> int | None:
        """Pixels across that are asked for, `dpr` applied."""
        return _scaled(self.w, self.dpr)

    @property
    def height(self) -> int | None:
        """Pixels down that are asked for, `dpr` applied."""
        return _scaled(self.h, self.dpr)

    def canonical(self) -> str:
        """The one spelling of all requests that render alike: sorted, defaults and what has no effect left out."""
        values: dict[str, Any] = {spec.name: getattr(self, spec.name) for spec in SPECS}
        values |= {"w": self.width, "h": self.height, "dpr": Decimal(1)}
        if self.w is None or self.h is None:
            values["fit"] = "inside"
        if self.w is None and self.h is None:
            values["up"] = False
        if self.f in ("png", "gif"):
            values["q"] = None
        return ",".join(
            f"{spec.name}:{spec.kind.format(values[spec.name])}"
            for spec in sorted(SPECS, key=lambda spec: spec.name)
            if values[spec.name] != spec.default
        )


@dataclass(frozen=True, slots=True)
class DocRow:
    """One line of the options page."""

    name: str
    aliases: tuple[str, ...]
    values: str
    default: str
    doc: str


def parse_query(pairs: Iterable[tuple[str, str]]) -> Options:
    """Options from decoded query pairs that hold nothing but options.

    Raises OptionError for the first pair that is unknown, repeated (also by an alias) or malformed.
    """
    values: dict[str, Any] = {}
    for name, text in pairs:
        spec = _BY_NAME.get(name)
        if spec is None:
            raise OptionError(name[:64], _KNOWN, "is unknown")
        if spec.name in values:
            raise OptionError(name, "each option at most once", "is repeated")
        try:
            values[spec.name] = spec.kind.parse(text)
        except ValueError:
            raise OptionError(name, spec.kind.expected) from None
    return Options(**values)


def parse_compact(text: str) -> Options:
    """Options from the compact form, e.g. `w:400,f:webp`; the empty string is no options. Raises OptionError."""
    return parse_query(_compact_pairs(text))


def docs_rows() -> list[DocRow]:
    """The options table for the documentation, in the order of `SPECS`."""
    return [DocRow(spec.name, spec.aliases, spec.kind.expected, spec.default_text, spec.doc) for spec in SPECS]


def _compact_pairs(text: str) -> Iterable[tuple[str, str]]:
    for item in text.split(",") if text else ():
        name, colon, value = item.partition(":")
        if not colon:
            raise OptionError(item[:64], "name:value pairs separated by commas")
        yield name, value


def _scaled(side: int | None, dpr: Decimal) -> int | None:
    return side if side is None else int((side * dpr).to_integral_value(ROUND_HALF_UP))
