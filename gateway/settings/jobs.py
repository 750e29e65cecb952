"""Work that is done later."""

from __future__ import annotations

from pydantic import BaseModel


class JobSettings(BaseModel):
    """Sizes in bytes, times in seconds."""
