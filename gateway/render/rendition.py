"""A rendered image, wherever it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rendition:
    """A rendered image."""

    data: bytes
    media_type: str
    format: str
    width: int
    height: int
    tier: str | None
    """The memory it came from: `worker`, `broker`, or what `Beyond.look` said; None where it was rendered."""
    render_ms: float
    """Time the decoder needed when it was made, in milliseconds."""
    first: bool = field(default=False, compare=False)
    """Whether it was made for this request, of those that waited for it."""
    parts: Mapping[str, Rendition] = field(default_factory=dict, compare=False)
    """What was made along with it, by name."""

    @property
    def cached(self) -> bool:
        """Whether it came from a memory."""
        return self.tier is not None
