"""How much anybody may do, and from which origins."""

from __future__ import annotations

from pydantic import BaseModel


class LimitSettings(BaseModel):
    """Sizes in bytes, times in seconds."""
