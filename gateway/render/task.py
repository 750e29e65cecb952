"""What is to be made of a source, as it travels from a worker by the broker to a decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transforms.formats import FORMATS, OUTPUT_FORMATS, PASSED_FORMATS
from transforms.limits import DEFAULT_LIMITS, Limits
from transforms.rendering import DEFAULT_RENDERING, Rendering

RENDITION = "rendition"
MEZZANINE = "mezzanine"
INFO = "info"
VARIANTS = "variants"
KINDS = (RENDITION, MEZZANINE, INFO, VARIANTS)
"""What a decoder makes: a picture as asked for, a smaller copy to render from, facts about the picture, facts and with them
all variants of it as parts."""

JSON = "json"
"""The format of INFO and VARIANTS."""
MEDIA_TYPES: Mapping[str, str] = {name: FORMATS[name].media_type for name in (*OUTPUT_FORMATS, *PASSED_FORMATS)} | {
    JSON: "application/json"
}
"""Media type of each format that a decoder's result may have."""


@dataclass(frozen=True, slots=True)
class Original:
    """What a mezzanine was made from: width and height as stored in pixels, and the format's name."""

    width: int
    height: int
    format: str

    def as_list(self) -> list[object]:
        """The fields, as they travel in JSON."""
        return [self.width, self.height, self.format]

    @classmethod
    def from_list(cls, values: list[Any] | None) -> Original | None:
        """The reverse of `as_list`. Raises ValueError, TypeError or KeyError for what is none."""
        if values is None:
            return None
        width, height, name = values
        return cls(int(width), int(height), FORMATS[name].name)


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of result and what decides its bytes beside the source's."""

    options: str
    """`Options.canonical()`; for a mezzanine its box."""
    variant: str = ""
    """`transforms.negotiate.variant`: avif, webp or empty."""
    kind: str = RENDITION
    limits: Limits = DEFAULT_LIMITS
    rendering: Rendering = DEFAULT_RENDERING

    def as_dict(self) -> dict[str, object]:
        """The fields, as they travel in JSON."""
        return {
            "kind": self.kind,
            "options": self.options,
            "variant": self.variant,
            "limits": self.limits.as_dict(),
            "rendering": self.rendering.as_dict(),
        }

    @classmethod
    def from_dict(cls, head: Mapping[str, Any]) -> Task:
        """The reverse of `as_dict`. Raises KeyError, ValueError or TypeError for what is none."""
        if head["kind"] not in KINDS:
            raise ValueError(head["kind"])
        return cls(
            str(head["options"]),
            str(head["variant"]),
            str(head["kind"]),
            Limits(**head["limits"]),
            Rendering.from_dict(head["rendering"]),
        )
