"""Which pages of other origins may call `/api/v1` (Fetch standard, section 3.2): those of the origins in the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.http.reply import Reply
from gateway.settings.limits import ANY_ORIGIN, LimitSettings

BASE = "/api/v1"
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = (
    "Authorization, Content-Type, Prefer, If-Match, If-None-Match, If-Modified-Since, If-Range, Range, "
    "X-Amz-Date, X-Amz-Content-Sha256, X-Amz-Security-Token"
)
"""Named one by one: of `*` browsers leave out Authorization."""
EXPOSED = (
    "X-Request-Id, X-Cache, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, ETag, "
    "Content-Disposition, Content-Length, Content-Range, Accept-Ranges, Location, Preference-Applied, WWW-Authenticate"
)


@dataclass(frozen=True, slots=True)
class Cors:
    """The rule of one server. Without origins nothing is ever said, and browsers keep pages of others away."""

    origins: frozenset[str]
    credentials: bool
    max_age: int

    @classmethod
    def of(cls, settings: LimitSettings) -> Cors:
        return cls(frozenset(settings.cors_origins), settings.cors_credentials, settings.cors_max_age)

    def concerns(self, path: str) -> bool:
        """Whether answers under this path are read across origins at all."""
        return bool(self.origins) and (path == BASE or path.startswith(BASE + "/"))

    def allowed(self, origin: str | None) -> str | None:
        """What Access-Control-Allow-Origin says to a request with that Origin; None where nothing is said.

        An origin is compared whole: no prefix, no suffix, no pattern.
        """
        if ANY_ORIGIN in self.origins:
            return ANY_ORIGIN
        return origin if origin is not None and origin in self.origins else None

    def preflight(self, origin: str | None, method: str | None) -> Reply:
        """The answer to OPTIONS, which asks for no credentials. Without Origin or method it is no preflight: the methods."""
        headers = [("Allow", f"{METHODS}, OPTIONS")]
        if origin is not None and method is not None and self.allowed(origin) is not None:
            headers += [
                ("Access-Control-Allow-Methods", METHODS),
                ("Access-Control-Allow-Headers", REQUEST_HEADERS),
                ("Access-Control-Max-Age", str(self.max_age)),
            ]
        return Reply(204, headers)

    def mark(self, headers: list[tuple[str, str]], origin: str | None) -> None:
        """Add to an answer's headers what lets the origin's page read it."""
        allowed = self.allowed(origin)
        if allowed != ANY_ORIGIN:
            _vary(headers)
        if allowed is None:
            return
        headers += [("Access-Control-Allow-Origin", allowed), ("Access-Control-Expose-Headers", EXPOSED)]
        if self.credentials and allowed != ANY_ORIGIN:
            headers.append(("Access-Control-Allow-Credentials", "true"))


def _vary(headers: list[tuple[str, str]]) -> None:
    """The answer depends on Origin, beside what it depends on already."""
    for index, (name, value) in enumerate(headers):
        if name.lower() == "vary":
            headers[index] = (name, f"{value}, Origin")
            return
    headers.append(("Vary", "Origin"))


def origin_of(values: Sequence[str]) -> str | None:
    """The one Origin of a request; None where there is none, or several."""
    return values[0] if len(values) == 1 else None
