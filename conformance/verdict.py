"""What a case says about an endpoint: it behaves, it differs, or the case cannot be asked here."""

from __future__ import annotations


class Mismatch(AssertionError):
    """The endpoint answered something else than AWS does."""


class Skipped(Exception):
    """The case needs something that this target was not given (a second account, TLS, a domain)."""


def check(holds: object, message: str) -> None:
    """Raise Mismatch with the message unless the condition holds (unlike assert, under -O too)."""
    if not holds:
        raise Mismatch(message)


def equal(actual: object, expected: object, what: str) -> None:
    """Raise Mismatch unless both are equal; the message names what was compared and shows both."""
    if actual != expected:
        raise Mismatch(f"{what}: expected {_shown(expected)}, got {_shown(actual)}")


def one_of(actual: object, allowed: tuple[object, ...], what: str) -> None:
    """Raise Mismatch unless the value is among those allowed."""
    if actual not in allowed:
        raise Mismatch(f"{what}: expected one of {_shown(allowed)}, got {_shown(actual)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:280]}... ({len(text)} characters)"
