"""Watermark: another stored image over the result."""

from __future__ import annotations

import pyvips

from transforms.alpha import on_premultiplied
from transforms.errors import OptionError
from transforms.option_kinds import CENTRE
from transforms.overlays import laid_over
from transforms.steps.colour import in_srgb
from transforms.steps.load import open_still
from transforms.turns import Size
from transforms.work import Work


def watermark(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture with its watermark; raises what `open_still` does where that is no image."""
    options = work.options
    if options.wm is None or not options.wm_opacity:
        return image
    overlay = work.decided.get("watermark")
    if not isinstance(overlay, pyvips.Image):
        work.decided["watermark"] = overlay = _prepared(image, work)
    if options.wm_g.place == "repeat":
        return laid_over(image, overlay, CENTRE)
    return laid_over(image, overlay, options.wm_g)


def _prepared(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The watermark in 8-bit RGBA, at its size and opacity; as large as the picture where it repeats."""
    options, request = work.options, work.request
    if not request.overlays:
        raise OptionError("wm", "an image that may be read here", "is not available here")
    sizes: list[Size] = []

    def wanted(own: Size) -> Size:
        sizes.append(_size((image.width, image.height), own, float(options.wm_scale)))
        return sizes[0]

    overlay = in_srgb(open_still(request.overlays[0], request.limits, wanted))
    overlay = overlay if overlay.hasalpha() else overlay.bandjoin(255)
    width, height = sizes[0]
    if (width, height) != (overlay.width, overlay.height):
        across, down = width / overlay.width, height / overlay.height
        overlay = on_premultiplied(overlay, lambda pixels: pixels.resize(across, vscale=down, kernel="lanczos3"))
    if options.wm_opacity != 1:
        factors = [1.0, 1.0, 1.0, float(options.wm_opacity)]
        overlay = (overlay * factors).rint().cast("uchar")
    overlay = overlay.copy(interpretation="srgb").copy_memory()
    if options.wm_g.place == "repeat":
        tiled = overlay.replicate(-(-image.width // width), -(-image.height // height))
        return tiled.crop(0, 0, image.width, image.height)
    return overlay


def _size(canvas: Size, own: Size, share: float) -> Size:
    """The watermark's size: its own, or with this share of the canvas' width; never larger than the canvas."""
    scale = canvas[0] * share / own[0] if share else 1.0
    scale = min(scale, canvas[0] / own[0], canvas[1] / own[1])
    return max(1, round(own[0] * scale)), max(1, round(own[1] * scale))
