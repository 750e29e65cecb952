"""What the steps of one render share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from transforms.geometry import Geometry, focus_in_view, is_quarter, plan
from transforms.gravity import Point, looks
from transforms.headers import Header
from transforms.limits import Limits
from transforms.options import Options
from transforms.rendering import DEFAULT_RENDERING, Rendering
from transforms.turns import Size, Turn, of_options, of_orientation


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
    planned: Geometry
    """Sizes as they follow from what is known before any pixel is: see `upright`."""
    stored: Size
    """The original's width and height as they are stored."""
    orientation: int = 1
    """The camera's orientation, as EXIF numbers it, that is still to be applied."""
    density: tuple[float, float] = (1.0, 1.0)
    """Pixels that were loaded for a pixel of the original, across and down as stored: below 1 where loading shrank it."""
    pages: int = 1
    """Pages of a document, frames of an animation that was stored."""
    timing: Timing | None = None
    """Set where the result is an animation; each step sees one frame after the other."""
    decided: dict[str, object] = field(default_factory=dict)
    """What a step has found out by looking at the first frame, and all others follow so that nothing jumps."""

    @property
    def options(self) -> Options:
        """The request's options."""
        return self.request.options

    @property
    def upright(self) -> Geometry:
        """The sizes of everything as it is seen once the camera's orientation is applied; final once `trim` is done."""
        found = self.decided.get("geometry")
        return found if isinstance(found, Geometry) else self.planned

    @property
    def camera(self) -> Turn:
        """What makes the stored picture upright."""
        return of_orientation(self.orientation)

    @property
    def turn(self) -> Turn:
        """The camera's orientation, the quarter turns of `rotate`, and `flip`: from the stored picture to the view."""
        return self.camera.then(of_options(int(self.options.rotate) // 90, self.options.flip))

    @property
    def freely(self) -> bool:
        """Whether `rotate` is no quarter turn: then pixels are mixed, and there is no `turn`."""
        return not is_quarter(self.options.rotate)

    @property
    def spare(self) -> float:
        """The largest factor, at least 1, by which the image can shrink as it loads and leave the pixels wanted."""
        if self.options.trim is not None:
            # What will be left is not known yet.
            return 1.0
        viewed, resized = self.upright.viewed, self.upright.resized
        most = min(self.density) * min(viewed[0] / resized[0], viewed[1] / resized[1])
        # A thin picture that is turned would lose its thinner side.
        loaded = self.stored[0] * self.density[0], self.stored[1] * self.density[1]
        return max(1.0, min(most, *loaded))

    def loaded_at(self, across: float, down: float) -> Work:
        """This work on an image that was loaded at these fractions of its sides."""
        return replace(self, density=(self.density[0] * across, self.density[1] * down))

    @property
    def source(self) -> Size:
        """The size of the upright original."""
        return self.camera.size(self.stored)

    @property
    def focus(self) -> Point | None:
        """What a cut keeps in the middle, in fractions of the view's sides; None where `g` is a place of the compass."""
        gravity = self.options.g
        if gravity is None or not (gravity.place == "fp" or looks(gravity)):
            return None
        if gravity.place == "fp":
            x, y = float(gravity.x), float(gravity.y)
            if max(x, y) > 1:
                x, y = x / self.source[0], y / self.source[1]
            return focus_in_view(self.source, self.upright.part, self.options, x, y)
        found = self.decided["focus"]
        assert isinstance(found, tuple)  # the step `focus`, or `rotate`, comes before whoever asks
        return found


def begin(request: Request, size: Size, orientation: int) -> Work:
    """The work on an image that loads with this size and EXIF orientation, not shrunk.

    Raises TooLarge, and OptionError for an impossible `crop`.
    """
    stored = request.original or size
    if (stored[0] < stored[1]) != (size[0] < size[1]) and stored[0] != stored[1] and size[0] != size[1]:
        # The original's container turned it without EXIF, its mezzanine is upright.
        stored = stored[::-1]
    planned = plan(of_orientation(orientation).size(stored), request.options)
    if request.options.trim is None:
        planned.check(request.limits)
    return Work(request, planned, stored, orientation, (size[0] / stored[0], size[1] / stored[1]))
