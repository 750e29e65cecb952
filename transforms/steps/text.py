"""Text: plain text over the result, in a font of the fonts folder."""

from __future__ import annotations

from html import escape

import pyvips

from transforms.codecs import fonts
from transforms.errors import OptionError, TooLarge
from transforms.limits import Limits
from transforms.option_kinds import Gravity
from transforms.options import Options
from transforms.overlays import laid_over
from transforms.work import Work

_ALIGN = {"w": "low", "nw": "low", "sw": "low", "e": "high", "ne": "high", "se": "high"}
_SOFT_HYPHEN = "\u00ad"
_TRIAL = 24
"""Height in pixels of a font in which any text that can be asked for is small."""
_LEAST_EMS = 6
"""Room for a line, in heights of the font, that the picture's width gives: where an offset leaves less, the text moves inwards
instead of becoming a column of letters."""
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
    gravity = options.text_g
    room = max(width - _inwards(gravity, width), min(width, _LEAST_EMS * options.font_pixels))
    try:
        if options.font_pixels > _TRIAL:
            _check(_mask(options, _TRIAL, max(1, room * _TRIAL // options.font_pixels)), options, limits)
        mask = _mask(options, options.font_pixels, room)
    except pyvips.Error as error:
        if "no text to render" in str(error):
            return None
        raise OptionError("text", "text that can be drawn in this size", "cannot be drawn") from None
    # Glyphs may lean over the edge that they were wrapped to.
    mask = mask.crop(0, 0, min(mask.width, width), min(mask.height, height))
    red, green, blue, alpha = options.text_color
    opacity = (mask * (alpha / 255)).rint().cast("uchar")
    colour = opacity.new_from_image([red, green, blue]).cast("uchar")
    return colour.bandjoin(opacity).copy(interpretation="srgb").copy_memory()


def _inwards(gravity: Gravity, width: int) -> int:
    """Pixels that an offset takes from the width; one that leads out of the picture takes none."""
    if gravity.place == "fp" or (gravity.x < 0 and gravity.place in _ALIGN):
        return 0
    offset = float(abs(gravity.x))
    return round(offset * width if offset < 1 else offset)


def _mask(options: Options, size: int, room: int) -> pyvips.Image:
    """How much of each pixel the glyphs cover, cut to where they are; in a font of `size` pixels, `room` wide."""
    return pyvips.Image.text(
        _markup(options.text or ""),
        font=f"{options.text_font} {size}",
        dpi=72,
        width=room,
        wrap="word-char",
        align=_ALIGN.get(options.text_g.place, "centre"),
    )


def _markup(text: str) -> str:
    """Text for libvips, which always reads Pango markup: with its special characters escaped there is none but ours.

    Pango would write a hyphen wherever it has to break a word, which in a number or an address is a false character. Only
    the soft hyphens of a text, which stand outside of our markup, become hyphens.
    """
    parts = escape(text, quote=False).split(_SOFT_HYPHEN)
    return _SOFT_HYPHEN.join(f'<span insert_hyphens="false">{part}</span>' if part else "" for part in parts)


def _check(trial: pyvips.Image, options: Options, limits: Limits) -> None:
    """Raises TooLarge where the text would be, by what it is in a small font: nothing else bounds lines and clusters."""
    sides = [side * options.font_pixels // _TRIAL + options.font_pixels for side in (trial.width, trial.height)]
    if max(sides) > _LONGEST_SIDE:
        raise TooLarge("output_side", max(sides), _LONGEST_SIDE)
    limits.check_output(sides[0], sides[1])
