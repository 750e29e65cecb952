"""The broker's memory of renditions, by key: small ones as bytes, larger ones as sealed memfds that are handed out."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

ENTRY_OVERHEAD = 1024
"""What an entry costs besides its bytes, roughly."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A rendition as it is sent: the fields of a "done" message, with the payload or the memfd."""

    head: dict[str, Any]
    payload: bytes
    fd: int | None

    @property
    def cost(self) -> int:
        """Bytes that it takes."""
        return int(self.head["size"]) + ENTRY_OVERHEAD

    @property
    def fds(self) -> list[int]:
        """The descriptors to send along."""
        return [] if self.fd is None else [self.fd]

    def close(self) -> None:
        """Gives up the memfd; those who received it keep theirs."""
        if self.fd is not None:
            os.close(self.fd)


class RenditionMemory:
    """The least recently used goes first when `limit` bytes or `max_fds` descriptors are passed. Owns what it holds."""

    def __init__(self, limit: int, max_fds: int) -> None:
        self.limit = limit
        self.size = 0
        self._max_fds = max_fds
        self._fds = 0
        self._entries: OrderedDict[str, Stored] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Stored | None:
        """The rendition; it stays owned here and is valid until the next `put`."""
        stored = self._entries.get(key)
        if stored is not None:
            self._entries.move_to_end(key)
        return stored

    def put(self, key: str, stored: Stored) -> None:
        """Takes a rendition over; one that is too large for the memory is let go at once."""
        old = self._entries.pop(key, None)
        if old is not None:
            self._forget(old)
        self._entries[key] = stored
        self.size += stored.cost
        self._fds += stored.fd is not None
        while self.size > self.limit or self._fds > self._max_fds:
            self._forget(self._entries.popitem(last=False)[1])

    def clear(self) -> None:
        """Lets everything go."""
        while self._entries:
            self._forget(self._entries.popitem()[1])

    def _forget(self, stored: Stored) -> None:
        self.size -= stored.cost
        self._fds -= stored.fd is not None
        stored.close()
