"""The one failure of a migration that may pass by itself."""

from __future__ import annotations


class Unreachable(RuntimeError):
    """The database server cannot be reached or does not answer; trying again later may help."""
