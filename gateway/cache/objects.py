"""What the tier in a store needs of a place for small objects. It is no store of blobs: nothing in it is ever missed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from gateway.blobs.port import Entry

OBJECT_BYTES = (16 << 20) + 4096
"""The largest object, in bytes: a rendition of 16 MiB and what sealing adds."""


class CacheObjects(Protocol):
    """Small objects by name (`<2 hex digits>/<hex digits>`). Raises CacheUnavailable, and CacheFull where no room is left."""

    async def get(self, name: str) -> bytes | None:
        """All of it; None where there is none."""

    async def put(self, name: str, data: bytes) -> None:
        """Make it, or replace it, at once: no reader sees half of it."""

    async def remove(self, names: Sequence[str]) -> None:
        """What is not there is removed already."""

    def entries(self) -> AsyncIterator[list[Entry]]:
        """All that there is, in pages."""

    async def probe(self) -> None:
        """Find out whether it works."""

    async def close(self) -> None: ...


def place_of(key: bytes) -> str:
    """The name under which what belongs to a derivative's key lies."""
    name = key.hex()
    return f"{name[:2]}/{name[2:]}"


def key_of(place: str) -> bytes | None:
    """The key behind a name; None for what is not ours."""
    try:
        key = bytes.fromhex(place.replace("/", ""))
    except ValueError:
        return None
    return key if place_of(key) == place else None
