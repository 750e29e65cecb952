"""Text: plain text over the result, in a font of the fonts folder."""

from __future__ import annotations

from html import escape

import pyvips

from transforms.codecs import fonts
from transforms.errors import OptionError
from transforms.limits import Limits
from transforms.option_kinds import Gravity
from transforms.options import Options
from transforms.overlays import laid_over
from transforms.work import Work

_ALIGN = {"w": "low", "nw": "low", "sw": "low", "e": "high", "ne": "high", "se": "high"}
_LINE_HEIGHT = 1.5
"""An upper bound for a line, in font sizes."""
_LONGEST_SIDE = 32_000
"""What Cairo can draw on, in pixels."""


def text(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture with its text, wrapped to the picture's width; what is beyond its lower edge is cut off.

    Raises OptionError where no fonts can be read, TooLarge where the text would pass the limits on results.
    """
    options = work.options
    if options.text is None or not options.text.strip() or not options.text_color[3]:
        return image
    if "text" not in work.decided:
        work.decided["text"] = _drawn(options, image.width, image.height, work.request.limits)
    overlay = work.decided["text"]
    return laid_over(image, overlay, options.text_g) if isinstance(overlay, pyvips.Image) else image


def _drawn(options: Options, width: int, height: int, limits: Limits) -> pyvips.Image | None:
    """The text in its colour, in 8-bit RGBA; None where no glyph is visible."""
    if not fonts.readable():
        raise OptionError("text", "a server on which decoders can read fonts", "is not available")
    content = options.text or ""
    gravity = options.text_g
    room = max(1, width - _inwards(gravity, width))
    limits.check_output(min(room, _LONGEST_SIDE), _highest(content, options.font_pixels, room))
    try:
        mask = pyvips.Image.text(
            # libvips always reads Pango markup: with its special characters escaped there is none.
            escape(content, quote=False),
            font=f"{options.text_font} {options.font_pixels}",
            dpi=72,
            width=room,
            wrap="word-char",
            align=_ALIGN.get(gravity.place, "centre"),
        )
    except pyvips.Error as error:
        if "no text to render" in str(error):
            return None
        raise
    # Glyphs may lean over the edge that they were wrapped to.
    mask = mask.crop(0, 0, min(mask.width, width), min(mask.height, height))
    red, green, blue, alpha = options.text_color
    opacity = (mask * (alpha / 255)).rint().cast("uchar")
    colour = opacity.new_from_image([red, green, blue]).cast("uchar")
    return colour.bandjoin(opacity).copy(interpretation="srgb").copy_memory()


def _inwards(gravity: Gravity, width: int) -> int:
    """Pixels that an offset takes from the width."""
    offset = float(abs(gravity.x))
    return 0 if gravity.place == "fp" else round(offset * width if offset < 1 else offset)


def _highest(content: str, size: int, room: int) -> int:
    """Pixels that the text may be high: no glyph is wider than two font sizes, and words break where they must."""
    lines = sum(1 + min(len(line), 2 * len(line) * size // room + 1) for line in content.split("\n"))
    return min(_LONGEST_SIDE * 2, int(lines * size * _LINE_HEIGHT) + 1)
