"""Which pages of other origins may call `/api/v1`."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.http.cross_origin import CrossOrigin
from gateway.http.reply import Reply

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
class Cors(CrossOrigin):
    """The rule of one server for the JSON door."""

    def concerns(self, path: str) -> bool:
        """Whether answers under this path are read across origins at all."""
        return bool(self.origins) and (path == BASE or path.startswith(BASE + "/"))

    def preflight(self, origin: str | None, method: str | None) -> Reply:
        """The answer to OPTIONS, which asks for no credentials. Without Origin or method it is no preflight: the methods."""
        headers = [("Allow", f"{METHODS}, OPTIONS")]
        if origin is not None and method is not None and self.allowed(origin) is not None:
            headers += self.permission(METHODS, REQUEST_HEADERS)
        return Reply(204, headers)

    def mark(self, headers: list[tuple[str, str]], origin: str | None) -> None:
        """Add to an answer's headers what lets the origin's page read it."""
        self.expose(headers, origin, EXPOSED)
