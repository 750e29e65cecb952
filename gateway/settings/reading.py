"""How images are handed out to apps."""

from __future__ import annotations

from pydantic import Field

from gateway.settings.fields import CENTURY, SettingsGroup


class ReadingSettings(SettingsGroup):
    """Times in seconds."""

    image_rows_cached: int = Field(
        default=4096,
        ge=0,
        le=1_000_000,
        description="Images whose metadata a worker keeps in memory; each is confirmed by the database before it is used. "
        "0: none, and `X-Cache` says DISABLED.",
    )
    direct_redirect: bool = Field(
        default=False,
        description="Whether `/images/{id}/direct` answers with 307 to a presigned address instead of the bytes, where the "
        "request does not say.",
    )
    direct_expiry: int = Field(
        default=3600, ge=1, le=604_800, description="How long the presigned addresses of `/direct` work."
    )
    share_expiry: int = Field(
        default=604_800,
        ge=0,
        le=CENTURY,
        description="How long a shared link works where the request does not say; 0: for ever.",
    )
    share_expiry_max: int = Field(
        default=0, ge=0, le=CENTURY, description="The longest that a shared link may work; 0: as long as is asked for."
    )
    verify_at_once: int = Field(
        default=2, ge=1, le=100, description="Images whose stored bytes a worker hashes at once for `/verify`."
    )
