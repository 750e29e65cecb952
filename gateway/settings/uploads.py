"""What apps may upload, and what is made of it."""

from __future__ import annotations

from pydantic import BaseModel


class UploadSettings(BaseModel):
    """Sizes in bytes, times in seconds."""
