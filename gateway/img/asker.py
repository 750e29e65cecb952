"""Who asks for an image, and from where."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.policy.principal import ANONYMOUS, Principal


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, verified. `by_link`: by a signed URL, which its holder may pass on; `presigned`: by one as S3 clients sign it.

    `expires` (Unix seconds) is when a link ends; None where it does not. `bound`: it holds on some page or in some network
    only, so no shared cache may answer for us.
    """

    principal: Principal
    expires: int | None = None
    by_link: bool = False
    bound: bool = False
    presigned: bool = False

    @property
    def in_person(self) -> bool:
        """Whoever asks has a key or a token, and not just an address."""
        return not (self.by_link or self.presigned)


NOBODY = Asker(ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a signature may be bound to: `now` in Unix seconds, the client's address, and the Referer header."""

    now: float
    address: str | None = None
    referer: str | None = None
