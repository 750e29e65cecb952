"""What the options of an imgproxy URL ask for, as far as they have been read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

ParsedPreset = tuple[tuple[str, tuple[str, ...]], ...]
"""An imgproxy preset: names and arguments in the order written."""


@dataclass(frozen=True, slots=True)
class Position:
    """A gravity: our word for the place (of the compass, `fp`, `smart` or `face`) and two offsets as written."""

    place: str
    x: Decimal = Decimal(0)
    y: Decimal = Decimal(0)


CENTRE = Position("c")


@dataclass(slots=True)
class Asked:
    """What has been read so far; a later option takes the place of an earlier one."""

    resizing_type: str = "fit"
    width: int = 0
    height: int = 0
    min_width: int = 0
    min_height: int = 0
    zoom: tuple[Decimal, Decimal] = (Decimal(1), Decimal(1))
    dpr: Decimal = Decimal(1)
    enlarge: bool = False
    extend: bool = False
    extend_gravity: Position = CENTRE
    extend_ratio: bool = False
    extend_ratio_gravity: Position = CENTRE
    gravity: Position | None = None
    crop: tuple[Decimal, Decimal] | None = None
    crop_gravity: Position | None = None
    trim: Decimal | None = None
    trim_colour: str | None = None
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    rotate: int = 0
    flip: str = ""
    background: str | None = None
    background_alpha: Decimal = Decimal(1)
    blur: Decimal = Decimal(0)
    sharpen: Decimal = Decimal(0)
    pixelate: int = 0
    brightness: Decimal = Decimal(0)
    contrast: Decimal = Decimal(1)
    saturation: Decimal = Decimal(1)
    monochrome: tuple[Decimal, str] = (Decimal(0), "b3b3b3")
    duotone: tuple[Decimal, str, str] = (Decimal(0), "000000", "ffffff")
    watermark_opacity: Decimal = Decimal(0)
    watermark_place: Position = CENTRE
    watermark_scale: Decimal = Decimal(0)
    watermark_source: str | None = None
    watermark_text: str | None = None
    strip_metadata: bool = True
    keep_copyright: bool = False
    strip_profile: bool = True
    quality: int = 0
    auto_quality: bool = False
    format_quality: dict[str, int] = field(default_factory=dict)
    max_bytes: int = 0
    progressive: bool = False
    palette: int = 0
    lossless: bool = False
    format: str | None = None
    page: int = 0
    still: bool = False
    raw: bool = False
    expires: int | None = None
    skip: frozenset[str] = frozenset()
    """Formats whose pictures are to be left as they are."""
    filename: str | None = None
    attachment: bool = False
    preset: str | None = None
    """One of ours."""
    presets: Mapping[str, ParsedPreset] = field(default_factory=dict)
    """The server's own imgproxy presets."""
    within: tuple[str, ...] = ()
    """The presets that are being read."""
    named: tuple[str, ...] = ()
    """The presets that the URL names."""
