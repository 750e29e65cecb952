"""What a door hands over as the body of a request."""

from __future__ import annotations

from typing import Protocol


class Body(Protocol):
    """A body whose framing the door takes off. Reading it may raise what the framing got wrong."""

    async def read(self) -> bytes | memoryview:
        """The next piece of payload, of any size; empty at the end."""

    def trailer(self, name: str) -> str | None:
        """After the end: the value of a trailer, by its lower-case name."""


class HeldBody:
    """Bytes that are in memory already, as a body."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = data

    async def read(self) -> bytes | memoryview:
        data, self._data = self._data, b""
        return data

    def trailer(self, _name: str) -> str | None:
        return None
