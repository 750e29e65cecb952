"""Settings by name: as variables, and their values as they may be shown."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.fields import PARSES_SIZE
from gateway.settings.settings import Settings

PREFIX = "PIXGATE_"


def format_size(size: int) -> str:
    """A size in the largest unit that `parse_size` reads back exactly: `256MiB`, `20MB`, `4097`."""
    for base, suffix in ((1024, "iB"), (1000, "B")):
        for power, unit in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
            if size and size % base**power == 0:
                return f"{size // base**power}{unit}{suffix}"
    return str(size)


SIZES = frozenset(
    name for name, field in Settings.model_fields.items() if any(one is PARSES_SIZE for one in field.metadata)
)
"""The settings that are sizes in bytes."""


def is_secret(name: str) -> bool:
    """Whether a setting may be shown nowhere."""
    extra = Settings.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("secret"))


def shown_value(settings: Settings, name: str) -> str:
    """A setting's value as it could be written in `.env`; of a secret only whether it is set."""
    value = getattr(settings, name)
    if value is None or value in ((), {}):
        return ""
    if is_secret(name):
        return "(set)"
    if isinstance(value, Mapping):
        return ";".join(f"{key}={text}" for key, text in value.items())
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return format_size(value) if name in SIZES else str(value)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()
