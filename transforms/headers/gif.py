"""GIF: the logical screen, widened to the first frame, and the number of frames (GIF89a, sections 18 to 23)."""

from __future__ import annotations

from transforms.errors import DecodeFailed
from transforms.headers.source import MAX_COUNTED, Size, Source

_BLOCKS, _BYTES_A_BLOCK = 65_536, 128
"""Blocks that are looked at: so many, and one more for so many bytes of the file. Encoders fill them, to 255 bytes."""
_MOST_PARTS = 4 * MAX_COUNTED
"""Frames and extensions that are looked at."""


def size(source: Source) -> Size:
    """Size of the logical screen or of a first frame that reaches beyond it, and the frames that are there."""
    width, height = source.little(6, 2), source.little(8, 2)
    blocks = _Blocks(source, 13 + _table_bytes(source.big(10, 1)))
    frames = parts = 0
    while (block := blocks.byte()) is not None:
        parts += 1
        if parts > _MOST_PARTS:
            raise DecodeFailed("The GIF is cut into too many blocks.")
        if block == _EXTENSION:
            blocks.skip(1)
        elif block == _IMAGE:
            place = blocks.bytes(9)
            if len(place) < 9:
                break
            frames += 1
            if frames == 1:
                left, top, across, down = (int.from_bytes(place[at : at + 2], "little") for at in range(0, 8, 2))
                width, height = max(width, left + across), max(height, top + down)
            elif frames == MAX_COUNTED:
                break
            # Its colours, then the width of its codes.
            blocks.skip(_table_bytes(place[8]) + 1)
        else:
            break
        if not blocks.skip_chain():
            break
    if not frames:
        raise DecodeFailed("The GIF has no frame.")
    return Size(width, height, frames > 1, frames)


_EXTENSION, _IMAGE = b"!"[0], b","[0]


class _Blocks:
    """A walk over a GIF's blocks, by windows; what is missing at the end ends it, whoever decodes will say so."""

    def __init__(self, source: Source, at: int) -> None:
        self._source = source
        self._at = at
        self._window, self._start = b"", 0
        self._left = _BLOCKS + source.size // _BYTES_A_BLOCK

    def byte(self) -> int | None:
        found = self.bytes(1)
        return found[0] if found else None

    def bytes(self, length: int) -> bytes:
        if not self._start <= self._at <= self._start + len(self._window) - length:
            self._window, self._start = self._source.window(self._at), self._at
        found = self._window[self._at - self._start :][:length]
        self._at += length
        return found

    def skip(self, length: int) -> None:
        self._at += length

    def skip_chain(self) -> bool:
        """Passes a chain of sub-blocks. False where the file ends in it; raises DecodeFailed where there are too many."""
        while True:
            # One look for many blocks: an index into the window, as long as it stays inside.
            at, window = self._at - self._start, self._window
            if not 0 <= at < len(window):
                if self.byte() is None:
                    return False
                self._at -= 1
                continue
            while at < len(window) and self._left > 0:
                length = window[at]
                at += 1 + length
                self._left -= 1
                if not length:
                    self._at = self._start + at
                    return True
            self._at = self._start + at
            if self._left <= 0:
                raise DecodeFailed("The GIF is cut into too many blocks.")


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
