"""What the steps of one render share."""

from __future__ import annotations

from dataclasses import dataclass, field

from transforms.geometry import Geometry
from transforms.headers import Header
from transforms.limits import Limits
from transforms.options import Options
from transforms.rendering import DEFAULT_RENDERING, Rendering


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one image, and what its header said."""

    options: Options
    variant: str
    """The accept class where the options ask for `f=auto`, else empty."""
    limits: Limits
    header: Header
    rendering: Rendering = DEFAULT_RENDERING
    """What the deployment decides where the options leave it open."""
    overlays: tuple[bytes, ...] = ()
    """Stored images that are laid over the result: the watermark's bytes."""
    original: tuple[int, int] | None = None
    """Where the source is a mezzanine: width and height of the original as it is stored."""
    original_format: str | None = None
    """Where the source is a mezzanine: the name of the original's format."""

    @property
    def source_format(self) -> str:
        """The name of the format of what was stored, which decides that of the result where nothing is asked for."""
        return self.original_format or self.header.format.name


@dataclass(frozen=True, slots=True)
class Timing:
    """How the frames of an animation follow each other."""

    delays: tuple[int, ...]
    """Milliseconds that each frame is shown."""
    loop: int
    """How often all is shown; 0: for ever."""


@dataclass(frozen=True, slots=True)
class Work:
    """A request, once the source's real size and orientation are known."""

    request: Request
    upright: Geometry
    """Sizes as seen once orientation and `rotate` are applied."""
    turned: bool
    """Whether those swap the sides of the stored image."""
    timing: Timing | None = None
    """Set where the result is an animation; each step sees one frame after the other."""
    decided: dict[str, object] = field(default_factory=dict)
    """What a step has found out by looking at the first frame, and all others follow so that nothing jumps."""

    @property
    def options(self) -> Options:
        """The request's options."""
        return self.request.options

    def as_stored(self, size: tuple[int, int]) -> tuple[int, int]:
        """A size of `upright`, in the directions of the stored image."""
        return size[::-1] if self.turned else size
