"""The headers of an answer that do not depend on its pixels: how long it may be kept, by whom, and who may read it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.model.buckets import Bucket
from gateway.services.cache_tags import CacheTags

if TYPE_CHECKING:
    from gateway.settings.settings import Settings

Header = tuple[str, str]

SANDBOX: Header = ("Content-Security-Policy", "sandbox; default-src 'none'")
DRAWING: Header = (
    "Content-Security-Policy",
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
)
"""The same for an SVG, which was made harmless and needs its own styles and embedded pictures."""
SAFETY: tuple[Header, ...] = (("X-Content-Type-Options", "nosniff"), SANDBOX)
"""What every answer of this door carries: nothing in it is ever run."""
SHOWN_ANYWHERE: Header = ("Cross-Origin-Resource-Policy", "cross-origin")
ANY_ORIGIN: Header = ("Access-Control-Allow-Origin", "*")
NO_STORE: Header = ("Cache-Control", "no-store")
REVOCABLE = "private, no-cache"
"""Cache-Control of what may be closed at any moment: it is asked for anew each time that it is shown."""
FOREVER = 31_536_000
"""A year, in seconds: as long as RFC 9111 caches are asked to keep anything."""

PREFLIGHT: tuple[Header, ...] = (
    ANY_ORIGIN,
    ("Access-Control-Allow-Methods", "GET, HEAD"),
    ("Access-Control-Allow-Headers", "Authorization, Range, If-Match, If-None-Match, If-Range, x-amz-date, "
     "x-amz-content-sha256, x-amz-security-token"),
    ("Access-Control-Max-Age", "86400"),
    ("Allow", "GET, HEAD, OPTIONS"),
)  # fmt: skip
"""The same for every URL, so that it tells nothing; which origins may read an answer is said by the answer."""
_EXPOSED: Header = (
    "Access-Control-Expose-Headers",
    "ETag, Content-Length, Content-Range, X-Cache, Server-Timing, x-amz-request-id",
)


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How long pictures may be kept, in seconds."""

    id_age: int
    key_age: int
    shared_age: int | None = None
    stale_age: int = 0

    @classmethod
    def of(cls, settings: Settings) -> CachePolicy:
        return cls(
            settings.image_max_age,
            settings.image_key_max_age,
            settings.image_shared_max_age,
            settings.image_stale_max_age,
        )

    def header(
        self, *, by_id: bool, public: bool, pinned: bool = False, left: int | None = None, told: bool = True
    ) -> str:
        """The value of Cache-Control.

        `pinned`: the URL names the content, so what it shows never changes. `left`: seconds until the URL ends. Not
        `told`: shared caches, which are told when the picture changes, are not told of all that it is made of.
        """
        age = FOREVER if pinned else self.id_age if by_id else self.key_age
        if left is not None:
            left = max(0, left)
            age = min(age, left)
        if not public:
            return f"private, max-age={age}" + (", immutable" if pinned else "")
        value = f"public, max-age={age}"
        if pinned:
            return value + ", immutable"
        kept = age
        if self.shared_age is not None and told:
            kept = self.shared_age if left is None else min(self.shared_age, left)
            value += f", s-maxage={kept}"
        if self.stale_age:
            longest = max(age, kept)
            stale = self.stale_age if left is None else min(self.stale_age, left - longest)
            if stale > 0:
                value += f", stale-while-revalidate={stale}"
        return value


def cors(bucket: Bucket, origin: str | None) -> tuple[tuple[Header, ...], bool]:
    """What lets scripts of other origins read an answer, and whether that depends on `origin`, the Origin header."""
    allowed = bucket.images.cors
    if "*" in allowed:
        return _FOR_ALL, False
    if origin is not None and origin in allowed:
        return (("Access-Control-Allow-Origin", origin), _EXPOSED), True
    return (), bool(allowed)


_FOR_ALL = (ANY_ORIGIN, _EXPOSED)


class TagHeaders:
    """`Surrogate-Key` and `Cache-Tag`, where the setting asks for them."""

    def __init__(self, tags: CacheTags, mode: str) -> None:
        self._tags = tags
        self._names = {
            "off": (),
            "surrogate-key": (("Surrogate-Key", " "),),
            "cache-tag": (("Cache-Tag", ","),),
            "both": (("Surrogate-Key", " "), ("Cache-Tag", ",")),
        }[mode]
        self._made = lru_cache(maxsize=4096)(self._make)

    def __bool__(self) -> bool:
        return bool(self._names)

    def of(self, *objects: tuple[int, bytes]) -> tuple[Header, ...]:
        """The headers of a picture made from these: ids of buckets, and keys."""
        return self._made(objects)

    def _make(self, objects: tuple[tuple[int, bytes], ...]) -> tuple[Header, ...]:
        tags: dict[str, None] = {}
        for bucket_id, key in objects:
            tags[self._tags.of_bucket(bucket_id)] = None
            tags[self._tags.of_object(bucket_id, key)] = None
        return tuple((name, separator.join(tags)) for name, separator in self._names)
