"""The eight ways to lay a picture down: quarter turns and mirror images, and how rectangles and points follow them.

Coordinates run rightwards and downwards. A turn is the matrix that takes a point of the picture before it, seen from the
middle, to where it is after it.
"""

from __future__ import annotations

from dataclasses import dataclass

Size = tuple[int, int]
"""Width and height in pixels."""
Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One of the eight, as a matrix by rows."""

    xx: int
    xy: int
    yx: int
    yy: int

    def then(self, after: Turn) -> Turn:
        """This turn, and `after` done to its result."""
        return Turn(
            after.xx * self.xx + after.xy * self.yx,
            after.xx * self.xy + after.xy * self.yy,
            after.yx * self.xx + after.yy * self.yx,
            after.yx * self.xy + after.yy * self.yy,
        )

    @property
    def undone(self) -> Turn:
        """The turn that leads back."""
        return Turn(self.xx, self.yx, self.xy, self.yy)

    @property
    def swaps(self) -> bool:
        """Whether width becomes height."""
        return self.xx == 0

    def size(self, size: Size) -> Size:
        """A size after the turn."""
        return size[::-1] if self.swaps else size

    def box(self, box: Box, within: Size) -> Box:
        """Where a box of a picture of size `within` lies after the turn."""
        left, top, width, height = box
        # Twice the distances between the middles, so that all are whole numbers.
        across, down = 2 * left + width - within[0], 2 * top + height - within[1]
        new_width, new_height = self.size((width, height))
        whole = self.size(within)
        new_left = (self.xx * across + self.xy * down + whole[0] - new_width) // 2
        new_top = (self.yx * across + self.yy * down + whole[1] - new_height) // 2
        return new_left, new_top, new_width, new_height

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where a point, in fractions of the sides, lies after the turn."""
        across, down = x - 0.5, y - 0.5
        return self.xx * across + self.xy * down + 0.5, self.yx * across + self.yy * down + 0.5


UPRIGHT = Turn(1, 0, 0, 1)
CLOCKWISE = Turn(0, -1, 1, 0)
LEFT_TO_RIGHT = Turn(-1, 0, 0, 1)
TOP_TO_BOTTOM = Turn(1, 0, 0, -1)

_ORIENTATIONS = {
    1: UPRIGHT,
    2: LEFT_TO_RIGHT,
    3: Turn(-1, 0, 0, -1),
    4: TOP_TO_BOTTOM,
    5: Turn(0, 1, 1, 0),
    6: CLOCKWISE,
    7: Turn(0, -1, -1, 0),
    8: Turn(0, 1, -1, 0),
}


def of_orientation(orientation: int) -> Turn:
    """What makes a picture upright that is stored under this EXIF orientation (tag 0x0112; unknown values turn nothing)."""
    return _ORIENTATIONS.get(orientation, UPRIGHT)


def of_options(quarters: int, flip: str | None) -> Turn:
    """So many quarter turns clockwise, and then `flip` (`h`, `v` or `hv`)."""
    turn = UPRIGHT
    for _ in range(quarters % 4):
        turn = turn.then(CLOCKWISE)
    if "h" in (flip or ""):
        turn = turn.then(LEFT_TO_RIGHT)
    if "v" in (flip or ""):
        turn = turn.then(TOP_TO_BOTTOM)
    return turn
