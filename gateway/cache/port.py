"""What a tier of renditions is, and what a lock among nodes is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gateway.render.rendition import Rendition


class CacheUnavailable(Exception):
    """A tier or a lock cannot be used at the moment. The text names no secret."""


class CacheFull(CacheUnavailable):
    """A tier has no room; what is in it can be read."""


class Tier(Protocol):
    """A memory of renditions that others share and that outlives this process.

    What it gives for a key is what was put under that key, whole, or nothing: it is never garbage and never another's.
    """

    @property
    def name(self) -> str:
        """What `Server-Timing` and the metrics call it: `redis`, `store`."""

    async def get(self, key: bytes) -> Rendition | None:
        """The rendition under a derivative's key, its `tier` set. Raises CacheUnavailable."""

    async def put(self, key: bytes, rendition: Rendition) -> bool:
        """Keep it, for a while; False where it is larger than what is kept here. Raises CacheUnavailable, CacheFull."""

    async def probe(self) -> None:
        """Find out whether it works. Raises CacheUnavailable."""

    async def tidy(self) -> None:
        """What is due now and then; called every minute by every worker. Raises CacheUnavailable."""

    async def check(self) -> None:
        """Find out how it is now, within about a second; `health` tells."""

    def health(self) -> Mapping[str, Any]:
        """Facts for /health beyond whether it works: `detail`, sizes."""

    async def close(self) -> None: ...


class Held(Protocol):
    """A lock that is ours."""

    async def renew(self) -> None:
        """Keep it for another `Locks.seconds`. Raises CacheUnavailable."""

    async def give(self, *, shared: bool) -> None:
        """Give it back. `shared`: the rendition can be found in a tier; else others are told to render it themselves.

        Raises CacheUnavailable.
        """


class Locks(Protocol):
    """Locks among nodes, by a derivative's key. They end by themselves after `seconds` if they are not renewed."""

    seconds: float
    pause: float
    """Seconds between two looks at somebody else's lock."""

    async def take(self, key: bytes) -> Held | str:
        """The lock, if it is free; else BUSY, or ALONE: its last holder has nothing to share. Raises CacheUnavailable."""

    async def tidy(self) -> None:
        """What is due now and then; called every minute by every worker. Raises CacheUnavailable."""


BUSY = "busy"
ALONE = "alone"
