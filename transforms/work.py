"""What the steps of one render share."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.geometry import Geometry
from transforms.headers import Header
from transforms.limits import Limits
from transforms.options import Options


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one image, and what its header said."""

    options: Options
    variant: str
    """The accept class where the options ask for `f=auto`, else empty."""
    limits: Limits
    header: Header


@dataclass(frozen=True, slots=True)
class Work:
    """A request, once the source's real size and orientation are known."""

    request: Request
    upright: Geometry
    """Sizes as seen once orientation and `rotate` are applied."""
    turned: bool
    """Whether those swap the sides of the stored image."""

    @property
    def options(self) -> Options:
        """The request's options."""
        return self.request.options

    def as_stored(self, size: tuple[int, int]) -> tuple[int, int]:
        """A size of `upright`, in the directions of the stored image."""
        return size[::-1] if self.turned else size
