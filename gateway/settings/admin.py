"""What administrators are told, and for how long."""

from __future__ import annotations

from pydantic import Field

from gateway.settings.fields import SettingsGroup


class AdminSettings(SettingsGroup):
    """Times in days."""

    audit_retention_days: int = Field(
        default=365, ge=0, le=36_500, description="Days that the audit log keeps its events; 0: for ever."
    )
