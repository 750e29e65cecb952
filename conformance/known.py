"""Differences that are known, a reason each: server -> case id -> why. One that goes away is reported too."""

from __future__ import annotations

KNOWN: dict[str, dict[str, str]] = {"minio": {}, "pixgate": {}}
