"""Bounds on what is decoded and on what comes out, checked from headers before any pixel is touched."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from transforms.errors import TooLarge


@dataclass(frozen=True, slots=True)
class Limits:
    """All bounds; each is a setting, and the name of the bound in `TooLarge.limit`."""

    source_bytes: int = 20_000_000
    """Size of the stored image in bytes."""
    source_pixels: int = 50_000_000
    """Width times height of the stored image."""
    source_side: int = 65_500
    """Width or height of the stored image in pixels."""
    output_pixels: int = 50_000_000
    """Width times height of the result."""
    frames: int = 1_000
    """Frames of an animation that stays one."""
    animation_pixels: int = 50_000_000
    """Width times height times frames of a stored animation that stays one."""
    animation_output_pixels: int = 20_000_000
    """The same of an animation that is made: encoders take half a second a megapixel, and longer for GIF."""

    def check_bytes(self, size: int) -> None:
        """Raises TooLarge for a stored image of `size` bytes that is beyond the limit."""
        _check("source_bytes", size, self.source_bytes)

    def check_source(self, width: int, height: int) -> None:
        """Raises TooLarge for a stored image of these pixels that is beyond a limit."""
        _check("source_side", max(width, height), self.source_side)
        _check("source_pixels", width * height, self.source_pixels)

    def check_output(self, width: int, height: int) -> None:
        """Raises TooLarge for a result of these pixels that is beyond the limit."""
        _check("output_pixels", width * height, self.output_pixels)

    def check_animation(self, width: int, height: int, frames: int) -> None:
        """Raises TooLarge for a stored animation of so many frames of these pixels that is beyond a limit."""
        _check("frames", frames, self.frames)
        _check("animation_pixels", width * height * frames, self.animation_pixels)

    def check_animated_output(self, width: int, height: int, frames: int) -> None:
        """Raises TooLarge for an animation to be made that is beyond the limit."""
        _check("animation_output_pixels", width * height * frames, self.animation_output_pixels)

    def as_dict(self) -> dict[str, int]:
        """The bounds by name, as they travel to the render broker."""
        return asdict(self)


DEFAULT_LIMITS = Limits()


def _check(limit: str, value: int, allowed: int) -> None:
    if value > allowed:
        raise TooLarge(limit, value, allowed)
