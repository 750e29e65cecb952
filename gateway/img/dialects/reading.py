"""What a foreign URL says, before anything is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.img.target import ImageByKey

Dialect = Literal["imgproxy", "thumbor", "imagor"]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Split:
    """A foreign path, its signature taken off."""

    signature: str | None
    """As sent, not verified; None where the URL says that it has none."""
    signed: tuple[bytes, ...]
    """What the signature may have been made over: spellings of one path."""
    rest: str
    """What is to be read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A foreign URL in our words."""

    dialect: Dialect
    source: str
    """The image, as the URL names it."""
    address: ImageByKey
    pairs: tuple[Pair, ...]
    """Our options."""
    expires: int | None = None
    """Unix seconds after which the URL opens nothing."""
    presets: tuple[str, ...] = ()
    """The presets that the URL names, of whichever kind."""
    by_presets: bool = False
    """Presets say all about the pixels."""
