"""What is text, of what JSON calls so."""

from __future__ import annotations

from collections.abc import Mapping


def is_text(value: object) -> bool:
    """Whether all text in there is what every database can hold: no NUL, no half of a surrogate pair."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, Mapping):
        return all(is_text(name) and is_text(one) for name, one in value.items())
    return all(map(is_text, value)) if isinstance(value, list) else True
