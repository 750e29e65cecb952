"""What the pages of other origins may do here (Fetch standard, section 3.2): those of the origins in the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from gateway.settings.limits import ANY_ORIGIN, LimitSettings


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """The rule of one server. Without origins nothing is ever said, and browsers keep pages of others away."""

    origins: frozenset[str]
    credentials: bool
    max_age: int

    @classmethod
    def of(cls, settings: LimitSettings) -> Self:
        return cls(frozenset(settings.cors_origins), settings.cors_credentials, settings.cors_max_age)

    def allowed(self, origin: str | None) -> str | None:
        """What Access-Control-Allow-Origin says to a request with that Origin; None where nothing is said.

        An origin is compared whole: no prefix, no suffix, no pattern.
        """
        if ANY_ORIGIN in self.origins:
            return ANY_ORIGIN
        return origin if origin is not None and origin in self.origins else None

    def permission(self, methods: str, headers: str) -> list[tuple[str, str]]:
        """What a preflight's answer says beside the origin: what the page may send."""
        return [
            ("Access-Control-Allow-Methods", methods),
            ("Access-Control-Allow-Headers", headers),
            ("Access-Control-Max-Age", str(self.max_age)),
        ]

    def expose(self, headers: list[tuple[str, str]], origin: str | None, exposed: str) -> None:
        """Add to an answer's headers what lets the origin's page read it, and of its headers those that are `exposed`."""
        allowed = self.allowed(origin)
        if allowed != ANY_ORIGIN:
            _vary(headers)
        if allowed is None:
            return
        headers += [("Access-Control-Allow-Origin", allowed), ("Access-Control-Expose-Headers", exposed)]
        if self.credentials and allowed != ANY_ORIGIN:
            headers.append(("Access-Control-Allow-Credentials", "true"))


def _vary(headers: list[tuple[str, str]]) -> None:
    """The answer depends on Origin, beside what it depends on already."""
    for index, (name, value) in enumerate(headers):
        if name.lower() == "vary":
            headers[index] = (name, f"{value}, Origin")
            return
    headers.append(("Vary", "Origin"))


def origin_of(values: Sequence[str]) -> str | None:
    """The one Origin of a request; None where there is none, or several."""
    return values[0] if len(values) == 1 else None
