"""The page that shows the OpenAPI document and tries its operations: Swagger UI, served by us from its package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from gateway.web.security import PAGE_HEADERS

PACKAGE = "swagger_ui"
CONTENT_TYPES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}
"""The files of the package that the page needs."""

HEADERS = {
    **PAGE_HEADERS,
    # Swagger UI writes style attributes, which could be allowed by no hash. Scripts stay those of our own address.
    "Content-Security-Policy": PAGE_HEADERS["Content-Security-Policy"].replace(
        "style-src 'self'", "style-src 'self' 'unsafe-inline'"
    ),
}


@cache
def asset(name: str) -> tuple[bytes, str] | None:
    """A file of Swagger UI and its content type; None for what the page does not need."""
    content_type = CONTENT_TYPES.get(name)
    if content_type is None:
        return None
    return (files(PACKAGE) / "static" / name).read_bytes(), content_type
