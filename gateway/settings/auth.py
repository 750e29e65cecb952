"""Who signs in, and with which tokens."""

from __future__ import annotations

from pydantic import BaseModel


class AuthSettings(BaseModel):
    """Sizes in bytes, times in seconds."""
