"""What the path and the filters of a thumbor or imagor URL ask for, as far as they have been read."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from gateway.img.dialects.reading import Dialect


@dataclass(slots=True)
class Parts:
    """What the path says before its filters."""

    trim: Decimal | None = None
    crop: tuple[Decimal, Decimal, Decimal, Decimal] | None = None
    """Left, top, right, bottom."""
    fit: Literal["cover", "fill", "inside", "outside", "adaptive"] = "cover"
    width: int = 0
    height: int = 0
    flip: str = ""
    padding: tuple[int, int, int, int] | None = None
    """Top, right, bottom, left."""
    across: str | None = None
    down: str | None = None
    smart: bool = False


@dataclass(slots=True)
class Watermark:
    """An image over the picture."""

    source: str
    place: str
    opacity: Decimal
    scale: Decimal | None


@dataclass(slots=True)
class Label:
    """Text over the picture."""

    text: str
    place: str
    size: int
    colour: str
    font: str | None


@dataclass(slots=True)
class Filters:
    """What the filters ask for."""

    dialect: Dialect
    upscale: bool | None = None
    stretch: bool = False
    proportion: Decimal = Decimal(1)
    focal: tuple[Decimal, Decimal] | None = None
    orient: int = 0
    rotate: int = 0
    fill: bool = False
    background: str | None = None
    padding: tuple[int, int, int, int] | None = None
    radius: int | None = None
    pixels: list[tuple[str, str]] = field(default_factory=list)
    """Options of ours that need nothing else."""
    watermark: Watermark | None = None
    label: Label | None = None
    format: str | None = None
    raw: bool = False
    download: str | None = None
    """The name to save as; empty: the source's."""
    expires: int | None = None
