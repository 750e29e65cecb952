"""Pages of lists: how many, and where the last one ended."""

from __future__ import annotations

import base64

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.errors import ApiError

ADMIN = "/api/admin/v1"
MAX_PAGE = 1000
TAG = "Administration"


class PageQuery(BaseModel):
    """How much of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=MAX_PAGE, description="Entries at most.")
    cursor: str | None = Field(default=None, max_length=2000, description="`next` of the page before.")

    def after(self) -> str:
        """Where the page before ended; empty for the first. Raises ApiError INVALID_REQUEST."""
        if self.cursor is None:
            return ""
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        except ValueError:
            text = ""
        if not text or "\0" in text:
            raise ApiError("INVALID_REQUEST", "The cursor is none that was given out here.")
        return text

    def after_number(self) -> int | None:
        """The same where entries are counted. Raises ApiError INVALID_REQUEST."""
        text = self.after()
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise ApiError("INVALID_REQUEST", "The cursor is none that was given out here.")
        return int(text)


def cursor(last: object, *, more: bool) -> str | None:
    """What goes on behind `last`; None where nothing does."""
    return base64.urlsafe_b64encode(str(last).encode()).decode().rstrip("=") if more else None
