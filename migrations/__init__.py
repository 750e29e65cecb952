"""Alembic environment and versions, for every engine. Imported only when a schema is behind."""

from __future__ import annotations

HEAD = "0005"
"""The revision that this code needs. A test proves that it is Alembic's head."""
