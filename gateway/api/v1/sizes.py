"""The sizes of an image that can be asked for: by name, or by a width in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.api.errors import ApiError
from gateway.api.v1.image_resource import image_link
from gateway.policy.images import owns
from gateway.policy.ladder import ladder_of
from gateway.services.catalogue import Known
from gateway.services.derivatives import Derivative
from transforms.options import Options, parse_request
from transforms.variants import VARIANTS

if TYPE_CHECKING:
    from gateway.api.call import Call

NAMES = ("thumbnail", "medium", "large", "original")
MAX_WIDTH = 16_384


@dataclass(frozen=True, slots=True)
class Size:
    """A variant by its name, or a width in pixels in the format that the asker's browser likes best."""

    variant: str | None
    width: int | None

    @property
    def text(self) -> str:
        return self.variant or str(self.width)


def size_of(call: Call, known: Known, text: str) -> Size:
    """The size that `text` asks for.

    Who may not read the object itself gets the widths of the bucket's ladder, so another width is the next larger of
    these: nobody can have pictures rendered without end. Raises ApiError INVALID_REQUEST.
    """
    if text in VARIANTS:
        return Size(text, None)
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_WIDTH):
        raise ApiError("INVALID_REQUEST", f"size is one of {', '.join(NAMES)}, or a width of 1 to {MAX_WIDTH} pixels.")
    width = int(text)
    if not owns(call.principal, known.facts):
        ladder = sorted(ladder_of(known.bucket.ladder, known.bucket.images.max_width))
        if not ladder:
            raise ApiError("INVALID_REQUEST", f"size is one of {', '.join(NAMES)} for this image.")
        width = next((step for step in ladder if step >= width), ladder[-1])
    return Size(None, width)


def plan(call: Call, known: Known, size: Size) -> tuple[Derivative, bool]:
    """The derivative of that size, and whether it depends on the Accept header. Raises NotAnImage, TooLarge."""
    if size.variant is not None:
        return call.parts.variants.plan(known.version, size.variant), False
    assert size.width is not None
    return call.parts.derivatives.plan(known.version, _options(size.width), call.headers.get("accept")), True


@lru_cache(maxsize=1024)
def _options(width: int) -> Options:
    return parse_request((("w", str(width)), ("f", "auto"))).options


def url_of(call: Call, known: Known, size: Size) -> str:
    """Where the transform door has it."""
    if size.variant is not None:
        return image_link(call, known.row.image_id, {"variant": size.variant})
    return image_link(call, known.row.image_id, {"w": size.text, "f": "auto"})
