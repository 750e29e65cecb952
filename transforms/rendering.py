"""Settings that decide what renditions look like: part of every derivative's key, and told to the decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from transforms.formats import FORMATS
from transforms.variants import DEFAULT_QUALITY

DEFAULT_MEZZANINES = (640, 1280, 2560)
DEFAULT_MEZZANINE_PIXELS = 2_000_000


@dataclass(frozen=True, slots=True)
class Rendering:
    """How this deployment renders what a URL leaves open."""

    qualities: Mapping[str, int] = field(default_factory=dict)
    """Default quality by format, 1..100, where it is not the format's own."""
    mezzanines: tuple[int, ...] = DEFAULT_MEZZANINES
    """Longer sides, in pixels, of the smaller copies that are made to render from; empty: none."""
    mezzanine_pixels: int = DEFAULT_MEZZANINE_PIXELS
    """Originals of fewer pixels have no mezzanines."""
    variant_quality: int = DEFAULT_QUALITY
    """Quality of the WebP and JPEG of variants, 1..100."""
    fonts: str = ""
    """`transforms.fonts.fingerprint` of the fonts that text is drawn in."""
    tag: str = field(init=False, compare=False)
    """A text that differs where two settings could give different bytes; what is left at its default adds nothing."""

    def __post_init__(self) -> None:
        # Made once: it is asked for by every request.
        object.__setattr__(self, "tag", self._tag())

    def quality(self, format_name: str) -> int | None:
        """The default quality of a format; None where quality means nothing."""
        return self.qualities.get(format_name, FORMATS[format_name].default_quality)

    def tag_for(self, draws_text: bool) -> str:
        """`tag`, with the fonts for what is drawn with them: then nodes with other fonts have renditions of their own."""
        return f"{self.tag};fonts={self.fonts}" if draws_text and self.fonts else self.tag

    def as_dict(self) -> dict[str, object]:
        """The settings as they travel to a decoder in JSON."""
        return {
            "qualities": dict(self.qualities),
            "mezzanines": list(self.mezzanines),
            "mezzanine_pixels": self.mezzanine_pixels,
            "variant_quality": self.variant_quality,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Rendering:
        """The reverse of `as_dict`."""
        qualities, sides, pixels = values["qualities"], values["mezzanines"], values["mezzanine_pixels"]
        quality = values["variant_quality"]
        assert isinstance(qualities, Mapping) and isinstance(sides, list)  # noqa: PT018
        assert isinstance(pixels, int) and isinstance(quality, int)  # noqa: PT018
        return cls(dict(qualities), tuple(sides), pixels, quality)

    def _tag(self) -> str:
        qualities = [
            f"{name}{quality}"
            for name, quality in sorted(self.qualities.items())
            if quality != FORMATS[name].default_quality
        ]
        sides = "" if self.mezzanines == DEFAULT_MEZZANINES else "m" + "-".join(map(str, self.mezzanines))
        pixels = "" if self.mezzanine_pixels == DEFAULT_MEZZANINE_PIXELS else f"p{self.mezzanine_pixels}"
        variants = "" if self.variant_quality == DEFAULT_QUALITY else f"v{self.variant_quality}"
        return ",".join(part for part in (*qualities, sides, pixels, variants) if part)


DEFAULT_RENDERING = Rendering()
